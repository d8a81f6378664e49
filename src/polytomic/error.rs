//! What can go wrong between a call and its result, as data. Messages for agents are made elsewhere.
//!
//! Source: contract section 1.4; the body of an error may be anything (gap G17).

use std::time::Duration;

use reqwest::Method;

use super::configuration_error::ConfigurationError;
use super::error_body::ErrorBody;
use super::failed_request::{Attempts, EarlierResponse, FailedRequest};
use crate::state::StateUnavailable;

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
    /// A status other than 2xx, redirects included: those are not followed. Or an error in the body of a 2xx response.
    #[error("{request}: HTTP status {status}")]
    Status {
        /// The operation.
        request: Box<FailedRequest>,
        /// HTTP status, 300 to 599; the one in the body if that is an error in spite of its status, or else 2xx.
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
        /// What the body holds for a reader.
        body: Box<ErrorBody>,
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
    /// The state is required for writes and cannot be used. Nothing was sent.
    #[error("{request}: {state}")]
    StateUnavailable {
        /// The operation.
        request: Box<FailedRequest>,
        /// Where the state is, and why it cannot be used.
        state: StateUnavailable,
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
    /// A job that ended without being done.
    #[error("the job {}", if *was_stopped { "was stopped" } else { "failed" })]
    JobFailed {
        /// The job's type, e.g. `createmodel`.
        kind: String,
        /// The job's id.
        job_id: String,
        /// The job's error text.
        error: Option<String>,
        /// Whether it was cancelled or ran out of time, so that a part of its work may be done.
        was_stopped: bool,
    },
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
            | Self::StateUnavailable { request, .. }
            | Self::Abandoned { request, .. }
            | Self::InvalidRequest { request, .. } => Some(request),
            Self::Configuration { .. }
            | Self::InvalidPathSegment { .. }
            | Self::JobFailed { .. } => None,
        }
    }

    /// What this response says, if it says anything.
    pub(super) fn telling_response(&self) -> Option<EarlierResponse> {
        let Self::Status { status, body, .. } = self else { return None };
        let is_telling = body.message.is_some() || body.key.is_some() || body.text.is_some();
        is_telling.then(|| EarlierResponse { status: *status, body: body.clone() })
    }

    /// Adds how the attempts went, the idempotency key they carried, and the last response that has a text.
    pub(super) fn with_attempts(
        mut self,
        made: Attempts,
        key: Option<&str>,
        earlier: Option<EarlierResponse>,
    ) -> Self {
        let earlier = earlier.filter(|_| self.telling_response().is_none());
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
                request.earlier = earlier;
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
            Self::Status { status, body, .. } => Some(body.success_status.unwrap_or(*status)),
            Self::Decoding { status, .. } | Self::ResponseTooLarge { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the certificate of the other side was rejected, or TLS failed otherwise.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls_failure().is_some()
    }

    /// Whether the same call may succeed later: no connection, no response in time, one of the statuses 408, 429,
    /// 502, 503 and 504, or a create whose outcome a status leaves unknown.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connection { .. } => !self.needs_a_setting(),
            Self::Timeout { .. } | Self::Abandoned { .. } => true,
            Self::Status { status, request, body, .. } => {
                // An error with status 200 that rejects the arguments says so again.
                let is_rejected =
                    body.success_status.is_some() && matches!(status, 400 | 404 | 422);
                let is_create =
                    request.method == Method::POST && request.operation.writes && !is_rejected;
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
