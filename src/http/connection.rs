//! One connection: what it is doing, as far as that decides when it is closed, and the stream that reports it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Closes the connection that uses most bytes of those that do not read; false if there is none.
pub(super) type Relief = Box<dyn Fn() -> bool + Send + Sync>;

/// A connection, shared by its stream, its requests, and the table of all.
pub(crate) struct Connection {
    /// The address of the other end, which may be that of a proxy.
    pub(crate) peer: SocketAddr,
    opened: Instant,
    /// Times in milliseconds since it was opened; 0 stands for never.
    last_active: AtomicU64,
    head_since: AtomicU64,
    blocked_since: AtomicU64,
    /// When the last piece of a response was taken to be sent.
    last_taken: AtomicU64,
    /// Responses of which a piece is ready to be taken.
    sending: AtomicUsize,
    /// Bytes of the budget that its bodies use.
    reserved: AtomicUsize,
    /// Closes a connection that does not read, if there is one.
    relieve: Relief,
    /// Requests without a sent response, and open WebSockets.
    in_flight: AtomicUsize,
    /// How many of them only wait for the client.
    waiting: AtomicUsize,
    is_reset: AtomicBool,
    is_trusted: AtomicBool,
    /// Whether it is of HTTP/2, whose control frames are no head of a request.
    is_multiplexed: AtomicBool,
    close: CancellationToken,
    abort: CancellationToken,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// Nothing.
    Idle,
    /// It sends the head of a request, for so many milliseconds.
    Head(u64),
    /// All its requests wait for the client: for the rest of a body, or for the next message.
    Waiting,
    /// The client does not read, for so many milliseconds.
    Blocked(u64),
    /// A request runs.
    Busy,
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let activity = self.activity();
        formatter.debug_struct("Connection").field("activity", &activity).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(peer: SocketAddr, relieve: Relief) -> Arc<Self> {
        Arc::new(Self {
            peer,
            opened: Instant::now(),
            last_active: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            blocked_since: AtomicU64::new(0),
            last_taken: AtomicU64::new(0),
            sending: AtomicUsize::new(0),
            reserved: AtomicUsize::new(0),
            relieve,
            in_flight: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            is_reset: AtomicBool::new(false),
            is_trusted: AtomicBool::new(false),
            is_multiplexed: AtomicBool::new(false),
            close: CancellationToken::new(),
            abort: CancellationToken::new(),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// For how many milliseconds nothing was read or written.
    pub(super) fn quiet_for(&self) -> u64 {
        self.now().saturating_sub(self.last_active.load(Relaxed))
    }

    pub(super) fn activity(&self) -> Activity {
        let since = |time: &AtomicU64| match time.load(Relaxed) {
            0 => None,
            since => Some(self.now().saturating_sub(since)),
        };
        let in_flight = self.in_flight.load(Relaxed);
        // HTTP/2 takes a piece only once the client has opened its window, whatever else is sent meanwhile.
        let untaken = (self.sending.load(Relaxed) > 0).then(|| since(&self.last_taken)).flatten();
        match (since(&self.blocked_since).max(untaken), since(&self.head_since)) {
            (Some(duration), _) => Activity::Blocked(duration),
            (_, Some(duration)) if in_flight == 0 => Activity::Head(duration),
            _ if in_flight == 0 => Activity::Idle,
            _ if self.waiting.load(Relaxed) >= in_flight => Activity::Waiting,
            _ => Activity::Busy,
        }
    }

    /// Notes that several requests may come at the same time.
    pub(super) fn set_multiplexed(&self) {
        self.is_multiplexed.store(true, Relaxed);
    }

    /// Notes that a request on it was permitted.
    pub(super) fn trust(&self) {
        self.is_trusted.store(true, Relaxed);
    }

    /// Whether a request on it was permitted.
    pub(super) fn is_trusted(&self) -> bool {
        self.is_trusted.load(Relaxed)
    }

    /// Closes the connection; requests that run are finished first.
    pub(super) fn close(&self) {
        self.close.cancel();
    }

    /// Closes the connection at once.
    pub(super) fn abort(&self) {
        self.abort.cancel();
        self.close.cancel();
    }

    /// Waits until the connection is to be closed.
    pub(crate) async fn closing(&self) {
        self.close.cancelled().await;
    }

    /// Waits until the connection is to be closed at once.
    pub(super) async fn aborted(&self) {
        self.abort.cancelled().await;
    }

    /// Resets the connection with the next byte that is to be sent, in its place.
    #[cfg(feature = "sandbox")]
    pub(crate) fn reset(&self) {
        self.is_reset.store(true, Relaxed);
    }

    /// A piece of a response is ready until the result is dropped.
    pub(super) fn sending(self: &Arc<Self>) -> Sending {
        self.note_taken();
        self.sending.fetch_add(1, Relaxed);
        Sending(Arc::clone(self))
    }

    /// Notes that a piece of a response was taken to be sent.
    pub(super) fn note_taken(&self) {
        self.last_taken.store(self.now(), Relaxed);
    }

    /// How many requests have no sent response.
    pub(super) fn count_in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// How many bytes of the budget its bodies use.
    pub(super) fn reserved(&self) -> usize {
        self.reserved.load(Relaxed)
    }

    pub(super) fn add_reserved(&self, bytes: usize) {
        self.reserved.fetch_add(bytes, Relaxed);
    }

    pub(super) fn remove_reserved(&self, bytes: usize) {
        self.reserved.fetch_sub(bytes, Relaxed);
    }

    /// Closes the connection that uses most bytes of those that do not read; false if there is none.
    pub(super) fn relieve(&self) -> bool {
        (self.relieve)()
    }

    /// Counts a request until its response is sent.
    pub(crate) fn in_flight(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
        InFlight(Arc::clone(self))
    }

    /// One of the requests in flight waits for the client until this is dropped.
    pub(crate) fn waiting(self: &Arc<Self>) -> Waiting {
        self.waiting.fetch_add(1, Relaxed);
        Waiting(Arc::clone(self))
    }
}

/// A request without a sent response.
pub(crate) struct InFlight(Arc<Connection>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
        self.0.last_active.store(self.0.now(), Relaxed);
    }
}

/// A response of which a piece is ready.
pub(super) struct Sending(Arc<Connection>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.sending.fetch_sub(1, Relaxed);
    }
}

/// A request that waits for the client.
pub(crate) struct Waiting(Arc<Connection>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

/// The stream of a connection. It stays in the table as long as this exists, an upgraded one too.
pub(super) struct Stream<Entry> {
    pub(super) tcp: TcpStream,
    pub(super) connection: Arc<Connection>,
    /// Its place in the table.
    pub(super) _entry: Entry,
}

impl<Entry> Stream<Entry> {
    fn check_reset(&self) -> io::Result<()> {
        if !self.connection.is_reset.load(Relaxed) {
            return Ok(());
        }
        // Closing then sends RST in place of FIN.
        self.tcp.set_zero_linger()?;
        Err(io::ErrorKind::ConnectionReset.into())
    }

    fn note_written<T>(&self, written: Poll<T>) -> Poll<T> {
        let connection = &self.connection;
        if written.is_ready() {
            connection.blocked_since.store(0, Relaxed);
            connection.last_active.store(connection.now(), Relaxed);
        } else {
            let now = connection.now();
            let _ = connection.blocked_since.compare_exchange(0, now, Relaxed, Relaxed);
        }
        written
    }
}

impl<Entry: Unpin> AsyncRead for Stream<Entry> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_reset()?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.tcp).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            let connection = &self.connection;
            let now = connection.now();
            connection.last_active.store(now, Relaxed);
            let is_multiplexed = connection.is_multiplexed.load(Relaxed);
            if connection.in_flight.load(Relaxed) == 0 && !is_multiplexed {
                let _ = connection.head_since.compare_exchange(0, now, Relaxed, Relaxed);
            }
        }
        read
    }
}

impl<Entry: Unpin> AsyncWrite for Stream<Entry> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_reset()?;
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.note_written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_reset()?;
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, slices);
        self.note_written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
