//! The table of connections: how many there may be, and which of them are closed.
//!
//! A connection costs a file descriptor, of which a process has few, so that what only waits for its client makes way for
//! new connections, whether its requests have shown a token or not.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::connection::{Activity, Connection};

/// Maximum number of connections, if the process may have more descriptors.
const MAX_CONNECTIONS: usize = 8_192;
/// Without a limit on descriptors, or none that is known.
const DEFAULT_DESCRIPTORS: usize = 4_096;
/// A connection without a request is closed after this time.
const MAX_IDLE: Duration = Duration::from_secs(60);
/// The head of a request may take this time, and with TLS the handshake before it.
const MAX_HEAD_TIME: Duration = Duration::from_secs(30);
/// A client that reads nothing of a response for this time is given up.
const MAX_BLOCKED_TIME: Duration = Duration::from_secs(30);
/// One that reads nothing for this time makes way for a new connection.
const MIN_BLOCKED_TIME: Duration = Duration::from_millis(250);
/// How often the table is looked through.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The open connections.
pub(super) struct Connections {
    max: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next_id: u64,
    open: HashMap<u64, Arc<Connection>>,
}

impl Connections {
    /// A table for at most three quarters of the descriptors that the process may have.
    pub(super) fn new() -> Arc<Self> {
        let max = (descriptors() / 4 * 3).clamp(1, MAX_CONNECTIONS);
        Arc::new(Self { max, table: Mutex::default() })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection; none if there are too many and every one is busy.
    pub(super) fn add(self: &Arc<Self>, peer: SocketAddr) -> Option<(Arc<Connection>, Entry)> {
        let mut table = self.table();
        if table.open.len() >= self.max && !table.close_one() {
            return None;
        }
        let weak = Arc::downgrade(self);
        let relieve = move || weak.upgrade().is_some_and(|table| table.close_blocked());
        let (id, connection) = (table.next_id, Connection::new(peer, Box::new(relieve)));
        table.next_id += 1;
        table.open.insert(id, Arc::clone(&connection));
        Some((connection, Entry { connections: Arc::clone(self), id }))
    }

    /// Closes the connection that has waited longest for its client; false if every one is busy.
    pub(super) fn close_one(&self) -> bool {
        self.table().close_one()
    }

    /// Closes the connection that uses most bytes of those that do not read; false if there is none.
    fn close_blocked(&self) -> bool {
        self.table().close_blocked()
    }

    /// Closes what does nothing for too long, until it is dropped.
    pub(super) async fn close_expired(self: Arc<Self>) {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            for connection in self.table().open.values() {
                match connection.activity() {
                    Activity::Idle if connection.quiet_for() > millis(MAX_IDLE) => {
                        connection.close();
                    }
                    Activity::Head(duration) if duration > millis(MAX_HEAD_TIME) => {
                        connection.abort();
                    }
                    Activity::Blocked(duration) if duration > millis(MAX_BLOCKED_TIME) => {
                        connection.abort();
                    }
                    _ => {}
                }
            }
        }
    }
}

impl Table {
    fn close_one(&mut self) -> bool {
        let candidates = self.open.iter().filter_map(|(id, connection)| {
            let rank = match connection.activity() {
                Activity::Idle | Activity::Head(_) => 2,
                Activity::Waiting => 1,
                Activity::Blocked(millis) if u128::from(millis) >= MIN_BLOCKED_TIME.as_millis() => {
                    0
                }
                // What has shown no token makes way even while its response is sent, which it may never read.
                Activity::Blocked(_) | Activity::Busy if !connection.is_trusted() => 0,
                Activity::Blocked(_) | Activity::Busy => return None,
            };
            Some((rank, !connection.is_trusted(), connection.quiet_for(), *id))
        });
        let id = candidates.max().map(|(.., id)| id);
        self.abort(id)
    }

    fn close_blocked(&mut self) -> bool {
        let blocked = self.open.iter().filter(|(_, connection)| {
            let is_blocked = matches!(connection.activity(), Activity::Blocked(millis)
                if u128::from(millis) >= MIN_BLOCKED_TIME.as_millis());
            is_blocked && connection.reserved() > 0
        });
        let id = blocked.max_by_key(|(_, connection)| connection.reserved()).map(|(id, _)| *id);
        self.abort(id)
    }

    /// Closes a connection, which counts no more, although its stream is dropped in a moment only.
    fn abort(&mut self, id: Option<u64>) -> bool {
        let connection = id.and_then(|id| self.open.remove(&id));
        connection.inspect(|connection| connection.abort()).is_some()
    }
}

/// The place of a connection in the table.
pub(super) struct Entry {
    connections: Arc<Connections>,
    id: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.connections.table().open.remove(&self.id);
    }
}

/// How many file descriptors the process may have.
fn descriptors() -> usize {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let limit = None::<u64>;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DEFAULT_DESCRIPTORS)
}
