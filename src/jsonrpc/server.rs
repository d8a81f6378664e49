//! JSON-RPC over HTTP POST and WebSocket on one port.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jsonrpsee::core::middleware::{
    Batch, BatchEntry, Notification, RpcServiceBuilder, RpcServiceT,
};
use jsonrpsee::server::{
    BatchRequestConfig, BatchResponseBuilder, MethodResponse, ResponsePayload, ServerBuilder,
    ServerConfig, ServerHandle,
};
use jsonrpsee::types::{ErrorObjectOwned, Id, Request};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::dispatch::Dispatch;
use super::guard::GuardLayer;
use super::message::{self, MAX_BATCH_REQUESTS};
use super::service::Service;
use crate::registry::Registry;
use crate::stdio::Envelope;

/// Maximum number of connections; further ones get 429.
const MAX_CONNECTIONS: u32 = 256;
/// Time for running calls, before they are dropped, to return what they have: the handle of a job.
const HANDOVER_TIME: Duration = Duration::from_secs(1);
/// Maximum number of calls of one connection whose responses are not sent.
const MAX_CALLS_PER_CONNECTION: usize = 256;
/// Maximum number of responses that wait to be sent over one WebSocket.
const MAX_QUEUED_RESPONSES: u32 = 16;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Anybody in the network could call the tools.
    #[error("{0} is reachable from other machines, and no token is configured")]
    NoToken(SocketAddr),
    /// Listening on the address failed.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// Two tools have the same name.
    #[error(transparent)]
    Methods(#[from] jsonrpsee::core::RegisterMethodError),
}

/// A running server.
pub(crate) struct Server {
    url: String,
    handle: ServerHandle,
    /// Cancelled shortly before the grace period ends, for calls to return what they have.
    ending: CancellationToken,
}

impl Server {
    /// Listens and serves on the current runtime. If there is a `token`, every request must send it; addresses beyond
    /// loopback require one. `body_bytes`: maximum length of a body or message.
    ///
    /// # Errors
    /// See [`StartError`].
    pub(crate) async fn start(
        registry: Arc<Registry>,
        listen: SocketAddr,
        token: Option<String>,
        body_bytes: usize,
    ) -> Result<Self, StartError> {
        if token.is_none() && !listen.ip().is_loopback() {
            return Err(StartError::NoToken(listen));
        }
        let failed = |error| StartError::Listen(listen, error);
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let ending = CancellationToken::new();
        let dispatch = Dispatch::new(Service::new(registry, ending.clone()))?;
        let methods = dispatch.methods();
        let body_limit = u32::try_from(body_bytes).unwrap_or(u32::MAX);
        let config = ServerConfig::builder()
            .max_connections(MAX_CONNECTIONS)
            .set_message_buffer_capacity(MAX_QUEUED_RESPONSES)
            .max_request_body_size(body_limit)
            .max_response_body_size(u32::MAX)
            .set_batch_request_config(BatchRequestConfig::Limit(MAX_BATCH_REQUESTS))
            .build();
        let rpc = RpcServiceBuilder::new().layer_fn(move |inner| Middleware {
            dispatch: dispatch.clone(),
            permits: Arc::new(Semaphore::new(MAX_CALLS_PER_CONNECTION)),
            _inner: Arc::new(inner),
        });
        let guard = GuardLayer::new(address, token, body_limit, MAX_CONNECTIONS);
        let server = ServerBuilder::with_config(config)
            .set_http_middleware(tower::ServiceBuilder::new().layer(guard))
            .set_rpc_middleware(rpc)
            .build_from_tcp(listener.into_std().map_err(failed)?)
            .map_err(failed)?;
        Ok(Self { url: format!("http://{address}"), handle: server.start(methods), ending })
    }

    /// The URL of the server, e.g. `http://127.0.0.1:41234`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Accepts no more connections and lets requests in flight finish within `grace`.
    pub(crate) async fn stop(self, grace: Duration) {
        if self.handle.stop().is_err() {
            return;
        }
        let stopped = self.handle.stopped();
        let grace_period = async {
            tokio::time::sleep(grace.saturating_sub(HANDOVER_TIME)).await;
            self.ending.cancel();
            tokio::time::sleep(HANDOVER_TIME).await;
        };
        tokio::select! {
            () = stopped => {}
            () = grace_period => {}
        }
    }
}

/// Holds `permit` until the response has been sent or its connection has closed: a peer that sends requests and never
/// reads must not fill our memory with responses. jsonrpsee only reports the sending of a response built from a payload.
fn hold_until_sent(
    id: Id<'_>,
    response: MethodResponse,
    permit: impl Send + 'static,
) -> MethodResponse {
    let Ok(envelope) = Envelope::parse(response.as_json().get()) else { return response };
    let payload = match (envelope.result, envelope.error) {
        (Some(result), None) => ResponsePayload::success(result),
        (None, Some(error)) => match serde_json::from_str::<ErrorObjectOwned>(error.get()) {
            Ok(error) => ResponsePayload::error(error),
            Err(_) => return response,
        },
        _ => return response,
    };
    let (payload, sent) = payload.notify_on_completion();
    tokio::spawn(async move {
        let _ = sent.await;
        drop(permit);
    });
    MethodResponse::response(id, payload, usize::MAX)
}

/// Handles the messages that jsonrpsee has read as on stdio: notifications run, an unknown method gets the nearest
/// name, and the requests of a batch run concurrently.
struct Middleware<S> {
    dispatch: Dispatch,
    /// Limits the calls of one connection, so that the requests of a WebSocket wait here instead of their responses.
    permits: Arc<Semaphore>,
    /// jsonrpsee's own service, which counts running calls so that the server can wait for them.
    _inner: Arc<S>,
}

impl<S> Clone for Middleware<S> {
    fn clone(&self) -> Self {
        let (dispatch, permits) = (self.dispatch.clone(), Arc::clone(&self.permits));
        Self { dispatch, permits, _inner: Arc::clone(&self._inner) }
    }
}

impl<S> Middleware<S> {
    async fn respond(&self, request: &Request<'_>) -> MethodResponse {
        let (id, params) = (request.id().into_owned(), request.params.as_deref());
        self.dispatch.call(id, request.method_name(), params).await
    }
}

impl<S: Send + Sync + 'static> RpcServiceT for Middleware<S> {
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            let permit = Arc::clone(&this.permits).acquire_owned().await;
            hold_until_sent(request.id(), this.respond(&request).await, permit)
        }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            let _permit = this.permits.acquire().await;
            let params = notification.params().as_deref();
            this.dispatch.call(Id::Null, notification.method_name(), params).await;
            MethodResponse::notification()
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let middleware = self.clone();
        async move {
            if batch.is_empty() {
                return message::empty_batch();
            }
            let entries = batch.into_iter().map(|entry| async {
                match entry {
                    Ok(BatchEntry::Call(request)) => {
                        let _permit = middleware.permits.acquire().await;
                        Some(middleware.respond(&request).await)
                    }
                    Ok(BatchEntry::Notification(notification)) => {
                        middleware.notification(notification).await;
                        None
                    }
                    Err(invalid) => {
                        let (error, id) = invalid.into_parts();
                        Some(MethodResponse::error(id, error))
                    }
                }
            });
            let mut batch = BatchResponseBuilder::new_with_limit(usize::MAX);
            let mut is_empty = true;
            for response in join_all(entries).await.into_iter().flatten() {
                is_empty = false;
                if let Err(too_large) = batch.append(response) {
                    return too_large;
                }
            }
            if is_empty {
                MethodResponse::notification()
            } else {
                MethodResponse::from_batch(batch.finish())
            }
        }
    }
}
