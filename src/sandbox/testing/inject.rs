//! Carries out a request with the faults that are injected into it.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};

use crate::http::Connection;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::state::AppState;
use crate::sandbox::testing::faults::Injection;
use crate::sandbox::testing::log::LoggedRequest;
use crate::sandbox::testing::rule::Fault;

const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>\n";
const HALF_JSON: &str = "{\"data\": {\"id\": \"4f3c";

/// Hands a request on, unless a fault prevents it. Without a response the connection is reset.
pub(in crate::sandbox) async fn carry_out(
    app: &AppState,
    operation: &'static str,
    mut request: Request,
    next: Next,
    logged: &LoggedRequest<'_>,
) -> Option<Response> {
    let Injection { delay_before, delay_after, fault, carry_out, rules } =
        app.testing.faults.decide(operation);
    if !rules.is_empty() {
        logged.set_faults(&rules);
    }
    let connection = request.extensions().get::<Arc<Connection>>().cloned();
    pause(app, app.testing.latency + delay_before).await;
    let response = match fault {
        None => Some(next.run(request).await),
        Some(Fault::Job(fault)) => {
            request.extensions_mut().insert(fault);
            Some(next.run(request).await)
        }
        Some(Fault::Cut(bytes)) => cut(next.run(request).await, bytes).await,
        Some(Fault::Gateway(status)) => {
            let _ = next.run(request).await;
            Some(gateway(status))
        }
        Some(fault) => {
            if carry_out {
                let _ = next.run(request).await;
            } else {
                drain(request.into_body()).await;
            }
            fail(app, operation, fault).await
        }
    };
    pause(app, delay_after).await;
    if response.is_none()
        && let Some(connection) = connection
    {
        connection.reset();
    }
    response
}

/// The response of a fault that needs none of the request; `None` resets the connection.
async fn fail(app: &AppState, operation: &str, fault: Fault) -> Option<Response> {
    let (status, retry_after) = match fault {
        Fault::Status { status, retry_after } => (status, retry_after),
        Fault::RateLimit { retry_after, .. } => (StatusCode::TOO_MANY_REQUESTS, Some(retry_after)),
        Fault::Hang => {
            tokio::select! {
                () = pending() => {}
                () = app.testing.stopping.cancelled() => {}
            }
            return None;
        }
        Fault::Html => {
            return Some(([(CONTENT_TYPE, "text/html; charset=utf-8")], PAGE).into_response());
        }
        Fault::InvalidJson => {
            return Some(([(CONTENT_TYPE, "application/json")], HALF_JSON).into_response());
        }
        _ => return None,
    };
    let mut response = ApiError::injected(status, operation).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    Some(response)
}

fn gateway(status: StatusCode) -> Response {
    let page = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    (status, [(CONTENT_TYPE, "text/html")], page).into_response()
}

/// Ends the body of a response early: the connection is closed before the declared length is reached. A response without a
/// body does not arrive at all.
async fn cut(response: Response, bytes: Option<usize>) -> Option<Response> {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    if body.is_empty() {
        return None;
    }
    let kept = bytes.unwrap_or(body.len() / 2).min(body.len());
    let length = body.len().max(kept + 1);
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    let start = stream::once(std::future::ready(Ok(body.slice(..kept))));
    let end = stream::once(async {
        // hyper sends what it has when it has to wait; the error then closes the connection.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    Some(Response::from_parts(parts, Body::from_stream(start.chain(end))))
}

/// Reads a request that is not carried out: a client that still writes would see a broken connection in place of the response.
async fn drain(body: Body) {
    const MAX_BYTES: usize = 80 * 1024 * 1024;
    let mut stream = body.into_data_stream();
    let mut length = 0;
    while let Some(Ok(bytes)) = stream.next().await {
        length += bytes.len();
        if length > MAX_BYTES {
            return;
        }
    }
}

/// Waits, but not longer than the sandbox runs.
async fn pause(app: &AppState, duration: Duration) {
    if !duration.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            () = app.testing.stopping.cancelled() => {}
        }
    }
}
