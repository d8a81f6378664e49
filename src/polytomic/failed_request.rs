//! The part that all errors of a request share: its operation, where it was sent, and how its attempts went.

use std::time::Duration;

use reqwest::Method;

use super::auth::KeyDefect;
use super::base_url::BaseUrl;
use super::error_body::ErrorBody;
use super::types::{ConnectionId, ExecutionId, JobId, ModelId, SyncId};

/// The operation a failed request belonged to, and where it was sent. The query string is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedRequest {
    /// The operation and its subject.
    pub operation: ApiOperation,
    /// HTTP method.
    pub method: Method,
    /// Base URL of the API.
    pub base_url: BaseUrl,
    /// Path below the base URL.
    pub path: String,
    /// How many attempts were made, and how they ended.
    pub attempts: Attempts,
    /// Idempotency key of a POST that writes.
    pub idempotency_key: Option<String>,
    /// Where the user has to look for the API key, as a noun.
    pub key_source: String,
    /// What is wrong with the form of the API key, if anything.
    pub key_defect: Option<KeyDefect>,
    /// Where the user has to look for the organization id; none if the key is sent without one.
    pub organization_source: Option<String>,
    /// The last response to an earlier attempt that has a text, if the last response of all has none.
    pub earlier: Option<EarlierResponse>,
}

/// The response to an attempt that was not the last one.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlierResponse {
    /// HTTP status.
    pub status: u16,
    /// The error body.
    pub body: Box<ErrorBody>,
}

impl std::fmt::Display for FailedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}{}", self.method, self.base_url, self.path)
    }
}

/// An operation of the API, described without any text from a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiOperation {
    /// Name, e.g. `get_model`.
    pub name: &'static str,
    /// The object it addresses.
    pub subject: Subject,
    /// Whether it changes stored data.
    pub writes: bool,
    /// Whether it accepts `async` and can then respond with a job.
    pub supports_async: bool,
    /// Whether the API refuses it with 409 because of the state of its object. Otherwise a 409 is about the idempotency key.
    pub has_conflicts: bool,
}

impl ApiOperation {
    pub(super) fn read(name: &'static str, subject: Subject) -> Self {
        Self { name, subject, writes: false, supports_async: false, has_conflicts: false }
    }

    pub(super) fn write(name: &'static str, subject: Subject) -> Self {
        Self { writes: true, ..Self::read(name, subject) }
    }

    /// The same operation, as one that the API may refuse with 409.
    pub(super) fn with_conflicts(self) -> Self {
        Self { has_conflicts: true, ..self }
    }

    /// The same operation, as one that accepts `async`.
    pub(super) fn with_async(self) -> Self {
        Self { supports_async: true, ..self }
    }
}

/// The object an operation addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// A list, or nothing in particular.
    NoObject,
    /// The definition of a model, which refers to other objects by id.
    Definition,
    /// One model.
    Model(ModelId),
    /// One connection.
    Connection(ConnectionId),
    /// One connection, in its role as an enrichment.
    Enrichment(ConnectionId),
    /// One connection type.
    ConnectionType,
    /// An object of a connection that syncs write to.
    Target(ConnectionId),
    /// One model sync.
    Sync(SyncId),
    /// The definition of a model sync, which refers to other objects by id.
    SyncDefinition,
    /// One execution of a model sync.
    Execution(ExecutionId),
    /// One job.
    Job(JobId),
    /// What an operation addresses that was called by its name.
    Described,
}

/// How the attempts at one request went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Number of attempts.
    pub count: u32,
    /// Whether an earlier attempt at a write may have been applied.
    pub outcome_unknown: bool,
    /// Whether a retry was skipped because the retry budget is exhausted.
    pub budget_exhausted: bool,
    /// Whether the error is the one that the API has stored for the idempotency key, so that retrying with this key cannot
    /// succeed.
    pub replayed: bool,
    /// Time of all attempts and the delays between them.
    pub elapsed: Duration,
}
