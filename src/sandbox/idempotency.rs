//! The `Idempotency-Key` header: the first outcome of a key, errors too, is every later one's.
//!
//! A request with a key runs as a task of its own, so that it comes to an end, and its outcome
//! is kept, whatever becomes of the connection. The client's leaving stops the query all the
//! same; nothing was saved then, and the key is free again.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use crate::sandbox::error::{ApiError, CLIENT_LEFT};
use crate::sandbox::state::AppState;
use crate::sandbox::store::{Claim, StoredResponse};

/// Cancelled when the client of a request with a key has left.
#[derive(Debug, Clone)]
pub(super) struct ClientDisconnected(pub(super) CancellationToken);

pub(super) async fn once_per_key(
    State(app): State<Arc<AppState>>,
    mut request: Request,
    next: Next,
) -> Response {
    let key = match read_key(request.headers()) {
        Ok(Some(key)) => key,
        Ok(None) => return next.run(request).await,
        Err(refusal) => return refusal.into_response(),
    };
    let gone = CancellationToken::new();
    request.extensions_mut().insert(ClientDisconnected(gone.clone()));
    let _leaving = gone.drop_guard();
    // Claiming belongs to the task as well: a claim whose owner is dropped is never released.
    let task = app.tasks.spawn(run_once(Arc::clone(&app), key, request, next));
    let answered = task.await.unwrap_or_else(|error| Err(ApiError::internal(&error)));
    answered.unwrap_or_else(IntoResponse::into_response)
}

async fn run_once(
    app: Arc<AppState>,
    key: String,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    match app.store.claim_key(key.clone()).await? {
        Claim::Done(outcome) => return Ok(replay(outcome)),
        Claim::Running => {
            return Err(ApiError::conflict(
                "A request with this Idempotency-Key is still running; wait and send it again.",
            ));
        }
        Claim::First => {}
    }
    // In a task of its own: a panic must not leave the key claimed.
    let answer = app.tasks.spawn(next.run(request)).await;
    let response = answer.unwrap_or_else(|error| ApiError::internal(&error).into_response());
    let status = response.status().as_u16();
    if status == CLIENT_LEFT {
        app.store.release_key(key).await?;
        return Ok(response);
    }
    let body = to_bytes(response.into_body(), usize::MAX).await;
    let body = body.map_err(|error| ApiError::internal(&error))?.to_vec();
    let outcome = StoredResponse { status, body };
    app.store.keep_outcome(key, outcome.clone()).await?;
    Ok(replay(outcome))
}

fn replay(outcome: StoredResponse) -> Response {
    let status = StatusCode::from_u16(outcome.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if outcome.body.is_empty() {
        return status.into_response();
    }
    (status, [(CONTENT_TYPE, "application/json")], Body::from(outcome.body)).into_response()
}

fn read_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(header) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    header
        .to_str()
        .ok()
        .filter(|key| (8..=255).contains(&key.len()) && key.as_bytes().iter().all(allowed))
        .map(|key| Some(key.to_owned()))
        .ok_or_else(|| {
            ApiError::invalid(
                "Idempotency-Key takes 8 to 255 letters, digits, dashes and underscores.",
            )
        })
}
