//! Whether a failed request may have been applied all the same.
//!
//! An error status is the definite outcome of a write only if the API itself has sent it, which the shape of its body
//! shows. A gateway may have forwarded the request before it failed.
//!
//! Source: contract sections 1.3 and 1.4. The API stores 500 and 503 for an idempotency key as any other error; 408, 502
//! and 504 are about something else that did not finish in time, so that they decide nothing. Once an outcome is unknown,
//! an error counts only as the stored one, which `retry` recognizes: the API may refuse a request before it looks at
//! the key, e.g. while it sheds load, although the first one with this key was applied.

use reqwest::Method;

use super::error::Error;
use super::failed_request::FailedRequest;

impl Error {
    /// Whether the API may have applied the request, or an earlier attempt at it, although no usable response
    /// arrived.
    #[must_use]
    pub fn outcome_is_unknown(&self) -> bool {
        // With one key, the stored error holds for all attempts of a POST; other methods have no key.
        let decides_all = |request: &FailedRequest| {
            let is_stored = request.attempts.replayed && self.may_be_stored();
            request.method == Method::POST && (is_stored || self.rejects_request())
        };
        self.attempt_outcome_is_unknown()
            || self.request().is_some_and(|e| e.attempts.outcome_unknown && !decides_all(e))
    }

    /// The same for the latest attempt alone.
    pub(super) fn attempt_outcome_is_unknown(&self) -> bool {
        match self {
            Self::Connection { sent, .. } | Self::Timeout { sent, .. } => *sent,
            Self::Decoding { .. } | Self::ResponseTooLarge { .. } => true,
            Self::JobFailed { was_stopped, .. } => *was_stopped,
            // The status says that the request was applied, the body that it was not.
            Self::Status { body, .. } if body.success_status.is_some() => true,
            Self::Status { status, body, request, .. } => match status {
                408 | 502 | 504 => true,
                // Something in between responds in place of the API, and a gateway may reject what it has forwarded. A proxy
                // that wants its users to sign in has not.
                400..500 if body.is_page && *status != 407 && request.operation.writes => true,
                // The first request with this key is still running, unless the API says that its object is.
                409 => {
                    let says_why = request.operation.has_conflicts && body.is_api_error;
                    request.method == Method::POST && request.operation.writes && !says_why
                }
                401 | 403 | 429 => request.operation.writes && !body.is_api_error,
                500.. => !body.is_api_error,
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether this can be the error that the API has stored for an idempotency key. 401, 403, 429 and 503 may come from
    /// something that does not know the key, in the shape of the API's errors, for as long as it lasts.
    pub(super) fn may_be_stored(&self) -> bool {
        let Self::Status { status, body, .. } = self else { return false };
        body.is_api_error
            && body.success_status.is_none()
            && !matches!(status, 401 | 403 | 408 | 409 | 429 | 502..=504)
    }

    /// Whether the API has refused the request for what it contains, as it would have before.
    pub(super) fn rejects_request(&self) -> bool {
        self.may_be_stored() && matches!(self.http_status(), Some(400 | 422))
    }

    /// Whether nothing reached the API.
    #[must_use]
    pub fn was_not_sent(&self) -> bool {
        let this_attempt = matches!(
            self,
            Self::Configuration { .. }
                | Self::InvalidPathSegment { .. }
                | Self::KeyReused { .. }
                | Self::StateUnavailable { .. }
                | Self::InvalidRequest { .. }
                | Self::Abandoned { .. }
                | Self::Connection { sent: false, .. }
                | Self::Timeout { sent: false, .. }
        );
        this_attempt && !self.outcome_is_unknown()
    }
}
