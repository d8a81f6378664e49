//! What can go wrong between a call and its answer, as data. The words for agents are made elsewhere.
//!
//! Source: contract section 1.4; the body of an error may be anything (gap G17).

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::types::{ConnectionId, JobId, ModelId};
use super::{BaseUrl, Credential};

/// A failed operation. No variant, and no text made from one, holds the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings cannot work; nothing was sent.
    #[error("{message}")]
    Configuration {
        /// What is wrong, naming the setting.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// No connection, or one that broke.
    #[error("{endpoint}: {}", if *sent { "the connection broke" } else { "no connection" })]
    Transport {
        /// The operation.
        endpoint: Box<Endpoint>,
        /// Whether the request may have reached the API.
        sent: bool,
        /// What the HTTP library says.
        #[source]
        source: reqwest::Error,
    },
    /// No answer in time. Whether the API acted is unknown, so only the same idempotency key may be
    /// sent again.
    #[error("{endpoint}: no answer within {:.1} s", after.as_secs_f64())]
    Timeout {
        /// The operation.
        endpoint: Box<Endpoint>,
        /// How long was waited.
        after: Duration,
        /// Whether the request may have reached the API; not while it waited for its turn.
        sent: bool,
    },
    /// A status other than 2xx, redirects included: those are not followed.
    #[error("{endpoint}: HTTP status {status}")]
    Status {
        /// The operation.
        endpoint: Box<Endpoint>,
        /// HTTP status, 300 to 599.
        status: u16,
        /// What the body said, as far as it could be read.
        body: Box<ErrorBody>,
        /// `X-Request-Id`, when there was one.
        request_id: Option<String>,
    },
    /// A 2xx whose body is not what the contract says, or holds neither data nor job.
    #[error("{endpoint}: the answer could not be read")]
    Decoding {
        /// The operation.
        endpoint: Box<Endpoint>,
        /// HTTP status, 200 to 299.
        status: u16,
        /// What did not fit and where; may quote the body, so it stands in no log.
        reason: String,
    },
    /// The answer is larger than the cap.
    #[error("{endpoint}: the answer has more than {limit} bytes")]
    TooLarge {
        /// The operation.
        endpoint: Box<Endpoint>,
        /// HTTP status, 200 to 299.
        status: u16,
        /// The cap in bytes, after decompression.
        limit: usize,
    },
    /// Text that cannot be one part of a path: empty, `.` or `..`. Nothing was sent.
    #[error("{part:?} cannot be part of a path")]
    PathPart {
        /// The text as given.
        part: String,
    },
    /// The request could not be built, e.g. for an address that is too long. Nothing was sent.
    #[error("{endpoint}: the request could not be built")]
    Unsendable {
        /// The operation.
        endpoint: Box<Endpoint>,
        /// What the HTTP library says.
        #[source]
        source: reqwest::Error,
    },
    /// A job that ended without success.
    #[error("the job ended with status failed")]
    JobFailed {
        /// The job's type, e.g. `createmodel`.
        kind: String,
        /// The job's id.
        job_id: String,
        /// The job's own text.
        error: Option<String>,
    },
}

/// Which operation it was, and where it went; the query left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The operation and what it is about.
    pub operation: Operation,
    /// HTTP method.
    pub method: Method,
    /// Where the API is.
    pub base_url: BaseUrl,
    /// Path below the base URL.
    pub path: String,
}

/// An operation of the API, in our own words: nothing in it comes from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name, e.g. `get_model`.
    pub name: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// Whether it changes anything.
    pub writes: bool,
}

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// A list, or nothing in particular.
    Everything,
    /// The definition of a model, which names other things.
    Definition,
    /// One model.
    Model(ModelId),
    /// One connection.
    Connection(ConnectionId),
    /// One job.
    Job(JobId),
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}{}", self.method, self.base_url, self.path)
    }
}

/// The body of a failure. All properties are optional, and the body may not be JSON at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ErrorBody {
    /// Machine-readable key.
    pub key: Option<String>,
    /// Text for people.
    pub message: Option<String>,
    /// Further context, any shape.
    pub metadata: Option<Value>,
    /// Of a body that is no JSON object: its media type.
    pub content_type: Option<String>,
    /// Of a redirect: where it points.
    pub location: Option<String>,
}

impl ErrorBody {
    /// Reads what there is; a page or any other text is told by its media type alone, since nobody is
    /// helped by a proxy's HTML.
    pub(super) fn read(text: &[u8], content_type: Option<String>, credential: &Credential) -> Self {
        let Ok(mut value) = serde_json::from_slice(text) else {
            return Self { content_type, ..Self::default() };
        };
        credential.redact_value(&mut value);
        let Value::Object(mut body) = value else {
            return Self { content_type, ..Self::default() };
        };
        let mut text = |name| match body.shift_remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        Self {
            key: text("key"),
            message: text("message"),
            metadata: body.shift_remove("metadata").filter(|m| !m.is_null()),
            ..Self::default()
        }
    }
}

impl Error {
    /// Whether the API may have acted on the request although no usable answer came.
    #[must_use]
    pub fn outcome_is_unknown(&self) -> bool {
        match self {
            Self::Configuration { .. }
            | Self::PathPart { .. }
            | Self::Unsendable { .. }
            | Self::JobFailed { .. } => false,
            Self::Transport { sent, .. } | Self::Timeout { sent, .. } => *sent,
            Self::Decoding { .. } | Self::TooLarge { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 502 | 504),
        }
    }

    /// Whether nothing reached the API.
    #[must_use]
    pub fn was_not_sent(&self) -> bool {
        matches!(
            self,
            Self::Configuration { .. }
                | Self::PathPart { .. }
                | Self::Unsendable { .. }
                | Self::Transport { sent: false, .. }
                | Self::Timeout { sent: false, .. }
        )
    }

    /// The HTTP status, when there was one.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. }
            | Self::Decoding { status, .. }
            | Self::TooLarge { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the other side's certificate was refused, or TLS failed otherwise.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        let Self::Transport { source, .. } = self else { return false };
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(source);
        while let Some(error) = cause {
            if error.is::<rustls::Error>() {
                return true;
            }
            cause = match error.downcast_ref::<std::io::Error>() {
                // Its `source` is the inner error's source and leaves that one out.
                Some(outer) => outer.get_ref().map(|inner| inner as _),
                None => error.source(),
            };
        }
        false
    }

    /// Whether the same call may succeed later: no connection, no answer in time, or a status that says
    /// so (408, 429, 502, 503, 504).
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::Timeout { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 502 | 503 | 504),
            _ => false,
        }
    }
}
