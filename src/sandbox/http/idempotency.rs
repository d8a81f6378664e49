//! The `Idempotency-Key` header: every request with a key gets the response of the first one, errors
//! included.
//!
//! A request with a key runs in its own task, so that it completes and its response is stored even if the
//! connection breaks. A disconnect still stops a running query: nothing was written then, and the key is
//! released.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use crate::sandbox::accounts::Caller;
use crate::sandbox::http::error::{ApiError, CLIENT_CLOSED_REQUEST};
use crate::sandbox::state::AppState;
use crate::sandbox::store::idempotency::{self, Claim, ClaimedKey, Outcome};

/// Cancelled when the client of a request with a key has disconnected.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct ClientDisconnected(pub(in crate::sandbox) CancellationToken);

pub(in crate::sandbox) async fn once_per_key(
    State(app): State<Arc<AppState>>,
    caller: Caller,
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
    let task = app.tasks.spawn(run_once(Arc::clone(&app), key, caller, request, next));
    let result = task.await.unwrap_or_else(|error| Err(ApiError::internal(&error)));
    result.unwrap_or_else(IntoResponse::into_response)
}

async fn run_once(
    app: Arc<AppState>,
    key: String,
    caller: Caller,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let organization_id = caller.organization_id();
    let claim = app.store.write(move |tx| idempotency::claim(tx, organization_id, key)).await?;
    let key = match claim {
        Claim::Completed(outcome) => return Ok(outcome.into_response()),
        Claim::InFlight => {
            return Err(ApiError::conflict(
                "A request with this Idempotency-Key is still running; retry later.",
            ));
        }
        Claim::Acquired(key) => key,
    };
    request.extensions_mut().insert(key.clone());
    // In its own task: a panic must not leave the key claimed.
    let result = app.tasks.spawn(next.run(request)).await;
    let response = result.unwrap_or_else(|error| ApiError::internal(&error).into_response());
    let status = response.status().as_u16();
    if status == CLIENT_CLOSED_REQUEST {
        app.store.write(move |tx| idempotency::release(tx, &key)).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(|error| ApiError::internal(&error))?;
    let outcome = Outcome { status, body: body.to_vec() };
    // Does nothing after a change, which has committed it.
    app.store.write(move |tx| idempotency::finish(tx, &key, &outcome)).await?;
    Ok(Response::from_parts(parts, body.into()))
}

/// Extracts the key that the request has claimed, for the change to commit with.
pub(in crate::sandbox) struct RequestKey(pub(in crate::sandbox) Option<ClaimedKey>);

impl<S: Sync> FromRequestParts<S> for RequestKey {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get().cloned()))
    }
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
