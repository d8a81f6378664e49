//! The one shape of every failure: `{"key", "message", "metadata", "status"}`.

use std::any::Any;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Nobody reads this status: the client had left when the work was stopped for it.
pub(super) const CLIENT_LEFT: u16 = 499;

/// Why a request, or the job it started, has no result.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    key: &'static str,
    message: String,
    metadata: Value,
}

impl ApiError {
    fn new(status: StatusCode, key: &'static str, message: impl Into<String>) -> Self {
        Self { status, key, message: message.into(), metadata: Value::Null }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// No `kind` (a noun such as "model") with this id.
    pub(super) fn unknown(kind: &str, id: &str) -> Self {
        let shown: String = id.chars().take(80).collect();
        Self {
            metadata: json!({ "id": shown }),
            ..Self::not_found(format!("There is no {kind} {shown}."))
        }
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn wrong_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "This path does not take this method; the Allow header says which it takes.",
        )
    }

    pub(super) fn timed_out(message: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", message)
    }

    pub(super) fn conflict(message: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// The client closed the connection, so the work was stopped.
    pub(super) fn client_left() -> Self {
        let status = StatusCode::from_u16(CLIENT_LEFT).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, "client_left", "The client left before the answer was there.")
    }

    /// Our own fault. The cause goes to the log, since it may name files of this machine.
    pub(super) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "the sandbox failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The sandbox failed; its log says why.",
        )
    }

    /// The answer in place of a handler that panicked.
    #[allow(clippy::needless_pass_by_value, reason = "the signature of CatchPanicLayer")]
    pub(super) fn panicked(_panic: Box<dyn Any + Send>) -> Response {
        Self::internal(&"a handler panicked").into_response()
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({
            "key": self.key,
            "message": self.message,
            "metadata": self.metadata,
            "status": self.status.as_u16(),
        });
        (self.status, Json(body)).into_response()
    }
}
