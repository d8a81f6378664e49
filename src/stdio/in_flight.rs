//! What is under way on one pair of streams: requests that lack an answer, bytes that wait to be written.
//!
//! Both stand under one lock, since the end of the input is told only when everything is answered *and*
//! written.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A buffer that has grown beyond this is given back.
const KEPT_BYTES: usize = 1 << 20;

/// The requests and answers of one connection, by their ids.
pub(crate) struct InFlightRequests<Id> {
    state: Mutex<State<Id>>,
    to_write: Notify,
    changed: Notify,
}

struct State<Id> {
    in_flight: HashMap<Id, InFlight>,
    /// How many requests lack a written answer.
    unwritten: usize,
    waiting: Queued,
    /// How many bytes the writer has taken and not yet written.
    writing: usize,
    closed: bool,
    broken: bool,
}

impl<Id> State<Id> {
    fn has_room(&self, bytes: usize, requests: usize) -> bool {
        self.waiting.bytes.len() + self.writing <= bytes && self.unwritten < requests
    }
}

struct InFlight {
    token: CancellationToken,
    requests: usize,
}

#[derive(Default)]
struct Queued {
    bytes: Vec<u8>,
    /// How many requests are answered in these bytes.
    requests: usize,
}

impl<Id: Eq + Hash> InFlightRequests<Id> {
    pub(crate) fn new() -> Arc<Self> {
        let state = State {
            in_flight: HashMap::new(),
            unwritten: 0,
            waiting: Queued::default(),
            writing: 0,
            closed: false,
            broken: false,
        };
        Arc::new(Self { state: Mutex::new(state), to_write: Notify::new(), changed: Notify::new() })
    }

    fn with<T>(&self, f: impl FnOnce(&mut State<Id>) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes an id for what is one request, or a batch of several; false while an earlier one of that
    /// id is unanswered, be it cancelled or not: its late answer would go to the new one.
    pub(crate) fn begin(&self, id: Id, token: CancellationToken, requests: usize) -> bool {
        self.with(|state| match state.in_flight.entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(InFlight { token, requests });
                state.unwritten += requests;
                true
            }
        })
    }

    /// Answers a request and frees its id in one step; nothing is written for one that was cancelled, and
    /// a notification has an empty answer.
    pub(crate) fn end(&self, id: &Id, answer: &[&[u8]]) {
        self.with(|state| {
            let Some(InFlight { token, requests }) = state.in_flight.remove(id) else { return };
            let nothing = answer.iter().all(|part| part.is_empty());
            if token.is_cancelled() || nothing {
                state.unwritten -= requests;
            } else {
                answer.iter().for_each(|part| state.waiting.bytes.extend_from_slice(part));
                state.waiting.requests += requests;
            }
        });
        self.to_write.notify_one();
        self.changed.notify_one();
    }

    /// Cancels a request; its id stays taken until it has ended.
    pub(crate) fn cancel(&self, id: &Id) {
        self.with(|state| {
            if let Some(ended) = state.in_flight.get(id) {
                ended.token.cancel();
            }
        });
    }

    /// How many requests lack an answer.
    pub(crate) fn running(&self) -> usize {
        self.with(|state| state.in_flight.len())
    }

    /// Appends a message about a request, unless that has been answered or cancelled.
    pub(crate) fn write_while(&self, id: &Id, message: &[u8]) {
        self.with(|state| {
            if state.in_flight.get(id).is_some_and(|request| !request.token.is_cancelled()) {
                state.waiting.bytes.extend_from_slice(message);
            }
        });
        self.to_write.notify_one();
    }

    /// Appends a message; it is written in one piece.
    pub(crate) fn write(&self, message: &[u8]) {
        self.with(|state| state.waiting.bytes.extend_from_slice(message));
        self.to_write.notify_one();
    }

    /// Whether at most `bytes` wait to be written and less than `requests` lack a written answer: a peer
    /// that writes and never reads must not fill our memory.
    pub(crate) fn has_room(&self, bytes: usize, requests: usize) -> bool {
        self.with(|state| state.has_room(bytes, requests))
    }

    /// Waits until there is room, as [`InFlightRequests::has_room`] says, or nothing can be written any more.
    pub(crate) async fn room(&self, bytes: usize, requests: usize) {
        self.until(|state| state.has_room(bytes, requests) || state.broken).await;
    }

    /// Waits until everything is answered and written, or nothing can be written any more.
    pub(crate) async fn idle(&self) {
        let done = |state: &State<Id>| {
            state.in_flight.is_empty() && state.waiting.bytes.is_empty() && state.writing == 0
        };
        self.until(|state| done(state) || state.broken).await;
    }

    /// Waits until nothing can be written any more.
    pub(crate) async fn broken(&self) {
        self.until(|state| state.broken).await;
    }

    /// One waiter at a time: the face's reading loop.
    async fn until(&self, done: impl Fn(&State<Id>) -> bool) {
        while !self.with(|state| done(state)) {
            self.changed.notified().await;
        }
    }

    /// Lets the writer end when all is written.
    pub(crate) fn close(&self) {
        self.with(|state| state.closed = true);
        self.to_write.notify_one();
    }

    /// The writer: a task of its own, until closed or broken. That the reader has gone is no failure.
    pub(crate) async fn write_to(
        self: Arc<Self>,
        mut output: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        // Two buffers that change places, so that none has to grow anew for each write.
        let mut taken = Queued::default();
        loop {
            taken.bytes.clear();
            taken.requests = 0;
            if taken.bytes.capacity() > KEPT_BYTES {
                taken.bytes = Vec::new();
            }
            let closed = self.with(|state| {
                std::mem::swap(&mut taken, &mut state.waiting);
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
            // What other tasks are about to send goes out with the next write.
            tokio::task::yield_now().await;
        }
    }
}
