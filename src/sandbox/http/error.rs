//! Errors of the sandbox, all with the same body: `{"key", "message", "metadata", "status"}`.

use std::any::Any;

use axum::Json;
use axum::http::header::{ALLOW, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Marks work that was stopped because the client disconnected; nobody receives this status.
pub(in crate::sandbox) const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Why a request, or the job it started, has no result.
#[derive(Debug)]
pub(in crate::sandbox) struct ApiError {
    status: StatusCode,
    key: &'static str,
    message: String,
    metadata: Option<Box<Value>>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl ApiError {
    fn new(status: StatusCode, key: &'static str, message: impl Into<String>) -> Self {
        Self { status, key, message: message.into(), metadata: None, header: None }
    }

    pub(in crate::sandbox) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(in crate::sandbox) fn unauthorized(message: &str) -> Self {
        Self {
            header: Some(Box::new((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))),
            ..Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
        }
    }

    /// No `kind` (a noun such as "model") has this id.
    pub(in crate::sandbox) fn unknown(kind: &str, id: &str) -> Self {
        let shortened = shorten(id);
        Self {
            metadata: Some(Box::new(json!({ "id": shortened }))),
            ..Self::not_found(format!("There is no {kind} {shortened}."))
        }
    }

    pub(in crate::sandbox) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(in crate::sandbox) fn method_not_allowed(allowed: &[&Method]) -> Self {
        let allowed = allowed.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
        Self {
            header: HeaderValue::from_str(&allowed).ok().map(|value| Box::new((ALLOW, value))),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                format!("This path supports only {allowed}."),
            )
        }
    }

    /// An operation of the API that the sandbox does not have.
    pub(in crate::sandbox) fn not_implemented(operation: &str) -> Self {
        Self {
            metadata: Some(Box::new(json!({ "operation": operation }))),
            ..Self::new(
                StatusCode::NOT_IMPLEMENTED,
                "not_implemented",
                format!(
                    "The sandbox does not implement {operation}; try it on an account of Polytomic."
                ),
            )
        }
    }

    pub(in crate::sandbox) fn unprocessable(message: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", message)
    }

    pub(in crate::sandbox) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(in crate::sandbox) fn unsupported_media_type(media_type: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("The Content-Type is {}; expected application/json.", shorten(media_type)),
        )
    }

    /// The sandbox cannot do it now.
    pub(in crate::sandbox) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    pub(in crate::sandbox) fn conflict(message: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    pub(in crate::sandbox) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// What a fault rule makes an operation respond with.
    pub(in crate::sandbox) fn injected(status: StatusCode, operation: &str) -> Self {
        let key = match status.as_u16() {
            401 => "unauthorized",
            403 => "forbidden",
            404 => "not_found",
            409 => "conflict",
            422 => "unprocessable",
            429 => "rate_limited",
            400..=499 => "bad_request",
            503 => "unavailable",
            _ => "internal",
        };
        Self::new(status, key, format!("A fault rule of the sandbox makes {operation} fail."))
    }

    /// The client closed the connection, so the work was stopped.
    pub(in crate::sandbox) fn client_disconnected() -> Self {
        let status = StatusCode::from_u16(CLIENT_CLOSED_REQUEST).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, "client_left", "The client disconnected before the response was ready.")
    }

    /// A fault of the sandbox. The cause is logged but not sent: it may name files on this machine.
    pub(in crate::sandbox) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "internal error in the sandbox");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal error in the sandbox; see its log for the cause.",
        )
    }

    /// The response when a handler panics.
    #[allow(clippy::needless_pass_by_value, reason = "the signature of CatchPanicLayer")]
    pub(in crate::sandbox) fn panicked(_panic: Box<dyn Any + Send>) -> Response {
        Self::internal(&"a handler panicked").into_response()
    }

    pub(in crate::sandbox) fn status(&self) -> StatusCode {
        self.status
    }

    pub(in crate::sandbox) fn message(&self) -> &str {
        &self.message
    }
}

impl From<rusqlite::Error> for ApiError {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(&error)
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
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().extend(self.header.map(|header| *header));
        response
    }
}

/// A text of the request as an error quotes it.
pub(in crate::sandbox) fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}
