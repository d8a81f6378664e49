//! Starting and stopping: the listener, the store, and the thread that serves.

use std::future::IntoFuture;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::sandbox::state::AppState;
use crate::sandbox::store::{OpenError, Store};
use crate::sandbox::{router, seed};

/// How long `stop` waits for requests: clients send SIGKILL 2 s after SIGTERM.
const GRACE: Duration = Duration::from_millis(1500);

/// Where a sandbox listens and where it keeps what it is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// A loopback address; port 0 takes a free one. The default is `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// The SQLite file that models, syncs, jobs and idempotency keys are kept in; memory when
    /// absent.
    pub data: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), data: None }
    }
}

/// Why a sandbox could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Anybody in the network could reach it, and it protects made-up data only.
    #[error("{0} is not a loopback address; the sandbox listens on 127.0.0.1 or [::1] only")]
    NotLoopback(SocketAddr),
    /// The port is taken.
    #[error("{0} is in use by another program; port 0 takes a free one")]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file holds something else, which is left as it is.
    #[error("{} is not a sandbox store; it was left as it is", .0.display())]
    NotAStore(PathBuf),
    /// The file was written by another release.
    #[error("{} is a sandbox store of another release (version {version})", path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// The version of the store's tables.
        version: u32,
    },
    /// Another sandbox holds the file.
    #[error("{} is in use by another sandbox", .0.display())]
    DataInUse(PathBuf),
    /// The file cannot be read or written.
    #[error("cannot open {}: {reason}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// What the operating system or SQLite says.
        reason: String,
    },
    /// No thread, event loop or memory database.
    #[error("cannot start the sandbox: {0}")]
    System(String),
}

/// A running sandbox. Dropping it stops it at once; `stop` lets requests finish first.
#[derive(Debug)]
pub struct Sandbox {
    url: String,
    api_key: String,
    stop: Option<oneshot::Sender<Duration>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Listens, opens the store, and serves from a thread of its own.
    ///
    /// Returns before the business data is there; requests that come earlier wait for it.
    ///
    /// # Errors
    /// Everything that can be wrong with `options`, see [`StartError`].
    pub fn start(options: Options) -> Result<Self, StartError> {
        let Options { listen, data } = options;
        if !listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(listen));
        }
        let listener = bind(listen)?;
        let address = listener
            .local_addr()
            .map_err(|source| StartError::Listen { address: listen, source })?;
        let store = Store::open(data.as_deref()).map_err(|error| open_failed(error, data))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StartError::System(error.to_string()))?;

        let api_key = format!("sandbox-{}", Uuid::new_v4().simple());
        let (stop, stopped) = oneshot::channel();
        let key = api_key.clone();
        let thread = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || run(runtime, listener, store, key, stopped))
            .map_err(|error| StartError::System(error.to_string()))?;
        Ok(Self {
            url: format!("http://{address}"),
            api_key,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The base URL, e.g. `http://127.0.0.1:41234`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The one key that is let in, made anew at every start.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Takes no new requests, lets those in flight finish for at most 1.5 s, and ends.
    pub fn stop(mut self) {
        self.end(GRACE);
    }

    fn end(&mut self, grace: Duration) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself, and then nobody needs the signal.
            let _ = stop.send(grace);
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sandbox's thread panicked");
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

fn bind(listen: SocketAddr) -> Result<TcpListener, StartError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressInUse(listen),
        _ => StartError::Listen { address: listen, source },
    };
    let listener = TcpListener::bind(listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

fn open_failed(error: OpenError, data: Option<PathBuf>) -> StartError {
    let Some(path) = data else {
        return StartError::System(error.to_string());
    };
    match error {
        OpenError::NotAStore => StartError::NotAStore(path),
        OpenError::OtherVersion(version) => StartError::OtherVersion { path, version },
        OpenError::InUse => StartError::DataInUse(path),
        OpenError::Io(error) => StartError::Data { path, reason: error.to_string() },
        OpenError::Sqlite(error) => StartError::Data { path, reason: error.to_string() },
    }
}

/// The thread: makes the business data, then serves until told to stop.
fn run(
    runtime: Runtime,
    listener: TcpListener,
    store: Store,
    key: String,
    stopped: oneshot::Receiver<Duration>,
) {
    // `data` keeps the memory database alive until the last request is done.
    let (data, source) = match seed::make() {
        Ok(made) => made,
        Err(error) => {
            tracing::error!(error = %error, "the sandbox has no data and ends");
            return;
        }
    };
    let app = Arc::new(AppState::new(key, store, source));
    if let Err(error) = runtime.block_on(serve(listener, app, stopped)) {
        tracing::error!(error = %error, "the sandbox cannot accept requests and ends");
    }
    // What is still running has been interrupted by dropping its future; one long step of SQLite
    // may go on for a moment, and nobody waits for it.
    runtime.shutdown_timeout(Duration::from_millis(100));
    drop(data);
}

async fn serve(
    listener: TcpListener,
    app: Arc<AppState>,
    stopped: oneshot::Receiver<Duration>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?.tap_io(|stream| {
        // Small answers must not wait for the next packet; without it they are merely slower.
        let _ = stream.set_nodelay(true);
    });
    let stopping = CancellationToken::new();
    let mut serving = pin!(
        axum::serve(listener, router::router(&app))
            .with_graceful_shutdown(stopping.clone().cancelled_owned())
            .into_future()
    );
    let grace = tokio::select! {
        ended = &mut serving => return ended,
        grace = stopped => grace.unwrap_or(Duration::ZERO),
    };
    stopping.cancel();
    let finish = async {
        let ended = serving.await;
        app.tasks.close();
        app.tasks.wait().await;
        ended
    };
    // Past the grace, what is left is dropped with the runtime.
    tokio::time::timeout(grace, finish).await.unwrap_or(Ok(()))
}
