//! What applies to every request before its handler: the operation it is for, its version, its key, and what that may do.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use uuid::Uuid;

use crate::sandbox::accounts::Caller;
use crate::sandbox::contract::{self, Found, Operation};
use crate::sandbox::http::credentials::authenticate;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::state::AppState;
use crate::sandbox::testing::{LoggedRequest, compare, inject};

/// The versions of the API; the responses of all are those of the first.
const VERSIONS: [&str; 5] = ["2025-09-18", "2024-02-08", "2023-04-25", "2022-12-12", "2021-05-23"];
/// Authenticated by the token in its query.
const WITHOUT_KEY: &str = "get_connect_session";
const VERSION_HEADER: HeaderName = HeaderName::from_static("x-polytomic-version");
const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Larger bodies are not compared with the contract.
const MAX_COMPARED_BYTES: usize = 1024 * 1024;

/// Checks a request, hands it on, and completes the headers of its response. The logged path is that of the contract: ids and
/// queries are the caller's data.
pub(super) async fn receive(
    State(app): State<Arc<AppState>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let found = contract::find(&method, request.uri().path());
    let (id, path) = match found {
        Found::Operation(operation) => (Some(operation.id), operation.path),
        _ => (None, "unknown"),
    };
    let request_id = Uuid::new_v4().to_string();
    let parts = (&method, request.uri(), request.headers());
    let logged = app.testing.log.begin(&request_id, parts, id, &app.keys);
    let version = read_version(request.headers());
    let checked = match version {
        Ok(_) => check(&app, request.headers(), &found),
        Err(()) => {
            let versions = VERSIONS.join(", ");
            let expected = format!("X-Polytomic-Version: unknown; expected one of {versions}.");
            Err(ApiError::invalid(expected))
        }
    };
    let response = match checked {
        Ok((caller, operation)) => {
            if let Some(caller) = caller {
                logged.set_caller(caller);
                request.extensions_mut().insert(caller);
            }
            request.extensions_mut().insert(operation);
            let request = compare_with_contract(operation.id, request, &logged).await;
            inject::carry_out(&app, operation.id, request, next, &logged).await
        }
        Err(error) => Some(error.into_response()),
    };
    let Some(mut response) = response else {
        tracing::debug!(method = %method, path, "sandbox connection reset by a fault rule");
        // Never sent: it wakes the connection, which is reset when it writes.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let version = version.unwrap_or(HeaderValue::from_static(VERSIONS[0]));
    response.headers_mut().insert(VERSION_HEADER, version);
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID_HEADER, id);
    }
    let status = response.status().as_u16();
    logged.finish(status);
    tracing::debug!(
        method = %method,
        path,
        status,
        elapsed_ms = started.elapsed().as_millis(),
        "sandbox request finished"
    );
    response
}

/// Logs what differs from the contract. Returns the request with what has been read of its body.
async fn compare_with_contract(
    operation: &str,
    request: Request,
    logged: &LoggedRequest<'_>,
) -> Request {
    let mut differences = compare::head(operation, request.uri(), request.headers());
    let (parts, body) = request.into_parts();
    if body.size_hint().upper() == Some(0) {
        differences.extend(compare::body(operation, b""));
        logged.set_differences(differences);
        return Request::from_parts(parts, body);
    }
    let mut rest = body.into_data_stream();
    let (mut read, mut length, mut is_complete) = (Vec::new(), 0, false);
    while length <= MAX_COMPARED_BYTES {
        let Some(chunk) = rest.next().await else {
            is_complete = true;
            break;
        };
        length += chunk.as_ref().map_or(0, Bytes::len);
        let is_error = chunk.is_err();
        read.push(chunk);
        if is_error {
            break;
        }
    }
    if is_complete {
        let bytes: Vec<u8> = read.iter().flatten().flatten().copied().collect();
        differences.extend(compare::body(operation, &bytes));
    }
    logged.set_differences(differences);
    Request::from_parts(parts, Body::from_stream(stream::iter(read).chain(rest)))
}

/// The version that a request asks for; the newest if it asks for none.
fn read_version(headers: &HeaderMap) -> Result<HeaderValue, ()> {
    let known = match headers.get(VERSION_HEADER) {
        None => VERSIONS.first(),
        Some(version) => VERSIONS.iter().find(|known| known.as_bytes() == version.as_bytes()),
    };
    known.map(|known| HeaderValue::from_static(known)).ok_or(())
}

fn check(
    app: &AppState,
    headers: &HeaderMap,
    found: &Found,
) -> Result<(Option<Caller>, &'static Operation), ApiError> {
    if let Found::Operation(operation) = found
        && operation.id == WITHOUT_KEY
    {
        return Ok((None, *operation));
    }
    let caller = authenticate(headers, &app.keys)?;
    let operation = match found {
        Found::Operation(operation) => *operation,
        Found::OtherMethods(methods) => return Err(ApiError::method_not_allowed(methods)),
        Found::Nothing => return Err(ApiError::not_found("There is nothing at this path.")),
    };
    if operation.is_write && !caller.may_write() {
        return Err(ApiError::forbidden(format!(
            "This API key may only read; {} needs one that may write.",
            operation.id
        )));
    }
    Ok((Some(caller), operation))
}
