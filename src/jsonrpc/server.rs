//! JSON-RPC over HTTP POST and WebSocket on one port: accepts connections, and ends them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::guard::Guard;
use super::http::Endpoint;
use super::service::Service;
use crate::registry::{Registry, WhenBusy};
use crate::stdio::SHUTDOWN_HANDOVER;

/// Maximum number of requests in flight and open WebSockets; further ones get 429.
const MAX_REQUESTS: usize = 256;
/// A connection without a request is closed after this time.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Accepting fails while the process has no file descriptor left; until one is free, it is tried again at this interval.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Anybody in the network could call the tools.
    #[error("{0} is reachable from other machines, and no token is configured")]
    NoToken(SocketAddr),
    /// Listening on the address failed.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
}

/// A running server.
pub(crate) struct Server {
    url: String,
    endpoint: Arc<Endpoint>,
    /// Cancelled shortly before the grace period ends, for calls to return what they have.
    ending: CancellationToken,
}

impl Server {
    /// Listens and serves on the current runtime. If there is a `token`, every request must send it; addresses beyond
    /// loopback require one. `body_limit`: maximum length of a body or message, in bytes.
    ///
    /// # Errors
    /// See [`StartError`].
    pub(crate) async fn start(
        registry: Arc<Registry>,
        listen: SocketAddr,
        token: Option<String>,
        body_limit: usize,
    ) -> Result<Self, StartError> {
        if token.is_none() && !listen.ip().is_loopback() {
            return Err(StartError::NoToken(listen));
        }
        let failed = |error| StartError::Listen(listen, error);
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let ending = CancellationToken::new();
        let endpoint = Arc::new(Endpoint {
            service: Service::new(registry, WhenBusy::Refuse, ending.clone()),
            guard: Guard { address, token },
            body_limit,
            permits: Arc::new(Semaphore::new(MAX_REQUESTS)),
            connections: TaskTracker::new(),
            stopping: CancellationToken::new(),
        });
        endpoint.connections.spawn(accept(listener, Arc::clone(&endpoint)));
        Ok(Self { url: format!("http://{address}"), endpoint, ending })
    }

    /// The URL of the server, e.g. `http://127.0.0.1:41234`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Accepts no more connections and lets requests in flight finish within `grace`.
    pub(crate) async fn stop(self, grace: Duration) {
        self.endpoint.stopping.cancel();
        self.endpoint.connections.close();
        let grace_period = async {
            tokio::time::sleep(grace.saturating_sub(SHUTDOWN_HANDOVER)).await;
            self.ending.cancel();
            tokio::time::sleep(SHUTDOWN_HANDOVER).await;
        };
        tokio::select! {
            () = self.endpoint.connections.wait() => {}
            () = grace_period => {}
        }
    }
}

async fn accept(listener: TcpListener, endpoint: Arc<Endpoint>) {
    loop {
        let accepted = tokio::select! {
            () = endpoint.stopping.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                endpoint.connections.spawn(serve(stream, Arc::clone(&endpoint)));
            }
            Err(error) => {
                tracing::debug!(%error, "connection not accepted");
                tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await;
            }
        }
    }
}

/// Serves one connection, over HTTP/1.1 or HTTP/2.
async fn serve(stream: TcpStream, endpoint: Arc<Endpoint>) {
    let requested = Notify::new();
    let service = service_fn(|request| {
        requested.notify_one();
        let endpoint = Arc::clone(&endpoint);
        async move { Ok::<_, Infallible>(endpoint.respond(request).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut connection =
        pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let without_request = async {
        if tokio::time::timeout(FIRST_REQUEST_TIMEOUT, requested.notified()).await.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = without_request => return,
        () = endpoint.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "connection failed");
    }
}
