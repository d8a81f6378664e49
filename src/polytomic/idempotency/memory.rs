//! Open keys in memory: for the sandbox, for library users, and where no file can be written.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use uuid::Uuid;

use super::fingerprint::{Fingerprint, REUSE_WINDOW};

/// Maximum number of open keys; the oldest are dropped first.
const MAX_OPEN_KEYS: usize = 1_000;

/// The open keys that no call uses.
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryKeys(Arc<Mutex<VecDeque<OpenKey>>>);

#[derive(Debug)]
struct OpenKey {
    request: Fingerprint,
    key: Uuid,
    since: Instant,
}

impl MemoryKeys {
    /// Takes out the newest open key of an equal request; with `wanted`, only that key.
    pub(super) fn take(&self, request: Fingerprint, wanted: Option<Uuid>) -> Option<Uuid> {
        let now = Instant::now();
        let mut keys = self.lock();
        keys.retain(|open| now.duration_since(open.since) < REUSE_WINDOW);
        let is_wanted = |open: &OpenKey| {
            open.request == request && wanted.is_none_or(|wanted| wanted == open.key)
        };
        let index = keys.iter().rposition(is_wanted)?;
        keys.remove(index).map(|open| open.key)
    }

    /// Keeps a key for the next equal request.
    pub(super) fn keep(&self, request: Fingerprint, key: Uuid) {
        let mut keys = self.lock();
        if keys.len() >= MAX_OPEN_KEYS {
            keys.pop_front();
        }
        keys.push_back(OpenKey { request, key, since: Instant::now() });
    }

    /// Whether none is kept.
    pub(super) fn is_empty(&self) -> bool {
        let now = Instant::now();
        !self.lock().iter().any(|open| now.duration_since(open.since) < REUSE_WINDOW)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<OpenKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
