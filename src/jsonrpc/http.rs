//! One HTTP request: a POST with a message or batch, the handshake of a WebSocket, or a health check.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::guard::{Guard, Rejection};
use super::message;
use super::service::Service;
use super::websocket;

/// A client that stops in the middle of a body would otherwise hold its permit forever.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Path at which a supervisor or load balancer asks whether the server runs, without a token.
const HEALTH_PATH: &str = "/healthz";

/// What every connection shares.
pub(super) struct Endpoint {
    pub(super) service: Service,
    pub(super) guard: Guard,
    /// Maximum length of a body or message, in bytes.
    pub(super) body_limit: usize,
    /// One for each request, from before its body is read until its response is ready, and for each WebSocket.
    pub(super) permits: Arc<Semaphore>,
    /// Everything that the end of the server waits for.
    pub(super) connections: TaskTracker,
    /// Cancelled when no more messages are accepted.
    pub(super) stopping: CancellationToken,
}

impl Endpoint {
    /// Responds to a request; an error below JSON-RPC is text for a person.
    pub(super) async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let allowed = if request.uri().path() == HEALTH_PATH { "GET, HEAD" } else { "POST" };
        self.try_respond(request).await.unwrap_or_else(|(status, message)| {
            let mut response = Response::new(Full::from(format!("{message}\n")));
            *response.status_mut() = status;
            if status == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            }
            response
        })
    }

    async fn try_respond(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Rejection> {
        self.guard.check_source(&request)?;
        if request.uri().path() == HEALTH_PATH {
            return match *request.method() {
                Method::GET | Method::HEAD => Ok(Response::new(Full::from("ok\n"))),
                _ => Err((StatusCode::METHOD_NOT_ALLOWED, "Check the server's health with GET.")),
            };
        }
        self.guard.check_token(&request)?;
        let is_handshake =
            request.method() == Method::GET && request.headers().contains_key(UPGRADE);
        if !is_handshake && request.method() != Method::POST {
            return Err((
                StatusCode::METHOD_NOT_ALLOWED,
                "Send messages with POST, or over a WebSocket.",
            ));
        }
        if !is_handshake && !is_json(request.headers()) {
            return Err((
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the request as application/json.",
            ));
        }
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many concurrent requests; wait for responses before you send more.",
            )
        })?;
        if is_handshake {
            let response = create_response_with_body(&request, Full::default)
                .map_err(|_| (StatusCode::BAD_REQUEST, "The WebSocket handshake is invalid."))?;
            let (service, limit) = (self.service.clone(), self.body_limit);
            let stopping = self.stopping.clone();
            self.connections.spawn(async move {
                match hyper::upgrade::on(request).await {
                    Ok(upgraded) => websocket::serve(upgraded, service, limit, stopping).await,
                    Err(error) => tracing::debug!(%error, "WebSocket handshake failed"),
                }
                drop(permit);
            });
            return Ok(response);
        }
        let body = self.body(request.into_body()).await?;
        Ok(match self.service.run(message::parse(&body)).await {
            Some(body) => {
                let mut response = Response::new(Full::from(body));
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(CONTENT_TYPE, json);
                response
            }
            None => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
        })
    }

    async fn body(&self, body: Incoming) -> Result<Bytes, Rejection> {
        let body = Limited::new(body, self.body_limit).collect();
        match tokio::time::timeout(BODY_TIMEOUT, body).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err((
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body exceeds the limit (POLYTOMIC_MAX_LINE_BYTES).",
            )),
            Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "The body is incomplete.")),
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "The body took longer than 30 seconds.")),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
        || kind.eq_ignore_ascii_case("application/json-rpc")
}
