//! Which key a call gets, and what becomes of it when the call ends.
//!
//! A caller that gets no response repeats its call with equal arguments. Within ten minutes that call gets the
//! key of the previous one, so that the API does the work once. Two equal calls in flight at the same time
//! have different keys: names need not be unique, and both may be intended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use super::caller_keys::{CallerKeys, KeyReused};
use super::files::parse_key;
use super::fingerprint::{Fingerprint, service_name};
use super::storage::{KeyStorage, OpenKey, OpenKeys};
use crate::polytomic::request::Request;
use crate::state::StateUnavailable;

/// The keys of a client, shared by its clones.
#[derive(Debug, Clone)]
pub(in crate::polytomic) struct IdempotencyKeys {
    service: Arc<str>,
    open_keys: OpenKeys,
    caller_keys: Arc<CallerKeys>,
}

/// The key of one call. If it is dropped while the outcome is unknown, the next equal call gets it.
#[derive(Debug)]
pub(crate) struct ClaimedKey {
    key: String,
    /// Where a key that the next equal call may get is kept; none for the key of a read, for which the API would replay
    /// a stale response, and for one that the caller passed and no earlier call has used.
    open_key: Option<OpenKey>,
    /// Whether the request writes.
    writes: bool,
    from_caller: bool,
    outcome_unknown: AtomicBool,
}

/// Why a call gets no key.
pub(in crate::polytomic) enum ClaimError {
    /// The caller's key belongs to another request.
    Reused,
    /// The state is required and cannot be used.
    State(StateUnavailable),
}

impl From<KeyReused> for ClaimError {
    fn from(_: KeyReused) -> Self {
        Self::Reused
    }
}

impl From<StateUnavailable> for ClaimError {
    fn from(error: StateUnavailable) -> Self {
        Self::State(error)
    }
}

impl IdempotencyKeys {
    /// `secret` is the credential: keys of one are never used with another.
    pub(in crate::polytomic) fn new(storage: KeyStorage, base_url: &str, secret: &str) -> Self {
        let service = storage.service().map(str::to_owned);
        let service = service.unwrap_or_else(|| service_name(base_url, secret));
        let open_keys = OpenKeys::new(storage);
        Self { service: service.into(), open_keys, caller_keys: Arc::default() }
    }

    /// A name for the service and the credential, from which neither can be read.
    pub(in crate::polytomic) fn account_name(&self) -> String {
        Fingerprint::of_service(&self.service).to_hex()
    }

    /// Whether open keys are kept that end with this process.
    pub(in crate::polytomic) fn are_open_in_memory(&self) -> bool {
        self.open_keys.are_in_memory()
    }

    /// The key for a call: the one the caller passed, that of an equal call with an unknown outcome, or a new
    /// one.
    pub(in crate::polytomic) async fn claim(
        &self,
        request: &Request,
        caller_key: Option<&str>,
    ) -> Result<ClaimedKey, ClaimError> {
        let writes = request.operation.writes;
        if !writes && caller_key.is_none() {
            return Ok(ClaimedKey::of_read());
        }
        let fingerprint = Fingerprint::of(request, &self.service);
        let Some(key) = caller_key else {
            return Ok(ClaimedKey::of_write(self.open_keys.claim(fingerprint).await?));
        };
        let was_bound = self.caller_keys.bind(key, fingerprint)?;
        // An error reports the key of an open call, so that the caller can pass it: the call then ends here.
        let open_key = match parse_key(key) {
            Some(key) if writes => self.open_keys.take(fingerprint, key).await?,
            _ if writes => {
                self.open_keys.require().await?;
                None
            }
            _ => None,
        };
        let outcome_unknown = AtomicBool::new(was_bound || open_key.is_some());
        Ok(ClaimedKey { key: key.to_owned(), open_key, writes, from_caller: true, outcome_unknown })
    }

    /// Replaces a key that the API has stored an error for.
    ///
    /// # Errors
    /// [`StateUnavailable`] if the state is required: the call has no key any more.
    pub(in crate::polytomic) async fn replace(
        &self,
        request: &Request,
        key: &mut ClaimedKey,
    ) -> Result<(), StateUnavailable> {
        // First, since a process that is killed in between must not leave two keys for the next call to choose from.
        if let Some(open_key) = key.open_key.take() {
            open_key.discard().await;
        }
        let fingerprint = Fingerprint::of(request, &self.service);
        *key = ClaimedKey::of_write(self.open_keys.claim(fingerprint).await?);
        Ok(())
    }

    /// Fails if a write must not be sent, since the state cannot be used.
    ///
    /// # Errors
    /// [`StateUnavailable`] if the state is required.
    pub(in crate::polytomic) async fn require_state(&self) -> Result<(), StateUnavailable> {
        self.open_keys.require().await
    }

    /// Waits until the keys are kept that calls have left by now: the next equal call may come to another process.
    pub(in crate::polytomic) async fn wait_for_keys(&self) {
        self.open_keys.wait_for_keys().await;
    }
}

impl ClaimedKey {
    fn of_read() -> Self {
        let (key, outcome_unknown) = (Uuid::new_v4().to_string(), AtomicBool::new(false));
        Self { key, open_key: None, writes: false, from_caller: false, outcome_unknown }
    }

    fn of_write(open_key: OpenKey) -> Self {
        let outcome_unknown = AtomicBool::new(open_key.is_carried_over);
        let (key, open_key) = (open_key.key.to_string(), Some(open_key));
        Self { key, open_key, writes: true, from_caller: false, outcome_unknown }
    }

    pub(in crate::polytomic) fn as_str(&self) -> &str {
        &self.key
    }

    /// The key that a caller can pass to repeat the same write; none for a read.
    pub(crate) fn for_write(&self) -> Option<&str> {
        self.writes.then_some(&self.key)
    }

    /// Whether the key may be replaced: it belongs to a write, and is not one that the caller passed.
    pub(in crate::polytomic) fn is_replaceable(&self) -> bool {
        self.writes && !self.from_caller
    }

    /// Whether a request with this key may have been applied already.
    pub(in crate::polytomic) fn outcome_is_unknown(&self) -> bool {
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
        let unknown = self.outcome_is_unknown();
        match self.open_key.take() {
            Some(open_key) if unknown => open_key.keep(),
            Some(open_key) => open_key.release(),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::polytomic::failed_request::{ApiOperation, Subject};
    use crate::polytomic::request::RetryPolicy;
    use reqwest::Method;

    fn request(body: &str) -> Request {
        Request {
            operation: ApiOperation {
                name: "x",
                subject: Subject::NoObject,
                writes: true,
                supports_async: false,
                has_conflicts: false,
            },
            method: Method::POST,
            path: "/api/models".to_owned(),
            query: Vec::new(),
            body: Some(body.as_bytes().to_vec()),
            retry: RetryPolicy::ByMethod,
        }
    }

    fn in_memory() -> IdempotencyKeys {
        IdempotencyKeys::new(KeyStorage::Memory, "https://example.com", "secret")
    }

    async fn claim(keys: &IdempotencyKeys, body: &str, caller: Option<&str>) -> Option<ClaimedKey> {
        keys.claim(&request(body), caller).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn an_equal_call_reuses_the_key_of_an_unknown_outcome_for_ten_minutes() {
        let keys = in_memory();
        let first = claim(&keys, r#"{"a": 1, "b": {"c": 2, "d": 3}}"#, None).await.unwrap();
        first.mark_outcome_unknown();
        let parallel = claim(&keys, r#"{"a": 1, "b": {"c": 2, "d": 3}}"#, None).await.unwrap();
        assert_ne!(first.as_str(), parallel.as_str(), "two calls in flight share a key");
        drop(parallel);
        let key = first.as_str().to_owned();
        drop(first);
        let other = claim(&keys, r#"{"a": 2, "b": {"c": 2, "d": 3}}"#, None).await.unwrap();
        assert_ne!(other.as_str(), key, "another body has the key");
        tokio::time::advance(Duration::from_secs(600) - Duration::from_secs(1)).await;
        let repeated = claim(&keys, r#"{"b": {"d": 3, "c": 2}, "a": 1}"#, None).await.unwrap();
        assert_eq!(repeated.as_str(), key);
        assert!(repeated.outcome_is_unknown(), "the outcome of the first call is forgotten");
        drop(repeated);
        tokio::time::advance(Duration::from_secs(600)).await;
        let late = claim(&keys, r#"{"a": 1, "b": {"c": 2, "d": 3}}"#, None).await.unwrap();
        assert_ne!(late.as_str(), key);
    }

    #[tokio::test(start_paused = true)]
    async fn a_known_outcome_releases_the_key() {
        let keys = in_memory();
        let first = claim(&keys, "{}", None).await.unwrap();
        first.mark_outcome_unknown();
        first.mark_outcome_known();
        let key = first.as_str().to_owned();
        drop(first);
        assert_ne!(claim(&keys, "{}", None).await.unwrap().as_str(), key);
    }

    #[tokio::test]
    async fn two_requests_too_deep_to_be_read_are_not_equal() {
        let keys = in_memory();
        let (open, close) = ("[".repeat(200), "]".repeat(200));
        let body = |name: &str| format!(r#"{{"name": "{name}", "configuration": {open}{close}}}"#);
        let first = claim(&keys, &body("one"), None).await.unwrap();
        first.mark_outcome_unknown();
        let key = first.as_str().to_owned();
        drop(first);
        assert_ne!(claim(&keys, &body("two"), None).await.unwrap().as_str(), key);
        assert_eq!(claim(&keys, &body("one"), None).await.unwrap().as_str(), key);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_from_the_caller_is_bound_to_one_request_for_a_day() {
        let keys = in_memory();
        assert!(claim(&keys, r#"{"a": 1}"#, Some("my-key-1")).await.is_some());
        assert!(claim(&keys, r#"{"a": 1}"#, Some("my-key-1")).await.is_some());
        assert!(claim(&keys, r#"{"a": 2}"#, Some("my-key-1")).await.is_none());
        tokio::time::advance(Duration::from_secs(24 * 3600)).await;
        assert!(claim(&keys, r#"{"a": 2}"#, Some("my-key-1")).await.is_some());
    }
}
