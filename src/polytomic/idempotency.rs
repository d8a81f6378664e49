//! Idempotency keys of POSTs: one for each call, reused while the outcome is unknown.
//!
//! A caller that gets no response repeats its call with equal arguments. Within ten minutes that call gets the
//! key of the previous one, so that the API does the work once. Two equal calls in flight at the same time
//! have different keys: names need not be unique, and both may be intended.
//!
//! Source: contract section 1.3; gap G3 (a key passed by the caller is bound to its request on our side).

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::exact_numbers::mark;
use super::request::Request;

/// How long an equal call reuses the key of a call whose outcome is unknown.
const REUSE_WINDOW: Duration = Duration::from_secs(600);
/// How long the API remembers a key at least.
const KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Maximum number of remembered calls with an unknown outcome; the oldest are dropped first.
const MAX_UNKNOWN_OUTCOMES: usize = 1_000;
/// Maximum number of remembered keys passed by callers; the oldest are dropped first.
const MAX_CALLER_KEYS: usize = 10_000;

/// Identifies a request: its method, path and body, with the body's properties sorted. The query is left out,
/// since a repeated call with `async` means the same model.
type Fingerprint = [u8; 32];

/// The keys of a client, shared by its clones.
#[derive(Debug, Clone, Default)]
pub(super) struct IdempotencyKeys(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    unknown_outcomes: VecDeque<UnknownOutcome>,
    caller_keys: HashMap<String, CallerKey>,
}

/// A call that ended without a definite outcome.
#[derive(Debug)]
struct UnknownOutcome {
    request: Fingerprint,
    key: String,
    since: Instant,
}

/// The request that a key passed by the caller is bound to.
#[derive(Debug)]
struct CallerKey {
    request: Fingerprint,
    since: Instant,
}

/// The key of one call. If it is dropped while the outcome is unknown, the next equal call reuses it.
#[derive(Debug)]
pub(crate) struct ClaimedKey {
    keys: IdempotencyKeys,
    request: Fingerprint,
    key: String,
    /// Whether the request writes. The key of a read is never reused: the API would replay a stale response.
    writes: bool,
    from_caller: bool,
    outcome_unknown: AtomicBool,
}

/// The key was used with another request before.
pub(super) struct KeyReused;

impl IdempotencyKeys {
    /// The key for a call: the one the caller passed, that of an equal call with an unknown outcome, or a new
    /// one.
    pub(super) fn claim(
        &self,
        request: &Request,
        caller_key: Option<&str>,
    ) -> Result<ClaimedKey, KeyReused> {
        let (writes, from_caller) = (request.operation.writes, caller_key.is_some());
        let request = fingerprint(request);
        let now = Instant::now();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let claimed = |key, outcome_unknown| {
            let outcome_unknown = AtomicBool::new(outcome_unknown);
            ClaimedKey { keys: self.clone(), request, key, writes, from_caller, outcome_unknown }
        };
        if let Some(caller_key) = caller_key {
            let was_bound = state.bind(caller_key, request, now)?;
            return Ok(claimed(caller_key.to_owned(), was_bound));
        }
        state.unknown_outcomes.retain(|call| now.duration_since(call.since) < REUSE_WINDOW);
        let is_equal = |call: &UnknownOutcome| writes && call.request == request;
        let index = state.unknown_outcomes.iter().position(is_equal);
        let previous = index.and_then(|index| state.unknown_outcomes.remove(index));
        Ok(match previous {
            Some(previous) => claimed(previous.key, true),
            None => claimed(Uuid::new_v4().to_string(), false),
        })
    }
}

impl State {
    /// Binds a key passed by the caller to a request; returns whether it was bound to it before.
    fn bind(&mut self, key: &str, request: Fingerprint, now: Instant) -> Result<bool, KeyReused> {
        let bound =
            self.caller_keys.get(key).filter(|key| now.duration_since(key.since) < KEY_LIFETIME);
        if bound.is_some_and(|key| key.request != request) {
            return Err(KeyReused);
        }
        let was_bound = bound.is_some();
        if !was_bound && self.caller_keys.len() >= MAX_CALLER_KEYS {
            let oldest = self.caller_keys.iter().min_by_key(|(_, key)| key.since);
            let oldest = oldest.map(|(key, _)| key.clone()).unwrap_or_default();
            self.caller_keys.remove(&oldest);
        }
        self.caller_keys.insert(key.to_owned(), CallerKey { request, since: now });
        Ok(was_bound)
    }
}

impl ClaimedKey {
    pub(super) fn as_str(&self) -> &str {
        &self.key
    }

    /// The key that a caller can pass to repeat the same write; none for a read.
    pub(crate) fn for_write(&self) -> Option<&str> {
        self.writes.then_some(&self.key)
    }

    /// Whether a request with this key may have been applied already.
    pub(super) fn outcome_is_unknown(&self) -> bool {
        self.outcome_unknown.load(Ordering::Relaxed)
    }

    /// Called before the request is sent: until a response arrives, its outcome is unknown.
    pub(crate) fn mark_outcome_unknown(&self) {
        self.outcome_unknown.store(true, Ordering::Relaxed);
    }

    /// The next equal call gets another key.
    pub(crate) fn mark_outcome_known(&self) {
        self.outcome_unknown.store(false, Ordering::Relaxed);
    }
}

impl Drop for ClaimedKey {
    fn drop(&mut self) {
        if self.from_caller || !self.writes || !self.outcome_is_unknown() {
            return;
        }
        let mut state = self.keys.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.unknown_outcomes.len() >= MAX_UNKNOWN_OUTCOMES {
            state.unknown_outcomes.pop_front();
        }
        let (request, key) = (self.request, std::mem::take(&mut self.key));
        state.unknown_outcomes.push_back(UnknownOutcome { request, key, since: Instant::now() });
    }
}

fn fingerprint(request: &Request) -> Fingerprint {
    let mut body: Value = request
        .body
        .as_deref()
        .and_then(|body| serde_json::from_str(&mark(std::str::from_utf8(body).ok()?)).ok())
        .unwrap_or_default();
    body.sort_all_objects();
    let method: &Method = &request.method;
    let text = format!("{method} {}\n{body}", request.path);
    let mut fingerprint = Fingerprint::default();
    fingerprint.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    fingerprint
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polytomic::failed_request::{ApiOperation, Subject};
    use crate::polytomic::request::RetryPolicy;

    fn request(body: &str) -> Request {
        Request {
            operation: ApiOperation {
                name: "x",
                subject: Subject::Everything,
                writes: true,
                supports_async: false,
            },
            method: Method::POST,
            path: "/api/models".to_owned(),
            query: Vec::new(),
            body: Some(body.as_bytes().to_vec()),
            retry: RetryPolicy::ByMethod,
        }
    }

    fn claim(keys: &IdempotencyKeys, body: &str, caller_key: Option<&str>) -> Option<ClaimedKey> {
        keys.claim(&request(body), caller_key).ok()
    }

    #[tokio::test(start_paused = true)]
    async fn an_equal_call_reuses_the_key_of_an_unknown_outcome_for_ten_minutes() {
        let keys = IdempotencyKeys::default();
        let first = claim(&keys, r#"{"a": 1, "b": {"c": 2, "d": 3}}"#, None).unwrap();
        first.mark_outcome_unknown();
        let parallel = claim(&keys, r#"{"a": 1, "b": {"c": 2, "d": 3}}"#, None).unwrap();
        assert_ne!(first.as_str(), parallel.as_str(), "two calls in flight share a key");
        drop(parallel);
        let key = first.as_str().to_owned();
        drop(first);
        let other = claim(&keys, r#"{"a": 2, "b": {"c": 2, "d": 3}}"#, None).unwrap();
        assert_ne!(other.as_str(), key, "another body has the key");
        tokio::time::advance(REUSE_WINDOW - Duration::from_secs(1)).await;
        let repeated = claim(&keys, r#"{"b": {"d": 3, "c": 2}, "a": 1}"#, None).unwrap();
        assert_eq!(repeated.as_str(), key);
        assert!(repeated.outcome_is_unknown(), "the outcome of the first call is forgotten");
        drop(repeated);
        tokio::time::advance(REUSE_WINDOW).await;
        let late = claim(&keys, r#"{"a": 1, "b": {"c": 2, "d": 3}}"#, None).unwrap();
        assert_ne!(late.as_str(), key);
    }

    #[tokio::test(start_paused = true)]
    async fn a_known_outcome_releases_the_key() {
        let keys = IdempotencyKeys::default();
        let first = claim(&keys, "{}", None).unwrap();
        first.mark_outcome_unknown();
        first.mark_outcome_known();
        let key = first.as_str().to_owned();
        drop(first);
        assert_ne!(claim(&keys, "{}", None).unwrap().as_str(), key);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_from_the_caller_is_bound_to_one_request_for_a_day() {
        let keys = IdempotencyKeys::default();
        assert!(claim(&keys, r#"{"a": 1}"#, Some("my-key-1")).is_some());
        assert!(claim(&keys, r#"{"a": 1}"#, Some("my-key-1")).is_some());
        assert!(claim(&keys, r#"{"a": 2}"#, Some("my-key-1")).is_none());
        tokio::time::advance(KEY_LIFETIME).await;
        assert!(claim(&keys, r#"{"a": 2}"#, Some("my-key-1")).is_some());
    }
}
