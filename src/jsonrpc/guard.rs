//! The HTTP layer in front of jsonrpsee: who may call, and bodies that jsonrpsee 0.26 would misread.
//!
//! A web page can send requests to this machine: its Origin reveals it, and the Host reveals a rebound name. Bodies:
//! jsonrpsee would report an invalid request without an id as invalid JSON, and run one whose id is negative, a
//! fraction or an object as a notification.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use jsonrpsee::core::BoxError;
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse, MethodResponse};
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tower::{Layer, Service};

use super::message::{self, Entry, Message};

/// A client that stops in the middle of a body would otherwise hold its permit forever.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
const JSON_MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/json");

/// Wraps a service in a [`Guard`].
#[derive(Clone)]
pub(super) struct GuardLayer(Arc<Rules>);

struct Rules {
    address: SocketAddr,
    token: Option<String>,
    body_limit: u32,
    /// Limits concurrent requests, from before the body is read until the response is ready.
    permits: Semaphore,
}

impl GuardLayer {
    /// `body_limit`: maximum length of a body, in bytes. `max_requests`: maximum number of concurrent requests.
    pub(super) fn new(
        address: SocketAddr,
        token: Option<String>,
        body_limit: u32,
        max_requests: u32,
    ) -> Self {
        let permits = Semaphore::new(max_requests as usize);
        Self(Arc::new(Rules { address, token, body_limit, permits }))
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, rules: Arc::clone(&self.0) }
    }
}

/// Passes on permitted requests that jsonrpsee reads correctly, and responds to all others.
#[derive(Clone)]
pub(super) struct Guard<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S, B> Service<HttpRequest<B>> for Guard<S>
where
    S: Service<HttpRequest, Response = HttpResponse, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = HttpResponse;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        let rules = Arc::clone(&self.rules);
        let mut inner = self.inner.clone();
        Box::pin(async move {
            if let Err((status, message)) = rules.check(&request) {
                return Ok(text_response(status, message));
            }
            if request.method() != Method::POST {
                // A WebSocket handshake; jsonrpsee rejects anything else.
                return inner.call(request.map(HttpBody::new)).await;
            }
            if !is_json(request.headers()) {
                return Ok(text_response(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "Send the request as application/json.",
                ));
            }
            let Ok(_permit) = rules.permits.try_acquire() else {
                return Ok(text_response(
                    StatusCode::TOO_MANY_REQUESTS,
                    "Too many concurrent requests; wait for responses before you send more.",
                ));
            };
            let (mut parts, body) = request.into_parts();
            let body = match rules.body(body).await {
                Ok(body) => body,
                Err((status, message)) => return Ok(text_response(status, message)),
            };
            // The only media type that jsonrpsee accepts; the length of the body may change below.
            parts.headers.insert(CONTENT_TYPE, JSON_MEDIA_TYPE);
            parts.headers.remove(CONTENT_LENGTH);
            match prepare(body) {
                Prepared::Body { body, has_response } => {
                    let request = HttpRequest::from_parts(parts, HttpBody::from(body));
                    let response = inner.call(request).await?;
                    // jsonrpsee writes `null` if there is no response.
                    Ok(if has_response { response } else { no_content() })
                }
                Prepared::Error(response) => Ok(json_response(response)),
                Prepared::NoResponse => Ok(no_content()),
            }
        })
    }
}

impl Rules {
    /// The complete body, without surrounding white space.
    async fn body<B>(&self, body: B) -> Result<Vec<u8>, (StatusCode, &'static str)>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        let body = Limited::new(body, self.body_limit as usize).collect();
        match tokio::time::timeout(BODY_TIMEOUT, body).await {
            Ok(Ok(body)) => Ok(body.to_bytes().trim_ascii().to_vec()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err((
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body exceeds the limit (POLYTOMIC_MAX_LINE_BYTES).",
            )),
            Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "The body is incomplete.")),
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "The body took longer than 30 seconds.")),
        }
    }

    fn check<B>(&self, request: &HttpRequest<B>) -> Result<(), (StatusCode, &'static str)> {
        let headers = request.headers();
        let is_duplicate = |name: &HeaderName| headers.get_all(name).iter().nth(1).is_some();
        if [HOST, ORIGIN, AUTHORIZATION, CONTENT_TYPE].iter().any(is_duplicate) {
            return Err((
                StatusCode::BAD_REQUEST,
                "Send each of Host, Origin, Authorization and Content-Type only once.",
            ));
        }
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        // HTTP/2 sends the host as part of the URI.
        let authority = request.uri().authority().map(ToString::to_string);
        let host = text(HOST).or(authority.as_deref()).unwrap_or_default();
        if self.address.ip().is_loopback() && !self.names_this_machine(host) {
            return Err((StatusCode::FORBIDDEN, "The Host header does not name this machine."));
        }
        if let Some(origin) = text(ORIGIN)
            && !origin.eq_ignore_ascii_case(&format!("http://{host}"))
        {
            return Err((
                StatusCode::FORBIDDEN,
                "Pages from other origins may not call this server.",
            ));
        }
        let Some(token) = &self.token else { return Ok(()) };
        let header = text(AUTHORIZATION).unwrap_or_default();
        let bearer =
            header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let bearer = bearer.map(|(_, token)| token.trim()).unwrap_or_default();
        if equal_in_constant_time(bearer.as_bytes(), token.as_bytes()) {
            Ok(())
        } else {
            Err((StatusCode::UNAUTHORIZED, "Send the configured token as Authorization: Bearer."))
        }
    }

    fn names_this_machine(&self, host: &str) -> bool {
        let port = self.address.port();
        let address = self.address.to_string();
        let names = [address, format!("localhost:{port}"), format!("127.0.0.1:{port}")];
        names.iter().any(|name| {
            // Clients omit the default port of http.
            let bare = name.strip_suffix(":80").filter(|_| port == 80);
            host.eq_ignore_ascii_case(name)
                || bare.is_some_and(|bare| host.eq_ignore_ascii_case(bare))
        })
    }
}

/// Compares in constant time, so that the duration reveals nothing about the token.
fn equal_in_constant_time(actual: &[u8], expected: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    actual.ct_eq(expected).into()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
        || kind.eq_ignore_ascii_case("application/json-rpc")
}

enum Prepared {
    /// A body that jsonrpsee reads correctly, and whether it gets a response.
    Body { body: Vec<u8>, has_response: bool },
    /// An invalid message, with the response to it.
    Error(String),
    /// A response, which never gets a response.
    NoResponse,
}

fn prepare(body: Vec<u8>) -> Prepared {
    match message::parse(&body) {
        Message::One(Entry::Request(..)) => Prepared::Body { body, has_response: true },
        Message::One(Entry::Notification(_)) => Prepared::Body { body, has_response: false },
        Message::One(Entry::Invalid(id, error)) => {
            Prepared::Error(MethodResponse::error(id, error).as_json().get().to_owned())
        }
        Message::One(Entry::Response) => Prepared::NoResponse,
        Message::Batch(entries) => {
            let is_silent =
                |entry: &Entry| matches!(entry, Entry::Notification(_) | Entry::Response);
            if entries.iter().all(|entry| matches!(entry, Entry::Response)) {
                return Prepared::NoResponse;
            }
            let has_response = !entries.iter().all(is_silent);
            Prepared::Body { body: rewrite_batch(&body, &entries).unwrap_or(body), has_response }
        }
    }
}

/// Rewrites the invalid entries of a batch so that jsonrpsee rejects them as well.
fn rewrite_batch(body: &[u8], entries: &[Entry]) -> Option<Vec<u8>> {
    if !entries.iter().any(|entry| matches!(entry, Entry::Invalid(..) | Entry::Response)) {
        return None;
    }
    let raw: Vec<&RawValue> = serde_json::from_slice(body).ok()?;
    let written = raw.iter().zip(entries).filter_map(|(raw, entry)| match entry {
        Entry::Invalid(id, _) => Some(json!({"id": id}).to_string()),
        Entry::Response => None,
        _ => Some(raw.get().to_owned()),
    });
    Some(format!("[{}]", written.collect::<Vec<_>>().join(",")).into_bytes())
}

fn json_response(body: String) -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::from(body));
    response.headers_mut().insert(CONTENT_TYPE, JSON_MEDIA_TYPE);
    response
}

fn no_content() -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// An error below JSON-RPC, as text for a person.
fn text_response(status: StatusCode, message: &'static str) -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::from(format!("{message}\n")));
    *response.status_mut() = status;
    response
}
