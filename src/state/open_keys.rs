//! Open idempotency keys in Redis: a hash for each request, with the process that uses each key.
//!
//! A key is in use as long as its process is subscribed to a channel of its own, which ends with the connection and so with
//! the process, however that ends; and as long as its lease is renewed, in case Redis does not notice the end. One script
//! claims, so that no two processes get the same key.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::sleep;
use uuid::Uuid;

use super::PREFIX;
use super::connection::SharedState;
use super::unavailable::StateUnavailable;

const CLAIM: &str = include_str!("claim_key.lua");
const END: &str = include_str!("end_claim.lua");

/// How long the keys of a request are remembered after the last claim: longer than any call takes.
const LIFETIME: Duration = Duration::from_secs(1_800);
/// When the removal of a key is tried again.
const REMOVAL_INTERVAL: Duration = Duration::from_secs(5);
/// How often it is tried; then the key has expired.
const MAX_REMOVALS: usize = 120;

/// A key that this process uses. Dropping it without a word about the outcome makes it available as it was.
#[derive(Debug)]
pub struct HeldKey {
    /// The key.
    pub key: Uuid,
    /// Whether another call used the key before.
    pub is_carried_over: bool,
    claim: Claim,
}

/// One claim. Dropped before its end, it is abandoned.
#[derive(Debug)]
struct Claim {
    state: SharedState,
    /// The hash of the request.
    request: String,
    id: u64,
    /// The key that is created if there is none.
    new: Option<Uuid>,
    has_ended: bool,
}

impl SharedState {
    /// Claims the newest open key of an equal request that no living process uses, or a new one; with `wanted`, that key
    /// or none. `request` is a hash, and `window` how long an open key is of use.
    ///
    /// # Errors
    /// [`StateUnavailable`].
    pub async fn claim_key(
        &self,
        request: String,
        wanted: Option<Uuid>,
        window: Duration,
    ) -> Result<Option<HeldKey>, StateUnavailable> {
        static NEXT_CLAIM: AtomicU64 = AtomicU64::new(1);
        let id = NEXT_CLAIM.fetch_add(1, Ordering::Relaxed);
        let new = wanted.is_none().then(Uuid::new_v4);
        self.0.held.fetch_add(1, Ordering::Relaxed);
        let mut claim = Claim { state: self.clone(), request, id, new, has_ended: false };
        self.beat();
        let text = |key: Option<Uuid>| key.map(|key| key.to_string()).unwrap_or_default();
        let mut command = claim.command(CLAIM);
        command.arg(text(new)).arg(text(wanted)).arg(window.as_millis().to_string());
        command.arg(Self::lease_millis().to_string()).arg(LIFETIME.as_millis().to_string());
        let mut value: Value = self.run(&command).await?;
        if is_text(&value, "lost") {
            self.reconnect();
            value = self.run(&command).await?;
        }
        match value {
            Value::Nil | Value::Boolean(false) => {
                claim.has_ended = true;
                Ok(None)
            }
            value => match redis::from_redis_value::<(String, bool)>(value) {
                Ok((key, is_carried_over)) => {
                    let key = key.parse().map_err(|_| self.0.unavailable(UNREADABLE.to_owned()))?;
                    Ok(Some(HeldKey { key, is_carried_over, claim }))
                }
                Err(_) => Err(self.0.unavailable(UNREADABLE.to_owned())),
            },
        }
    }

    /// Waits until the keys are kept that calls have left by now: the next equal call may come to another process.
    pub async fn wait_for_keys(&self) {
        self.0.keeping.wait().await;
    }
}

const UNREADABLE: &str = "its response to a claim cannot be read";

fn is_text(value: &Value, expected: &str) -> bool {
    match value {
        Value::BulkString(bytes) => bytes == expected.as_bytes(),
        Value::SimpleString(text) => text == expected,
        _ => false,
    }
}

impl HeldKey {
    /// The outcome is unknown: the next equal call gets the key, wherever it comes. `otherwise` is run if the
    /// others cannot be reached.
    pub fn keep(mut self, otherwise: impl FnOnce() + Send + 'static) {
        self.claim.has_ended = true;
        let state = self.claim.state.clone();
        state.0.keeping.start(async move {
            if self.claim.end("keep", Some(self.key)).await.is_err() {
                otherwise();
            }
        });
    }

    /// The outcome is known: after a delay no process gets the key any more.
    pub fn release(mut self, delay: Duration) {
        self.claim.has_ended = true;
        let state = self.claim.state.clone();
        state.0.releasing.start(async move {
            let ending = self.claim.state.0.ending.clone();
            let _ = tokio::time::timeout(delay, ending.cancelled()).await;
            for _ in 0..MAX_REMOVALS {
                if self.claim.end("remove", Some(self.key)).await.is_ok() || ending.is_cancelled() {
                    break;
                }
                sleep(REMOVAL_INTERVAL).await;
            }
        });
    }

    /// The key is of no use: no process gets it, from now on.
    pub async fn discard(mut self) {
        self.claim.has_ended = true;
        if self.claim.end("remove", Some(self.key)).await.is_err() {
            self.release(Duration::ZERO);
        }
    }
}

impl Claim {
    fn command(&self, script: &str) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(1).arg(format!("{PREFIX}open:{}", self.request));
        command.arg(self.state.0.owner.to_string()).arg(self.id);
        command
    }

    async fn end(&self, action: &str, key: Option<Uuid>) -> Result<(), StateUnavailable> {
        let text = |key: Option<Uuid>| key.map(|key| key.to_string()).unwrap_or_default();
        let mut command = self.command(END);
        command.arg(action).arg(text(key)).arg(text(self.new));
        command.arg(LIFETIME.as_millis().to_string());
        self.state.run::<Value>(&command).await.map(drop)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let state = &self.state;
        state.0.held.fetch_sub(1, Ordering::Relaxed);
        if !std::mem::replace(&mut self.has_ended, true) {
            let claim =
                Self { state: state.clone(), request: std::mem::take(&mut self.request), ..*self };
            state.0.held.fetch_add(1, Ordering::Relaxed);
            state.0.keeping.start(async move {
                // Whatever becomes of it, a claim that fails has no key.
                let _ = claim.end("abandon", None).await;
            });
        }
    }
}
