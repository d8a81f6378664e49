//! Accepts connections, serves HTTP/1.1 and HTTP/2 on them, and ends them.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Activity, Connection, Stream};
use super::connections::{Connections, Entry};
use super::sent_body::SentBody;
use super::tls::Tls;

/// Accepting fails while the process has no file descriptor left; until one is free, it is tried again at this interval.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// Maximum length of the head of a request, and of what is buffered of a response.
const MAX_BUFFER_BYTES: usize = 64 << 10;
/// Maximum requests of one HTTP/2 connection at once.
const MAX_STREAMS: u32 = 20;
/// How much of the bodies of one HTTP/2 connection is read before anybody asks for it.
const CONNECTION_WINDOW_BYTES: u32 = 256 << 10;
const STREAM_WINDOW_BYTES: u32 = 64 << 10;
/// How long a connection that is to be closed gets for the end of its requests.
const MAX_CLOSE_TIME: Duration = Duration::from_secs(1);
const CLOSE_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Responds to requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The body of its responses.
    type Body: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static;

    /// Responds to a request. The future is dropped if the client goes away before.
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        connection: Arc<Connection>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Listening on an address failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub(crate) struct ListenError {
    /// The requested address.
    pub(crate) address: SocketAddr,
    /// The error of the operating system.
    pub(crate) source: io::Error,
}

/// A port that is open and not served yet.
pub(crate) struct Listening {
    listener: TcpListener,
    tls: Option<Tls>,
    /// The address, with the port that was chosen.
    pub(crate) address: SocketAddr,
}

impl Listening {
    /// Opens a port. With a certificate, everything on it is TLS.
    ///
    /// # Errors
    /// [`ListenError`].
    pub(crate) async fn on(address: SocketAddr, tls: Option<Tls>) -> Result<Self, ListenError> {
        let failed = |source| ListenError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Self::with(listener, tls).map_err(failed)
    }

    /// The same for a listener that is open.
    pub(crate) fn with(listener: TcpListener, tls: Option<Tls>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Self { listener, tls, address })
    }

    /// The URL of the port, e.g. `http://127.0.0.1:41234`.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.is_secure() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Whether it is served over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }
}

/// A running server.
pub(crate) struct Server {
    /// Everything that the end of the server waits for.
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Server {
    /// Serves on the current runtime. Once `stopping` is cancelled, no more requests are accepted; it may be cancelled by
    /// others. `tasks` are what else the end of the server waits for.
    pub(crate) fn start(
        listening: Listening,
        handler: Arc<impl Handler>,
        stopping: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let accepting = accept(listening, handler, stopping.clone(), tasks.clone());
        tasks.spawn(accepting);
        Self { tasks, stopping }
    }

    /// Accepts no more connections and lets requests in flight finish within `grace`; returns whether they did. `before_end` is
    /// cancelled so much before, for them to respond with what they have.
    pub(crate) async fn stop(
        self,
        grace: Duration,
        (before_end, handover): (CancellationToken, Duration),
    ) -> bool {
        self.stopping.cancel();
        self.tasks.close();
        let grace_period = async {
            tokio::time::sleep(grace.saturating_sub(handover)).await;
            before_end.cancel();
            tokio::time::sleep(handover.min(grace)).await;
        };
        tokio::select! {
            () = self.tasks.wait() => true,
            () = grace_period => false,
        }
    }
}

async fn accept(
    listening: Listening,
    handler: Arc<impl Handler>,
    stopping: CancellationToken,
    tasks: TaskTracker,
) {
    let connections = Connections::new();
    let mut expiring = pin!(Arc::clone(&connections).close_expired());
    loop {
        let accepted = tokio::select! {
            () = stopping.cancelled() => return,
            () = &mut expiring => return,
            accepted = listening.listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, peer)) => {
                // Small responses must not wait for the next packet. On error they are merely slower.
                let _ = tcp.set_nodelay(true);
                let Some((connection, entry)) = connections.add(peer) else {
                    tracing::debug!("connection refused: there are too many");
                    continue;
                };
                let stream = Stream { tcp, connection, _entry: entry };
                let (tls, stopping) = (listening.tls.clone(), stopping.clone());
                tasks.spawn(serve(stream, tls, Arc::clone(&handler), stopping));
            }
            Err(error) => {
                tracing::debug!(%error, "connection not accepted");
                // Without a descriptor, accepting fails again at once.
                connections.close_one();
                tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await;
            }
        }
    }
}

async fn serve(
    stream: Stream<Entry>,
    tls: Option<Tls>,
    handler: Arc<impl Handler>,
    stopping: CancellationToken,
) {
    let connection = Arc::clone(&stream.connection);
    let Some(Tls(acceptor)) = tls else {
        return serve_http(stream, connection, handler, stopping).await;
    };
    let accepted = tokio::select! {
        accepted = acceptor.accept(stream) => accepted,
        () = connection.closing() => return,
        () = stopping.cancelled() => return,
    };
    match accepted {
        Ok(stream) => serve_http(stream, connection, handler, stopping).await,
        Err(error) => tracing::debug!(%error, "TLS handshake failed"),
    }
}

async fn serve_http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: Arc<Connection>,
    handler: Arc<impl Handler>,
    stopping: CancellationToken,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let (connection, in_flight) = (Arc::clone(&connection), connection.in_flight());
        let is_multiplexed = request.version() == Version::HTTP_2;
        if is_multiplexed {
            connection.set_multiplexed();
        }
        let responding = Arc::clone(&handler).handle(request, Arc::clone(&connection));
        // Boxed, since HTTP/2 keeps the memory of this future until the response is sent.
        Box::pin(async move {
            let response = responding.await;
            let sent = |body| SentBody::new(body, is_multiplexed, connection, in_flight);
            Ok::<_, Infallible>(response.map(sent))
        })
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // How long a head may take is what the table of connections decides.
    builder.http1().header_read_timeout(None).max_buf_size(MAX_BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(64 << 10)
        .max_send_buf_size(MAX_BUFFER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(64);
    let mut serving = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = connection.aborted() => return,
        () = connection.closing() => {
            serving.as_mut().graceful_shutdown();
            match tokio::time::timeout(MAX_CLOSE_TIME, serving).await {
                Ok(served) => served,
                Err(_) => return,
            }
        }
        () = stopping.cancelled() => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                served = serving => served,
                () = connection.aborted() => return,
                // A client that sends half a request, or does not read, is not waited for.
                () = unused(&connection) => return,
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "connection failed");
    }
}

/// Waits until no request of a connection has run for a moment.
async fn unused(connection: &Connection) {
    let mut unused_since = Instant::now();
    while unused_since.elapsed() < MAX_CLOSE_TIME {
        tokio::time::sleep(CLOSE_CHECK_INTERVAL).await;
        let is_used = match connection.activity() {
            Activity::Busy => true,
            // A client that reads slowly.
            Activity::Blocked(millis) => u128::from(millis) < MAX_CLOSE_TIME.as_millis(),
            Activity::Idle | Activity::Head(_) | Activity::Waiting => false,
        };
        if is_used {
            unused_since = Instant::now();
        }
    }
}
