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

use super::Service;
use super::dispatch::Dispatch;
use super::guard::GuardLayer;
use super::message::{self, BATCH_LIMIT};
use crate::registry::Registry;
use crate::stdio::Envelope;

/// Connections at once; a further one is answered with 429.
const CONNECTIONS: u32 = 256;
/// What calls get, before they are given up, to answer with what they have: a job's handle.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Calls at once of one connection, until their answers are on the way.
const CALLS: usize = 256;
/// Answers that wait to be sent over one WebSocket.
const ANSWERS: u32 = 16;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Everybody in the network could call the tools.
    #[error("{0} can be reached by others, and no token is configured")]
    NoToken(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// Two tools of one name.
    #[error(transparent)]
    Methods(#[from] jsonrpsee::core::RegisterMethodError),
}

/// A running server.
pub(crate) struct Server {
    url: String,
    handle: ServerHandle,
    /// ProgressReporter to the calls when the time to finish is nearly over.
    ending: CancellationToken,
}

impl Server {
    /// Listens and serves on the present runtime. `token` is asked of every request where there is one,
    /// and there must be one on any address but loopback. `body_bytes`: the longest body or message.
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
            .max_connections(CONNECTIONS)
            .set_message_buffer_capacity(ANSWERS)
            .max_request_body_size(body_limit)
            .max_response_body_size(u32::MAX)
            .set_batch_request_config(BatchRequestConfig::Limit(BATCH_LIMIT))
            .build();
        let rpc = RpcServiceBuilder::new().layer_fn(move |inner| Middleware {
            dispatch: dispatch.clone(),
            turns: Arc::new(Semaphore::new(CALLS)),
            _inner: Arc::new(inner),
        });
        let guard = GuardLayer::new(address, token, body_limit, CONNECTIONS);
        let server = ServerBuilder::with_config(config)
            .set_http_middleware(tower::ServiceBuilder::new().layer(guard))
            .set_rpc_middleware(rpc)
            .build_from_tcp(listener.into_std().map_err(failed)?)
            .map_err(failed)?;
        Ok(Self { url: format!("http://{address}"), handle: server.start(methods), ending })
    }

    /// Where it listens, e.g. `http://127.0.0.1:41234`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Takes no more connections and lets requests in flight finish for at most `grace`.
    pub(crate) async fn stop(self, grace: Duration) {
        if self.handle.stop().is_err() {
            return;
        }
        let stopped = self.handle.stopped();
        let last_word = async {
            tokio::time::sleep(grace.saturating_sub(LAST_WORD)).await;
            self.ending.cancel();
            tokio::time::sleep(LAST_WORD).await;
        };
        tokio::select! {
            () = stopped => {}
            () = last_word => {}
        }
    }
}

/// The same answer, with `kept` dropped when it has been sent, or its connection has gone: a peer that
/// asks and never reads must not fill our memory with answers. jsonrpsee tells of the sending only where
/// the answer is made of a payload.
fn until_sent(id: Id<'_>, answer: MethodResponse, kept: impl Send + 'static) -> MethodResponse {
    let Ok(envelope) = Envelope::read(answer.as_json().get()) else { return answer };
    let payload = match (envelope.result, envelope.error) {
        (Some(result), None) => ResponsePayload::success(result),
        (None, Some(error)) => match serde_json::from_str::<ErrorObjectOwned>(error.get()) {
            Ok(error) => ResponsePayload::error(error),
            Err(_) => return answer,
        },
        _ => return answer,
    };
    let (payload, sent) = payload.notify_on_completion();
    tokio::spawn(async move {
        let _ = sent.await;
        drop(kept);
    });
    MethodResponse::response(id, payload, usize::MAX)
}

/// What jsonrpsee does with a message it has read, done as on stdio: notifications run, an unknown
/// method is told the nearest, and the requests of a batch run at once.
struct Middleware<S> {
    dispatch: Dispatch,
    /// Of one connection: what comes over a WebSocket waits here, and not in answers that nobody reads.
    turns: Arc<Semaphore>,
    /// jsonrpsee's own service. It counts the calls that are under way, for the server to wait for them.
    _inner: Arc<S>,
}

impl<S> Clone for Middleware<S> {
    fn clone(&self) -> Self {
        let (dispatch, turns) = (self.dispatch.clone(), Arc::clone(&self.turns));
        Self { dispatch, turns, _inner: Arc::clone(&self._inner) }
    }
}

impl<S> Middleware<S> {
    async fn answer(&self, request: &Request<'_>) -> MethodResponse {
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
            let turn = Arc::clone(&this.turns).acquire_owned().await;
            until_sent(request.id(), this.answer(&request).await, turn)
        }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            let _turn = this.turns.acquire().await;
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
                        let _turn = middleware.turns.acquire().await;
                        Some(middleware.answer(&request).await)
                    }
                    Ok(BatchEntry::Notification(notification)) => {
                        middleware.notification(notification).await;
                        None
                    }
                    Err(refused) => {
                        let (error, id) = refused.into_parts();
                        Some(MethodResponse::error(id, error))
                    }
                }
            });
            let mut answer = BatchResponseBuilder::new_with_limit(usize::MAX);
            let mut answered = false;
            for response in join_all(entries).await.into_iter().flatten() {
                answered = true;
                if let Err(too_large) = answer.append(response) {
                    return too_large;
                }
            }
            if answered {
                MethodResponse::from_batch(answer.finish())
            } else {
                MethodResponse::notification()
            }
        }
    }
}
