//! The bytes of a WebSocket, of which unfinished messages are counted: the WebSocket itself keeps them until they are complete.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::http::{Caller, Reservation};

/// How long a message may take from its first byte to its last.
const MAX_TIME: Duration = Duration::from_secs(30);

/// What was read and belongs to no complete message.
#[derive(Clone)]
pub(super) struct Meter {
    unfinished: Arc<Mutex<Unfinished>>,
    caller: Caller,
}

struct Unfinished {
    bytes: usize,
    since: Instant,
    reservation: Reservation,
}

impl Meter {
    pub(super) fn new(caller: Caller) -> Self {
        let reservation = caller.reservation();
        let unfinished = Unfinished { bytes: 0, since: Instant::now(), reservation };
        Self { unfinished: Arc::new(Mutex::new(unfinished)), caller }
    }

    fn lock(&self) -> MutexGuard<'_, Unfinished> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, bytes: usize) -> io::Result<()> {
        let mut unfinished = self.lock();
        if unfinished.bytes == 0 {
            unfinished.since = Instant::now();
        }
        unfinished.bytes += bytes;
        let length = unfinished.bytes;
        unfinished.reservation.grow(length).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    /// Notes that all that was read is complete messages, as far as is known.
    pub(super) fn note_message(&self) {
        let mut unfinished = self.lock();
        unfinished.bytes = 0;
        unfinished.reservation = self.caller.reservation();
    }

    /// Notes that nothing was read for a while, which is not the fault of the peer.
    pub(super) fn note_pause(&self) {
        self.lock().since = Instant::now();
    }

    /// Notes a control frame with a payload, which belongs to no message.
    pub(super) fn note_control(&self, payload: usize) {
        /// A client masks its frames, and those of control have short lengths.
        const HEAD_BYTES: usize = 6;
        let mut unfinished = self.lock();
        unfinished.bytes = unfinished.bytes.saturating_sub(payload + HEAD_BYTES);
    }

    /// Whether a message has begun and takes too long.
    pub(super) fn is_overdue(&self) -> bool {
        let unfinished = self.lock();
        unfinished.bytes > 0 && unfinished.since.elapsed() > MAX_TIME
    }
}

/// A stream whose reads are counted. A read fails once the budget is used up.
pub(super) struct Metered<S> {
    pub(super) stream: S,
    pub(super) meter: Meter,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        Poll::Ready(self.meter.add(buffer.filled().len() - before))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
