//! The requests of one pair of streams that lack a response, and the bytes that wait to be written.
//!
//! One lock guards both, since the end of the input takes effect only when every response is ready *and*
//! written.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::framing::Framing;

/// A larger buffer is freed after its write.
const MAX_KEPT_BUFFER_BYTES: usize = 1 << 20;

/// The requests of one connection by their ids, and its output.
pub(crate) struct InFlightRequests<Id> {
    state: Mutex<State<Id>>,
    framing: Framing,
    to_write: Notify,
    changed: Notify,
}

struct State<Id> {
    in_flight: HashMap<Id, InFlight>,
    /// How many requests lack a written response.
    unwritten: usize,
    queued: Queued,
    /// How many bytes the writer has taken and not yet written.
    writing: usize,
    closed: bool,
    broken: bool,
}

impl<Id> State<Id> {
    fn has_capacity(&self, bytes: usize, requests: usize) -> bool {
        self.queued.bytes.len() + self.writing <= bytes && self.unwritten < requests
    }
}

struct InFlight {
    token: CancellationToken,
    requests: usize,
}

#[derive(Default)]
struct Queued {
    bytes: Vec<u8>,
    /// How many responses these bytes contain.
    requests: usize,
}

impl<Id: Eq + Hash> InFlightRequests<Id> {
    /// Messages are written in `framing`.
    pub(crate) fn new(framing: Framing) -> Arc<Self> {
        let state = State {
            in_flight: HashMap::new(),
            unwritten: 0,
            queued: Queued::default(),
            writing: 0,
            closed: false,
            broken: false,
        };
        let (state, to_write, changed) = (Mutex::new(state), Notify::new(), Notify::new());
        Arc::new(Self { state, framing, to_write, changed })
    }

    fn with<T>(&self, f: impl FnOnce(&mut State<Id>) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Registers a request, or a batch of several. Returns false while an earlier request with this id has no
    /// response, cancelled or not: its late response would go to the new one.
    pub(crate) fn start(&self, id: Id, token: CancellationToken, requests: usize) -> bool {
        self.with(|state| match state.in_flight.entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(InFlight { token, requests });
                state.unwritten += requests;
                true
            }
        })
    }

    /// Queues the response to a request, given in parts, and frees its id in one step. Nothing is written for a
    /// cancelled request; a notification has an empty response.
    pub(crate) fn finish(&self, id: &Id, response: &[&[u8]]) {
        self.with(|state| {
            let Some(InFlight { token, requests }) = state.in_flight.remove(id) else { return };
            let is_empty = response.iter().all(|part| part.is_empty());
            if token.is_cancelled() || is_empty {
                state.unwritten -= requests;
            } else {
                self.framing.append(&mut state.queued.bytes, response);
                state.queued.requests += requests;
            }
        });
        self.to_write.notify_one();
        self.changed.notify_one();
    }

    /// Cancels a request; its id stays in use until it has ended.
    pub(crate) fn cancel(&self, id: &Id) {
        self.with(|state| {
            if let Some(request) = state.in_flight.get(id) {
                request.token.cancel();
            }
        });
    }

    /// How many requests are in flight.
    pub(crate) fn count(&self) -> usize {
        self.with(|state| state.in_flight.len())
    }

    /// Queues a message about a request, unless it has a response or was cancelled.
    pub(crate) fn write_about(&self, id: &Id, message: &[u8]) {
        self.with(|state| {
            if state.in_flight.get(id).is_some_and(|request| !request.token.is_cancelled()) {
                self.framing.append(&mut state.queued.bytes, &[message]);
            }
        });
        self.to_write.notify_one();
    }

    /// Queues a message, given in parts; it is written in one piece.
    pub(crate) fn write(&self, message: &[&[u8]]) {
        self.with(|state| self.framing.append(&mut state.queued.bytes, message));
        self.to_write.notify_one();
    }

    /// Whether at most `bytes` wait to be written and fewer than `requests` lack a written response: a peer that
    /// writes and never reads must not fill our memory.
    pub(crate) fn has_capacity(&self, bytes: usize, requests: usize) -> bool {
        self.with(|state| state.has_capacity(bytes, requests))
    }

    /// Waits for capacity, see [`InFlightRequests::has_capacity`], or until the output breaks.
    pub(crate) async fn wait_for_capacity(&self, bytes: usize, requests: usize) {
        self.wait_until(|state| state.has_capacity(bytes, requests) || state.broken).await;
    }

    /// Waits until every response is written, or the output breaks.
    pub(crate) async fn wait_until_idle(&self) {
        let done = |state: &State<Id>| {
            state.in_flight.is_empty() && state.queued.bytes.is_empty() && state.writing == 0
        };
        self.wait_until(|state| done(state) || state.broken).await;
    }

    /// Waits until the output breaks.
    pub(crate) async fn wait_until_broken(&self) {
        self.wait_until(|state| state.broken).await;
    }

    /// For one waiter at a time: the reading loop of the server.
    async fn wait_until(&self, done: impl Fn(&State<Id>) -> bool) {
        while !self.with(|state| done(state)) {
            self.changed.notified().await;
        }
    }

    /// Lets the writer end once everything is written.
    pub(crate) fn close(&self) {
        self.with(|state| state.closed = true);
        self.to_write.notify_one();
    }

    /// Writes queued bytes until the connection is closed or the output breaks; runs as a task of its own. A peer
    /// that stops reading is not an error.
    pub(crate) async fn write_to(
        self: Arc<Self>,
        mut output: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        // Two buffers are swapped, so that neither has to grow again for each write.
        let mut taken = Queued::default();
        loop {
            taken.bytes.clear();
            taken.requests = 0;
            if taken.bytes.capacity() > MAX_KEPT_BUFFER_BYTES {
                taken.bytes = Vec::new();
            }
            let closed = self.with(|state| {
                std::mem::swap(&mut taken, &mut state.queued);
                state.writing = taken.bytes.len();
                state.closed
            });
            if taken.bytes.is_empty() {
                if closed {
                    return Ok(());
                }
                self.to_write.notified().await;
                continue;
            }
            let written = async {
                output.write_all(&taken.bytes).await?;
                output.flush().await
            };
            if let Err(error) = written.await {
                self.with(|state| state.broken = true);
                self.changed.notify_one();
                return match error.kind() {
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                        tracing::debug!(%error, "output closed");
                        Ok(())
                    }
                    _ => Err(error),
                };
            }
            self.with(|state| {
                state.writing = 0;
                state.unwritten -= taken.requests;
            });
            self.changed.notify_one();
        }
    }
}
