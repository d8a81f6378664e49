//! What stands before the server: who may ask, and bodies that jsonrpsee 0.26 would misread.
//!
//! A page in a browser can send requests to this machine; it is told by its Origin, a rebound name by
//! the Host. Bodies: an invalid request without an id would be called no JSON, and one with an id that
//! is negative, a fraction or an object would be run as a notification.

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

/// How long a body may take to come: a caller that stops in the middle would hold a place for ever.
const BODY_TIME: Duration = Duration::from_secs(30);
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Puts a [`Guard`] before a service.
#[derive(Clone)]
pub(super) struct GuardLayer(Arc<Rules>);

struct Rules {
    address: SocketAddr,
    token: Option<String>,
    body_limit: u32,
    /// Requests at once, from before the body is read until the answer is there.
    places: Semaphore,
}

impl GuardLayer {
    /// `body_limit`: the longest body, in bytes. `places`: the most requests at once.
    pub(super) fn new(
        address: SocketAddr,
        token: Option<String>,
        body_limit: u32,
        places: u32,
    ) -> Self {
        let places = Semaphore::new(places as usize);
        Self(Arc::new(Rules { address, token, body_limit, places }))
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, rules: Arc::clone(&self.0) }
    }
}

/// Lets through what may be asked and can be read.
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
            if let Err((status, why)) = rules.check(&request) {
                return Ok(refusal(status, why));
            }
            if request.method() != Method::POST {
                // The handshake of a WebSocket; anything else the server refuses.
                return inner.call(request.map(HttpBody::new)).await;
            }
            if !is_json(request.headers()) {
                return Ok(refusal(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "Send the request as application/json.",
                ));
            }
            let Ok(_place) = rules.places.try_acquire() else {
                return Ok(refusal(
                    StatusCode::TOO_MANY_REQUESTS,
                    "Too many requests at once; wait for answers before you send more.",
                ));
            };
            let (mut parts, body) = request.into_parts();
            let body = match rules.body(body).await {
                Ok(body) => body,
                Err((status, why)) => return Ok(refusal(status, why)),
            };
            // For jsonrpsee, which knows no other; the body may be another length from here on.
            parts.headers.insert(CONTENT_TYPE, JSON);
            parts.headers.remove(CONTENT_LENGTH);
            match readable(body) {
                Readable::Body { body, answered } => {
                    let request = HttpRequest::from_parts(parts, HttpBody::from(body));
                    let response = inner.call(request).await?;
                    // jsonrpsee writes `null` where nothing is answered.
                    Ok(if answered { response } else { no_content() })
                }
                Readable::Refused(answer) => Ok(json_answer(answer)),
                Readable::Nothing => Ok(no_content()),
            }
        })
    }
}

impl Rules {
    /// The whole body, without the blanks around it.
    async fn body<B>(&self, body: B) -> Result<Vec<u8>, (StatusCode, &'static str)>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        let body = Limited::new(body, self.body_limit as usize).collect();
        match tokio::time::timeout(BODY_TIME, body).await {
            Ok(Ok(body)) => Ok(body.to_bytes().trim_ascii().to_vec()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err((
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is over the limit (POLYTOMIC_MAX_LINE_BYTES).",
            )),
            Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "The body broke off.")),
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "The body took longer than 30 seconds.")),
        }
    }

    fn check<B>(&self, request: &HttpRequest<B>) -> Result<(), (StatusCode, &'static str)> {
        let headers = request.headers();
        let twice = |name: &HeaderName| headers.get_all(name).iter().nth(1).is_some();
        if [HOST, ORIGIN, AUTHORIZATION, CONTENT_TYPE].iter().any(twice) {
            return Err((
                StatusCode::BAD_REQUEST,
                "Host, Origin, Authorization and Content-Type are sent once each.",
            ));
        }
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        // HTTP/2 says it as a part of the address.
        let authority = request.uri().authority().map(ToString::to_string);
        let host = text(HOST).or(authority.as_deref()).unwrap_or_default();
        if self.address.ip().is_loopback() && !self.names_this_machine(host) {
            return Err((StatusCode::FORBIDDEN, "The Host header does not name this machine."));
        }
        if let Some(origin) = text(ORIGIN)
            && !origin.eq_ignore_ascii_case(&format!("http://{host}"))
        {
            return Err((StatusCode::FORBIDDEN, "Pages of another origin may not call."));
        }
        let Some(token) = &self.token else { return Ok(()) };
        let given = text(AUTHORIZATION).unwrap_or_default();
        let given =
            given.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let given = given.map(|(_, token)| token.trim()).unwrap_or_default();
        if same(given.as_bytes(), token.as_bytes()) {
            Ok(())
        } else {
            Err((StatusCode::UNAUTHORIZED, "Send Authorization: Bearer and the configured token."))
        }
    }

    fn names_this_machine(&self, host: &str) -> bool {
        let port = self.address.port();
        let own = self.address.to_string();
        let names = [own, format!("localhost:{port}"), format!("127.0.0.1:{port}")];
        names.iter().any(|name| {
            // Clients leave out the port that http has anyway.
            let bare = name.strip_suffix(":80").filter(|_| port == 80);
            host.eq_ignore_ascii_case(name)
                || bare.is_some_and(|bare| host.eq_ignore_ascii_case(bare))
        })
    }
}

/// Compares without telling by the time it takes how much was right.
fn same(given: &[u8], expected: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    given.ct_eq(expected).into()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
        || kind.eq_ignore_ascii_case("application/json-rpc")
}

enum Readable {
    /// The body as jsonrpsee reads it rightly, and whether there is something to answer.
    Body { body: Vec<u8>, answered: bool },
    /// Refused here, with this answer.
    Refused(String),
    /// Not for a server: itself an answer.
    Nothing,
}

fn readable(body: Vec<u8>) -> Readable {
    match message::read(&body) {
        Message::One(Entry::Call(..)) => Readable::Body { body, answered: true },
        Message::One(Entry::Notification(_)) => Readable::Body { body, answered: false },
        Message::One(Entry::Refused(id, error)) => {
            Readable::Refused(MethodResponse::error(id, error).as_json().get().to_owned())
        }
        Message::One(Entry::Answer) => Readable::Nothing,
        Message::Batch(entries) => {
            let unanswered =
                |entry: &Entry| matches!(entry, Entry::Notification(_) | Entry::Answer);
            if entries.iter().all(|entry| matches!(entry, Entry::Answer)) {
                return Readable::Nothing;
            }
            let answered = !entries.iter().all(unanswered);
            Readable::Body { body: rewritten(&body, &entries).unwrap_or(body), answered }
        }
    }
}

/// A batch whose refused entries are written so that jsonrpsee refuses them as well.
fn rewritten(body: &[u8], entries: &[Entry]) -> Option<Vec<u8>> {
    if !entries.iter().any(|entry| matches!(entry, Entry::Refused(..) | Entry::Answer)) {
        return None;
    }
    let raw: Vec<&RawValue> = serde_json::from_slice(body).ok()?;
    let written = raw.iter().zip(entries).filter_map(|(raw, entry)| match entry {
        Entry::Refused(id, _) => Some(json!({"id": id}).to_string()),
        Entry::Answer => None,
        _ => Some(raw.get().to_owned()),
    });
    Some(format!("[{}]", written.collect::<Vec<_>>().join(",")).into_bytes())
}

fn json_answer(body: String) -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::from(body));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

fn no_content() -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A refusal below JSON-RPC: words for a person.
fn refusal(status: StatusCode, why: &'static str) -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::from(format!("{why}\n")));
    *response.status_mut() = status;
    response
}
