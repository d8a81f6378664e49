//! Starting and stopping the sandbox: the listener, the store, and the thread that serves.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::http::{Connection, Handler, Listening, RequestBody, Server};
use crate::sandbox::accounts::Keys;
use crate::sandbox::http::router;
use crate::sandbox::seed::{self, SeedData, Shop, TargetDatabase, Warehouse};
use crate::sandbox::sources::Sources;
use crate::sandbox::state::AppState;
use crate::sandbox::store::{OpenError, Store};
use crate::sandbox::testing::{FaultRule, Testing};

/// How long `stop` waits for requests in flight: MCP clients send SIGKILL 2 s after SIGTERM.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(1500);

/// Where a sandbox listens and where it stores what clients create.
#[derive(Debug, Clone)]
pub struct Options {
    /// A loopback address; port 0 picks a free port. The default is `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// The SQLite file for models, syncs, jobs and idempotency keys; in memory if absent.
    pub data: Option<PathBuf>,
    /// How long to wait at the start for another sandbox that writes to the file; 5 s by default.
    pub data_wait: Duration,
    /// How much business data there is.
    pub seed_data: SeedData,
    /// The faults that are injected from the start.
    pub faults: Vec<FaultRule>,
    /// How long every response is delayed.
    pub latency: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen,
            data: None,
            data_wait: Duration::from_secs(5),
            seed_data: SeedData::default(),
            faults: Vec::new(),
            latency: Duration::ZERO,
        }
    }
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The sandbox only listens on loopback: other machines must not reach it.
    #[error("{0} is not a loopback address; the sandbox listens on 127.0.0.1 or [::1] only")]
    NotLoopback(SocketAddr),
    /// Another program listens on this address.
    #[error("{0} is in use by another program; port 0 picks a free port")]
    AddressInUse(SocketAddr),
    /// The listener cannot be created for another reason.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file is not a sandbox store; it is not modified.
    #[error("{} is not a sandbox store; it was not modified", .0.display())]
    NotAStore(PathBuf),
    /// The file was written by an incompatible release.
    #[error("{} is a sandbox store of an incompatible release (version {version})", path.display())]
    OtherVersion {
        /// The path of the file.
        path: PathBuf,
        /// The version of the file's schema.
        version: u32,
    },
    /// Another sandbox has the file open.
    #[error("{} is in use by another sandbox", .0.display())]
    DataInUse(PathBuf),
    /// The file cannot be read or written.
    #[error("cannot open {}: {reason}", path.display())]
    Data {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system or SQLite.
        reason: String,
    },
    /// The thread, runtime or in-memory database cannot be created.
    #[error("cannot start the sandbox: {0}")]
    System(String),
}

/// A running sandbox. Dropping it stops it immediately; [`Sandbox::stop`] lets requests finish first.
pub struct Sandbox {
    url: String,
    keys: Keys,
    /// Opens the page to watch once.
    code: String,
    stop: Option<oneshot::Sender<Duration>>, // carries the grace period
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Opens the listener and the store, and serves from a dedicated thread.
    ///
    /// Returns before the business data is created; requests that arrive earlier wait for it.
    ///
    /// # Errors
    /// If the address or the file in `options` cannot be used, see [`StartError`].
    pub fn start(options: Options) -> Result<Self, StartError> {
        let Options { listen, data, data_wait, seed_data, faults, latency } = options;
        if !listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(listen));
        }
        let listener = bind(listen)?;
        let address = listener
            .local_addr()
            .map_err(|source| StartError::Listen { address: listen, source })?;
        let store = Store::open(data.as_deref(), data_wait);
        let store = store.map_err(|error| start_error(error, data.clone()))?;
        let target = seed::create_target(data.as_deref());
        let target = target.map_err(|error| start_error(OpenError::Io(error), data))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StartError::System(error.to_string()))?;

        let keys = Keys::generate();
        let testing = Testing::new(faults, latency, seed_data);
        let code = testing.sessions.code().to_owned();
        let (stop, stop_requested) = oneshot::channel();
        let served = keys.clone();
        let thread = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || {
                run(runtime, listener, (store, served, testing), target, stop_requested);
            })
            .map_err(|error| StartError::System(error.to_string()))?;
        let url = format!("http://{address}");
        Ok(Self { url, keys, code, stop: Some(stop), thread: Some(thread) })
    }

    /// The base URL, e.g. `http://127.0.0.1:41234`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The page to watch what happens, with a code that opens it once without the API key.
    pub fn page(&self) -> String {
        format!("{}/sandbox/?code={}", self.url, self.code)
    }

    /// The API key of an administrator, generated at every start.
    pub fn api_key(&self) -> &str {
        &self.keys.admin
    }

    /// The API keys of all roles, generated at every start.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Stops accepting requests, and waits at most 1.5 s for those in flight.
    pub fn stop(mut self) {
        self.shut_down(SHUTDOWN_GRACE);
    }

    fn shut_down(&mut self, grace: Duration) {
        if let Some(stop) = self.stop.take() {
            // Fails if the thread has ended already, which needs no signal.
            let _ = stop.send(grace);
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sandbox thread panicked");
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shut_down(Duration::ZERO);
    }
}

fn bind(listen: SocketAddr) -> Result<TcpListener, StartError> {
    let listen_error = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressInUse(listen),
        _ => StartError::Listen { address: listen, source },
    };
    let listener = TcpListener::bind(listen).map_err(listen_error)?;
    listener.set_nonblocking(true).map_err(listen_error)?;
    Ok(listener)
}

fn start_error(error: OpenError, data: Option<PathBuf>) -> StartError {
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

/// The main function of the thread: creates the business data, then serves until a stop is requested.
fn run(
    runtime: Runtime,
    listener: TcpListener,
    (store, keys, testing): (Store, Keys, Testing),
    target: TargetDatabase,
    stop_requested: oneshot::Receiver<Duration>,
) {
    // They keep the databases in memory alive until the last request is done.
    let (shop, warehouse, sources) = match create_sources(testing.seed_data, &target) {
        Ok(sources) => sources,
        Err(error) => {
            tracing::error!(error = %error, "cannot create the business data of the sandbox");
            return;
        }
    };
    let seeded = store.write_at_start(|tx| seed::add_objects(tx, testing.seed_data));
    if seeded.is_err() {
        return; // Already logged.
    }
    let app = Arc::new(AppState::new(keys, store, sources, testing));
    if let Err(error) = runtime.block_on(serve(listener, app, stop_requested)) {
        tracing::error!(error = %error, "the sandbox cannot accept requests");
    }
    // Dropping the futures has interrupted the statements that still run. A long step of SQLite may take
    // another moment, which is not worth waiting for.
    runtime.shutdown_timeout(Duration::from_millis(100));
    drop((shop, warehouse, target));
}

fn create_sources(
    data: SeedData,
    target: &TargetDatabase,
) -> rusqlite::Result<(Shop, Warehouse, Sources)> {
    let shop = seed::create_shop(data)?;
    let warehouse = seed::create_warehouse(&shop)?;
    let read_only = vec![(seed::SHOP, shop.schemas()), (seed::WAREHOUSE, warehouse.schemas())];
    let sources = Sources::new(read_only, target.uri().to_owned())?;
    Ok((shop, warehouse, sources))
}

async fn serve(
    listener: TcpListener,
    app: Arc<AppState>,
    stop_requested: oneshot::Receiver<Duration>,
) -> io::Result<()> {
    let listening = Listening::with(tokio::net::TcpListener::from_std(listener)?, None)?;
    // Also ends what waits forever: hanging requests, and pages that watch.
    let (stopping, tasks) = (app.testing.stopping.clone(), app.tasks.clone());
    let handler = Arc::new(Api(router::router(&app)));
    let server = Server::start(listening, handler, stopping, tasks);
    let grace = stop_requested.await.unwrap_or(Duration::ZERO);
    // After the grace period, the remaining tasks are dropped with the runtime.
    server.stop(grace, (CancellationToken::new(), Duration::ZERO)).await;
    Ok(())
}

/// The router as what responds to the requests of a port.
struct Api(Router);

impl Handler for Api {
    type Body = Body;

    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        connection: Arc<Connection>,
    ) -> Response<Body> {
        let mut request = request.map(|body| Body::new(RequestBody::new(body, &connection)));
        // With which a fault resets the connection.
        request.extensions_mut().insert(connection);
        let response = self.0.clone().oneshot(request).await;
        response.unwrap_or_else(|never| match never {})
    }
}
