//! What can go wrong between a call and its result, as data. Messages for agents are made elsewhere.
//!
//! Source: contract section 1.4; the body of an error may be anything (gap G17).

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::auth::Credential;
use super::configuration_error::ConfigurationError;
use super::failed_request::{Attempts, FailedRequest};

/// A failed operation. No variant, and no text made from one, holds the API key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings cannot work; nothing was sent.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The connection could not be made, or broke.
    #[error("{request}: {}", if *sent { "the connection broke" } else { "no connection" })]
    Connection {
        /// The operation.
        request: Box<FailedRequest>,
        /// Whether the request may have reached the API.
        sent: bool,
        /// The HTTP library's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No response in time. Whether the API acted on the request is unknown, so a write may be sent again
    /// only with the same idempotency key.
    #[error("{request}: no response within {:.1} s", after.as_secs_f64())]
    Timeout {
        /// The operation.
        request: Box<FailedRequest>,
        /// How long was waited, all attempts and the delays between them together.
        after: Duration,
        /// Whether the request may have reached the API; false while it was queued.
        sent: bool,
    },
    /// A status other than 2xx, redirects included: those are not followed.
    #[error("{request}: HTTP status {status}")]
    Status {
        /// The operation.
        request: Box<FailedRequest>,
        /// HTTP status, 300 to 599.
        status: u16,
        /// The error body, as far as it could be read.
        body: Box<ErrorBody>,
        /// `X-Request-Id`, if there was one.
        request_id: Option<String>,
        /// `Retry-After`, if there was one.
        retry_after: Option<Duration>,
    },
    /// A 2xx response whose body does not follow the contract, or holds neither data nor a job.
    #[error("{request}: the response could not be read")]
    Decoding {
        /// The operation.
        request: Box<FailedRequest>,
        /// HTTP status, 200 to 299.
        status: u16,
        /// What did not fit and where; may quote the body, so it is never logged.
        reason: String,
    },
    /// The response exceeds the size limit.
    #[error("{request}: the response has more than {limit} bytes")]
    ResponseTooLarge {
        /// The operation.
        request: Box<FailedRequest>,
        /// HTTP status, 200 to 299.
        status: u16,
        /// The limit in bytes, after decompression.
        limit: usize,
    },
    /// Text that cannot be a path segment: empty, `.` or `..`. Nothing was sent.
    #[error("{segment:?} cannot be a path segment")]
    InvalidPathSegment {
        /// The text as passed.
        segment: String,
    },
    /// The idempotency key was used with another request before. Nothing was sent.
    #[error("{request}: the idempotency key belongs to another request")]
    KeyReused {
        /// The operation.
        request: Box<FailedRequest>,
    },
    /// The request was not sent: the process is shutting down, or too little time is left for the response to
    /// a write.
    #[error("{request}: not sent, {}", if *shutting_down { "shutting down" } else { "too late" })]
    Abandoned {
        /// The operation.
        request: Box<FailedRequest>,
        /// Whether the process is shutting down.
        shutting_down: bool,
    },
    /// The request could not be built, e.g. because its URL is too long. Nothing was sent.
    #[error("{request}: the request could not be built")]
    InvalidRequest {
        /// The operation.
        request: Box<FailedRequest>,
        /// The HTTP library's error.
        #[source]
        source: reqwest::Error,
    },
    /// A job that ended with status failed.
    #[error("the job ended with status failed")]
    JobFailed {
        /// The job's type, e.g. `createmodel`.
        kind: String,
        /// The job's id.
        job_id: String,
        /// The job's error text.
        error: Option<String>,
    },
}

/// The body of an error response. All properties are optional, and the body need not be JSON at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ErrorBody {
    /// Whether the body is an error of the API itself, and not of a gateway in front of it: an object with a `key`, or
    /// with a `status` equal to the HTTP status and nothing that the API's errors do not have. Gateways send a
    /// `message`, too, and other frameworks a `status`.
    pub is_api_error: bool,
    /// Machine-readable key.
    pub key: Option<String>,
    /// Text for a person.
    pub message: Option<String>,
    /// Further context, any shape.
    pub metadata: Option<Value>,
    /// Media type of a body that is not a JSON object.
    pub content_type: Option<String>,
    /// Target of a redirect.
    pub location: Option<String>,
}

/// What an error of the API may have.
const PROPERTIES: [&str; 4] = ["key", "message", "metadata", "status"];

impl ErrorBody {
    /// Reads what is there. Of an HTML page or other text only the media type is kept, since a proxy's page
    /// helps nobody.
    pub(crate) fn parse(
        status: u16,
        bytes: &[u8],
        content_type: Option<String>,
        credential: &Credential,
    ) -> Self {
        let Ok(mut value) = serde_json::from_slice(bytes) else {
            return Self { content_type, ..Self::default() };
        };
        credential.redact_value(&mut value);
        let Value::Object(mut body) = value else {
            return Self { content_type, ..Self::default() };
        };
        let is_known = |name: &String| PROPERTIES.contains(&name.as_str());
        let has_status = body.get("status").and_then(Value::as_u64) == Some(status.into())
            && body.keys().all(is_known);
        let mut text = |name| match body.shift_remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (key, message) = (text("key"), text("message"));
        Self {
            is_api_error: has_status || key.is_some(),
            key,
            message,
            metadata: body.shift_remove("metadata").filter(|m| !m.is_null()),
            ..Self::default()
        }
    }
}

impl Error {
    /// The operation that failed; none if the failure came before a request.
    #[must_use]
    pub fn request(&self) -> Option<&FailedRequest> {
        match self {
            Self::Connection { request, .. }
            | Self::Timeout { request, .. }
            | Self::Status { request, .. }
            | Self::Decoding { request, .. }
            | Self::ResponseTooLarge { request, .. }
            | Self::KeyReused { request }
            | Self::Abandoned { request, .. }
            | Self::InvalidRequest { request, .. } => Some(request),
            Self::Configuration { .. }
            | Self::InvalidPathSegment { .. }
            | Self::JobFailed { .. } => None,
        }
    }

    /// Adds how the attempts went, and the idempotency key they carried.
    pub(super) fn with_attempts(mut self, made: Attempts, key: Option<&str>) -> Self {
        if let Self::Timeout { after, .. } = &mut self {
            *after = made.elapsed;
        }
        match &mut self {
            Self::Connection { request, .. }
            | Self::Timeout { request, .. }
            | Self::Status { request, .. }
            | Self::Decoding { request, .. }
            | Self::ResponseTooLarge { request, .. }
            | Self::Abandoned { request, .. }
            | Self::InvalidRequest { request, .. } => {
                request.attempts = made;
                request.idempotency_key = key.map(str::to_owned);
            }
            _ => {}
        }
        self
    }

    /// `Retry-After`, if the API sent one.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the API ran out of time, so that running the operation as a job may succeed: 408, 504, or a 400
    /// or 500 whose message mentions time or `async` (gap G5).
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
        let mentions_time =
            || text.split(|c: char| !c.is_alphanumeric()).any(|word| WORDS.contains(&word));
        matches!(status, 408 | 504) || (matches!(status, 400 | 500) && mentions_time())
    }

    /// The HTTP status, if there was one.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. }
            | Self::Decoding { status, .. }
            | Self::ResponseTooLarge { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the certificate of the other side was rejected, or TLS failed otherwise.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        let Self::Connection { source, .. } = self else { return false };
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(source.as_ref());
        while let Some(error) = cause {
            if error.is::<rustls::Error>() {
                return true;
            }
            cause = match error.downcast_ref::<std::io::Error>() {
                // `source` of an io::Error skips the error it wraps.
                Some(outer) => outer.get_ref().map(|inner| inner as _),
                None => error.source(),
            };
        }
        false
    }

    /// Whether the same call may succeed later: no connection, no response in time, one of the statuses 408, 429,
    /// 502, 503 and 504, or a create whose outcome a status leaves unknown.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connection { .. } => !self.is_tls(),
            Self::Timeout { .. } | Self::Abandoned { .. } => true,
            Self::Status { status, request, .. } => {
                let is_create = request.method == Method::POST && request.operation.writes;
                matches!(status, 408 | 429 | 502 | 503 | 504)
                    || request.attempts.budget_exhausted
                    || (is_create && self.outcome_is_unknown())
            }
            _ => false,
        }
    }
}

/// An error with its causes, for the log and for `details`.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
