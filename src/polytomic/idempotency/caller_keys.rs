//! Keys that callers pass: each is bound to the first request it was used with, for as long as the API keeps it.
//!
//! Source: gap G3: what the API does with a key that comes with another body is not described.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::fingerprint::Fingerprint;

/// How long the API remembers a key at least.
const KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Maximum number of remembered keys; the oldest are dropped first.
const MAX_CALLER_KEYS: usize = 10_000;

/// The keys that the callers of a client have passed.
#[derive(Debug, Default)]
pub(super) struct CallerKeys(Mutex<HashMap<String, CallerKey>>);

#[derive(Debug)]
struct CallerKey {
    request: Fingerprint,
    since: Instant,
}

/// The key was used with another request before.
pub(in crate::polytomic) struct KeyReused;

impl CallerKeys {
    /// Binds a key to a request; returns whether it was bound to it before.
    pub(super) fn bind(&self, key: &str, request: Fingerprint) -> Result<bool, KeyReused> {
        let now = Instant::now();
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = keys.get(key).filter(|key| now.duration_since(key.since) < KEY_LIFETIME);
        if bound.is_some_and(|key| key.request != request) {
            return Err(KeyReused);
        }
        let was_bound = bound.is_some();
        if !was_bound && keys.len() >= MAX_CALLER_KEYS {
            let oldest = keys.iter().min_by_key(|(_, key)| key.since);
            let oldest = oldest.map(|(key, _)| key.clone()).unwrap_or_default();
            keys.remove(&oldest);
        }
        keys.insert(key.to_owned(), CallerKey { request, since: now });
        Ok(was_bound)
    }
}
