//! The `Idempotency-Key` header: every request with a key gets the response of the first one, errors
//! included.
//!
//! A request with a key runs in its own task, so that it completes and its response is stored even if the
//! connection breaks. A disconnect still stops a running query: nothing was written then, and the key is
//! released.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use crate::sandbox::http::error::{ApiError, CLIENT_CLOSED_REQUEST};
use crate::sandbox::state::AppState;
use crate::sandbox::store::{Claim, StoredResponse};

/// Cancelled when the client of a request with a key has disconnected.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct ClientDisconnected(pub(in crate::sandbox) CancellationToken);

pub(in crate::sandbox) async fn once_per_key(
    State(app): State<Arc<AppState>>,
    mut request: Request,
    next: Next,
) -> Response {
    let key = match read_key(request.headers()) {
        Ok(Some(key)) => key,
        Ok(None) => return next.run(request).await,
        Err(error) => return error.into_response(),
    };
    let disconnected = CancellationToken::new();
    request.extensions_mut().insert(ClientDisconnected(disconnected.clone()));
    let _cancel_on_drop = disconnected.drop_guard();
    // The task also claims the key: if this future held the claim, dropping it would never release the key.
    let task = app.tasks.spawn(run_once(Arc::clone(&app), key, request, next));
    let result = task.await.unwrap_or_else(|error| Err(ApiError::internal(&error)));
    result.unwrap_or_else(IntoResponse::into_response)
}

async fn run_once(
    app: Arc<AppState>,
    key: String,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    match app.store.claim_key(key.clone()).await? {
        Claim::Completed(stored) => return Ok(replay(stored)),
        Claim::InFlight => {
            return Err(ApiError::conflict(
                "A request with this Idempotency-Key is still running; retry later.",
            ));
        }
        Claim::Acquired => {}
    }
    // In its own task: a panic must not leave the key claimed.
    let result = app.tasks.spawn(next.run(request)).await;
    let response = result.unwrap_or_else(|error| ApiError::internal(&error).into_response());
    let status = response.status().as_u16();
    if status == CLIENT_CLOSED_REQUEST {
        app.store.release_key(key).await?;
        return Ok(response);
    }
    let body = to_bytes(response.into_body(), usize::MAX).await;
    let body = body.map_err(|error| ApiError::internal(&error))?.to_vec();
    let stored = StoredResponse { status, body };
    app.store.store_response(key, stored.clone()).await?;
    Ok(replay(stored))
}

fn replay(stored: StoredResponse) -> Response {
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if stored.body.is_empty() {
        return status.into_response();
    }
    (status, [(CONTENT_TYPE, "application/json")], Body::from(stored.body)).into_response()
}

fn read_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(header) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    header
        .to_str()
        .ok()
        .filter(|key| (8..=255).contains(&key.len()) && key.as_bytes().iter().all(is_allowed))
        .map(|key| Some(key.to_owned()))
        .ok_or_else(|| {
            ApiError::invalid(
                "Idempotency-Key: expected 8 to 255 letters, digits, dashes and underscores.",
            )
        })
}
