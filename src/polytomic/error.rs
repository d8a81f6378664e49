//! What can go wrong between a call and its answer, as data. The words for agents are made elsewhere.
//!
//! Source: contract section 1.4; the body of an error may be anything (gap G17).

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::keys::Key;
use super::retry::Tries;
use super::types::{ConnectionId, JobId, ModelId, SyncId};
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
        source: Box<dyn std::error::Error + Send + Sync>,
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
        /// How long the API asks to wait, when it does.
        retry_after: Option<Duration>,
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
    /// The idempotency key was used with another request before. Nothing was sent.
    #[error("{endpoint}: the idempotency key belongs to another request")]
    KeyTaken {
        /// The operation.
        endpoint: Box<Endpoint>,
    },
    /// It was not sent: the program stops, or too little time is left for a change to be answered.
    #[error("{endpoint}: not sent, {}", if *stopping { "the program stops" } else { "it is too late" })]
    GivenUp {
        /// The operation.
        endpoint: Box<Endpoint>,
        /// Whether the program stops.
        stopping: bool,
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
    /// How often it was tried, and how that went.
    pub tries: Tries,
    /// The key of a POST that changes something.
    pub idempotency_key: Option<String>,
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
    /// Whether it takes `async`, and then answers with a job.
    pub may_become_a_job: bool,
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
    /// One connection, by what it can add to the records of models.
    Enrichment(ConnectionId),
    /// One type of connection.
    ConnectionType,
    /// One model sync.
    Sync(SyncId),
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
    /// Whether the API may have acted on the request, or on an earlier try of it, although no usable
    /// answer came.
    #[must_use]
    pub fn outcome_is_unknown(&self) -> bool {
        let (of_this_try, is_definite) = match self {
            Self::Transport { sent, .. } | Self::Timeout { sent, .. } => (*sent, false),
            Self::Decoding { .. } | Self::TooLarge { .. } => (true, false),
            Self::Status { status, .. } => {
                let unknown = matches!(status, 408 | 502 | 504);
                // 409: the first request with this key is still running. The others may come from what stands
                // before the place where keys are known.
                let in_between = matches!(status, 401 | 403 | 409 | 429 | 503);
                (unknown, !unknown && !in_between)
            }
            _ => (false, false),
        };
        // Behind one key the API answers for all tries; the tries of anything else are several.
        let settles = |endpoint: &Endpoint| is_definite && endpoint.method == Method::POST;
        of_this_try || self.endpoint().is_some_and(|e| e.tries.unsure && !settles(e))
    }

    /// Whether nothing reached the API.
    #[must_use]
    pub fn was_not_sent(&self) -> bool {
        let of_this_try = matches!(
            self,
            Self::Configuration { .. }
                | Self::PathPart { .. }
                | Self::KeyTaken { .. }
                | Self::Unsendable { .. }
                | Self::GivenUp { .. }
                | Self::Transport { sent: false, .. }
                | Self::Timeout { sent: false, .. }
        );
        of_this_try && !self.outcome_is_unknown()
    }

    /// The operation that failed, where one was under way.
    #[must_use]
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Transport { endpoint, .. }
            | Self::Timeout { endpoint, .. }
            | Self::Status { endpoint, .. }
            | Self::Decoding { endpoint, .. }
            | Self::TooLarge { endpoint, .. }
            | Self::KeyTaken { endpoint }
            | Self::GivenUp { endpoint, .. }
            | Self::Unsendable { endpoint, .. } => Some(endpoint),
            Self::Configuration { .. } | Self::PathPart { .. } | Self::JobFailed { .. } => None,
        }
    }

    /// The same, with what became of all tries, and the key that they had.
    pub(super) fn after(mut self, made: Tries, key: Option<&Key>) -> Self {
        match &mut self {
            Self::Transport { endpoint, .. }
            | Self::Timeout { endpoint, .. }
            | Self::Status { endpoint, .. }
            | Self::Decoding { endpoint, .. }
            | Self::TooLarge { endpoint, .. }
            | Self::GivenUp { endpoint, .. }
            | Self::Unsendable { endpoint, .. } => {
                endpoint.tries = made;
                endpoint.idempotency_key = key.and_then(Key::of_change).map(str::to_owned);
            }
            _ => {}
        }
        self
    }

    /// How long the API asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the API ran out of time, so that a job may get around it: 408, 504, or a 400 or 500 whose
    /// text speaks of time or of `async` (gap G5).
    #[must_use]
    pub fn is_slow(&self) -> bool {
        const WORDS: [&str; 8] = [
            "time",
            "timed",
            "timeout",
            "timeouts",
            "deadline",
            "seconds",
            "async",
            "asynchronous",
        ];
        let Self::Status { status, body, .. } = self else { return false };
        let text = body.message.as_deref().unwrap_or_default().to_lowercase();
        let speaks_of_it =
            || text.split(|c: char| !c.is_alphanumeric()).any(|word| WORDS.contains(&word));
        matches!(status, 408 | 504) || (matches!(status, 400 | 500) && speaks_of_it())
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
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(source.as_ref());
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
            Self::Transport { .. } => !self.is_tls(),
            Self::Timeout { .. } | Self::GivenUp { .. } => true,
            Self::Status { status, endpoint, .. } => {
                matches!(status, 408 | 429 | 502 | 503 | 504) || endpoint.tries.held_back
            }
            _ => false,
        }
    }
}
