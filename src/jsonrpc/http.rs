//! One HTTP request: a POST with a message or batch, or the handshake of a WebSocket.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::message::{self, Message};
use super::service::Service;
use super::websocket::{self, Socket};
use crate::http::{self, Body, Caller, Rejection, is_json, read_body};
use crate::registry::{Registry, RequestAccount, WhenBusy};

/// JSON-RPC on every path of a port.
pub(crate) struct Endpoint {
    service: Arc<Service>,
    /// Maximum length of a body or message, in bytes.
    body_limit: usize,
    /// Everything that the end of the server waits for.
    tasks: TaskTracker,
    /// Cancelled when no more messages are accepted.
    stopping: CancellationToken,
}

impl Endpoint {
    /// The methods of a registry. `stopping` is cancelled when no more messages are accepted; once `ending` is cancelled,
    /// read-only calls end at once. `body_limit`: maximum length of a body or message, in bytes.
    pub(crate) fn new(
        registry: Arc<Registry>,
        body_limit: usize,
        tasks: TaskTracker,
        (stopping, ending): (CancellationToken, CancellationToken),
    ) -> Self {
        let service = Service::new(registry, WhenBusy::Refuse, ending);
        Self { service, body_limit, tasks, stopping }
    }
}

impl http::Service for Endpoint {
    fn allowed_methods(&self, _: &str) -> Option<&'static str> {
        Some("POST")
    }

    fn allows_method(&self, request: &Request<Incoming>, _: &str) -> bool {
        request.method() == Method::POST || is_handshake(request)
    }

    fn expectation(&self) -> &'static str {
        "Send messages with POST, or over a WebSocket."
    }

    async fn respond(&self, request: Request<Incoming>, caller: Caller) -> Response<Body> {
        let account = self.service.account(request.headers()).await;
        let identity = account.identity(&caller.identity);
        let caller = Caller { identity, ..caller };
        let response = match is_handshake(&request) {
            true => self.upgrade(request, caller, account),
            false => self.post(request, caller, account).await,
        };
        response.unwrap_or_else(Rejection::into_response)
    }
}

fn is_handshake(request: &Request<Incoming>) -> bool {
    request.method() == Method::GET && request.headers().contains_key(UPGRADE)
}

impl Endpoint {
    fn upgrade(
        &self,
        request: Request<Incoming>,
        caller: Caller,
        account: RequestAccount,
    ) -> Result<Response<Body>, Rejection> {
        let response = create_response_with_body(&request, Body::default).map_err(|_| {
            Rejection::new(StatusCode::BAD_REQUEST, "The WebSocket handshake is invalid.")
        })?;
        let socket = Socket {
            service: Arc::clone(&self.service),
            limit: self.body_limit,
            stopping: self.stopping.clone(),
            caller,
            account,
        };
        self.tasks.spawn(async move {
            match hyper::upgrade::on(request).await {
                Ok(upgraded) => websocket::serve(upgraded, socket).await,
                Err(error) => tracing::debug!(%error, "WebSocket handshake failed"),
            }
        });
        Ok(response)
    }

    async fn post(
        &self,
        request: Request<Incoming>,
        caller: Caller,
        account: RequestAccount,
    ) -> Result<Response<Body>, Rejection> {
        if !is_json(request.headers()) {
            return Err(Rejection::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the request as application/json in UTF-8, without Content-Encoding.",
            )
            .closing());
        }
        let payload = read_body(request, &caller, self.body_limit).await?;
        let message = message::parse(&payload.bytes);
        // It may be long, and the call may take long.
        drop(payload);
        if caller.is_exhausted() {
            return Err(Rejection::busy(
                StatusCode::TOO_MANY_REQUESTS,
                "Responses to your earlier requests are not read yet; read them before you send more.",
            ));
        }
        let body = match message {
            Message::One(entry) => {
                let response = self.service.run_entry(entry, &account).await;
                response.map(|text| Body::counted(text.into(), caller.reservation()))
            }
            Message::Batch(entries) if entries.iter().any(message::Entry::gets_response) => {
                Some(Body::stream(self.batch(entries, account)))
            }
            Message::Batch(entries) => {
                let responses = self.batch(entries, account);
                let mut responses = pin!(responses);
                while responses.next().await.is_some() {}
                None
            }
        };
        Ok(match body {
            Some(body) => {
                let mut response = Response::new(body);
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(CONTENT_TYPE, json);
                response
            }
            None => {
                let mut response = Response::new(Body::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
        })
    }

    /// The responses of a batch as one list. Its calls run as the client reads it, so that no response waits in memory, and
    /// none runs for a client that has gone.
    fn batch(
        &self,
        entries: Vec<message::Entry>,
        account: RequestAccount,
    ) -> impl Stream<Item = Bytes> + Send + 'static {
        let responses = Arc::clone(&self.service).run_batch(entries, account);
        let separators = stream::once(std::future::ready("[")).chain(stream::repeat(","));
        let list = separators
            .zip(responses)
            .map(|(separator, response)| Bytes::from([separator, response.as_str()].concat()));
        list.chain(stream::once(std::future::ready(Bytes::from_static(b"]"))))
    }
}
