//! The idempotency keys of POSTs: one for each call, the same again while its outcome is unknown.
//!
//! A caller that gets no answer calls again with equal arguments. Within ten minutes that call gets the
//! key of the one before, so that the API does the work once. Two equal calls under way at the same time
//! keep keys of their own: names need not be unique, and both may be meant.
//!
//! Source: contract section 1.3; gap G3 (a key that the caller gives is bound on our side).

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::exchange::Request;

/// How long a call with equal arguments counts as a second try of the one before.
const AGAIN: Duration = Duration::from_secs(600);
/// How long the API remembers a key at least.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Calls of unknown outcome that are remembered; beyond it the oldest are forgotten.
const OPEN_CALLS: usize = 1_000;
/// Keys given by callers that are remembered; beyond it the oldest are forgotten.
const GIVEN_KEYS: usize = 10_000;

/// What tells requests apart: method, path and body, the order of its properties aside. Not the query,
/// since whoever tries again with `async` means the same model.
type Fingerprint = [u8; 32];

/// What is known of keys; shared by the clones of a client.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    open: VecDeque<Open>,
    given: HashMap<String, Given>,
}

/// A call that ended without a definite answer.
#[derive(Debug)]
struct Open {
    request: Fingerprint,
    key: String,
    since: Instant,
}

#[derive(Debug)]
struct Given {
    request: Fingerprint,
    since: Instant,
}

/// The key of one call. Dropped before the outcome is known, it is remembered.
#[derive(Debug)]
pub(crate) struct Key {
    keys: Keys,
    request: Fingerprint,
    text: String,
    /// Whether it belongs to a change. What only reads is asked anew: the API would replay what it answered
    /// minutes ago.
    writes: bool,
    /// Whether it is the caller's own.
    is_given: bool,
    /// Whether the outcome of a request with this key is not known.
    is_open: AtomicBool,
}

/// A key that was used with another request before.
pub(super) struct KeyTaken;

impl Keys {
    /// The key of a call: the caller's own, that of an equal call of unknown outcome, or a new one.
    pub(super) fn claim(&self, request: &Request, given: Option<&str>) -> Result<Key, KeyTaken> {
        let (writes, is_given) = (request.operation.writes, given.is_some());
        let request = fingerprint(request);
        let now = Instant::now();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = |text, is_open| {
            let is_open = AtomicBool::new(is_open);
            Key { keys: self.clone(), request, text, writes, is_given, is_open }
        };
        if let Some(given) = given {
            let is_known = state.bind(given, request, now)?;
            return Ok(key(given.to_owned(), is_known));
        }
        state.open.retain(|open| now.duration_since(open.since) < AGAIN);
        let is_same = |open: &Open| writes && open.request == request;
        let before = state.open.iter().position(is_same);
        let before = before.and_then(|place| state.open.remove(place));
        Ok(match before {
            Some(open) => key(open.key, true),
            None => key(Uuid::new_v4().to_string(), false),
        })
    }
}

impl State {
    /// Binds a caller's key to a request; whether it was bound to it before.
    fn bind(&mut self, key: &str, request: Fingerprint, now: Instant) -> Result<bool, KeyTaken> {
        let known = self.given.get(key).filter(|known| now.duration_since(known.since) < KEPT);
        if known.is_some_and(|known| known.request != request) {
            return Err(KeyTaken);
        }
        let is_known = known.is_some();
        if !is_known && self.given.len() >= GIVEN_KEYS {
            let oldest = self.given.iter().min_by_key(|(_, known)| known.since);
            let oldest = oldest.map(|(key, _)| key.clone()).unwrap_or_default();
            self.given.remove(&oldest);
        }
        self.given.insert(key.to_owned(), Given { request, since: now });
        Ok(is_known)
    }
}

impl Key {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The key as a caller gives it, to do the same change once; none for what only reads.
    pub(crate) fn of_change(&self) -> Option<&str> {
        self.writes.then_some(&self.text)
    }

    /// Whether a request with this key may have been carried out already.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// The request is on its way: until an answer comes nobody knows what becomes of it.
    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    /// The outcome is known; the next equal call is another one.
    pub(crate) fn close(&self) {
        self.is_open.store(false, Ordering::Relaxed);
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        if self.is_given || !self.writes || !self.is_open() {
            return;
        }
        let mut state = self.keys.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.open.len() >= OPEN_CALLS {
            state.open.pop_front();
        }
        let key = std::mem::take(&mut self.text);
        state.open.push_back(Open { request: self.request, key, since: Instant::now() });
    }
}

fn fingerprint(request: &Request) -> Fingerprint {
    let mut body: Value = request
        .body
        .as_deref()
        .and_then(|body| serde_json::from_slice(body).ok())
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
    use crate::polytomic::error::{Operation, Subject};
    use crate::polytomic::retry::Retry;

    fn request(body: &str) -> Request {
        Request {
            operation: Operation {
                name: "x",
                subject: Subject::Everything,
                writes: true,
                may_become_a_job: false,
            },
            method: Method::POST,
            path: "/api/models".to_owned(),
            query: Vec::new(),
            body: Some(body.as_bytes().to_vec()),
            retry: Retry::Usual,
        }
    }

    fn claim(keys: &Keys, body: &str, given: Option<&str>) -> Option<Key> {
        keys.claim(&request(body), given).ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_of_unknown_outcome_leaves_its_key_to_the_next_for_ten_minutes() {
        let keys = Keys::default();
        let first = claim(&keys, r#"{"a": 1, "b": {"c": 2, "d": 3}}"#, None).unwrap();
        first.open();
        let beside = claim(&keys, r#"{"a": 1, "b": {"c": 2, "d": 3}}"#, None).unwrap();
        assert_ne!(first.text(), beside.text(), "two calls under way share a key");
        drop(beside);
        let text = first.text().to_owned();
        drop(first);
        let other = claim(&keys, r#"{"a": 2, "b": {"c": 2, "d": 3}}"#, None).unwrap();
        assert_ne!(other.text(), text, "another body has the key");
        tokio::time::advance(AGAIN - Duration::from_secs(1)).await;
        let again = claim(&keys, r#"{"b": {"d": 3, "c": 2}, "a": 1}"#, None).unwrap();
        assert_eq!(again.text(), text);
        assert!(again.is_open(), "the outcome of the first is forgotten");
        drop(again);
        tokio::time::advance(AGAIN).await;
        let late = claim(&keys, r#"{"a": 1, "b": {"c": 2, "d": 3}}"#, None).unwrap();
        assert_ne!(late.text(), text);
    }

    #[tokio::test(start_paused = true)]
    async fn a_definite_outcome_frees_the_key() {
        let keys = Keys::default();
        let first = claim(&keys, "{}", None).unwrap();
        first.open();
        first.close();
        let text = first.text().to_owned();
        drop(first);
        assert_ne!(claim(&keys, "{}", None).unwrap().text(), text);
    }

    #[tokio::test(start_paused = true)]
    async fn a_given_key_belongs_to_one_request_for_a_day() {
        let keys = Keys::default();
        assert!(claim(&keys, r#"{"a": 1}"#, Some("my-key-1")).is_some());
        assert!(claim(&keys, r#"{"a": 1}"#, Some("my-key-1")).is_some());
        assert!(claim(&keys, r#"{"a": 2}"#, Some("my-key-1")).is_none());
        tokio::time::advance(KEPT).await;
        assert!(claim(&keys, r#"{"a": 2}"#, Some("my-key-1")).is_some());
    }
}
