//! What an MCP server needs to ask the user by a round trip: a key to seal what goes through the client, nonces that are
//! valid once, and a note about each caller whose client left a question undecided.
//!
//! In the memory of the process, or shared by several servers, so that any of them can take the decision. If the shared
//! state cannot be reached, this process goes on with its memory, unless the state is required.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::Value;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::Instant;

use super::PREFIX;
use super::connection::SharedState;
use super::memory::{Memory, NOTE_LIFETIME, NonceBytes};
use super::unavailable::StateUnavailable;

/// Size of a key.
const KEY_BYTES: usize = 32;

/// How long the key is used after the last look at it. Others then seal with another one.
const KEY_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// How long the key is used without a look at it.
const KEY_CACHE: Duration = Duration::from_secs(60);

/// The key that all use; that of the caller if there is none, which may be one that Redis has lost.
const SHARE_KEY: &str = "redis.call('SET', KEYS[1], ARGV[1], 'NX')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('GET', KEYS[1])";

/// `silent:<caller>` has the nonces that have not come back, by the time when they expire.
const REMEMBER: &str = "local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[2], KEYS[1])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1025)
redis.call('PEXPIRE', KEYS[2], ARGV[2] + ARGV[3])
return 1";

const TAKE: &str = "local payload = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], KEYS[1])
return payload";

const IS_UNDECIDED: &str = "local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[1])
return redis.call('EXISTS', KEYS[1]) + redis.call('ZCOUNT', KEYS[2], '-inf', now)";

/// A decision shows that the client asks: what it has not returned by then means nothing.
const NOTE: &str = "if ARGV[1] == '1' then
  return redis.call('DEL', KEYS[1], KEYS[2])
end
return redis.call('SET', KEYS[1], 1, 'PX', ARGV[2])";

/// Where it is kept. Cheap to clone.
#[derive(Clone, Default)]
pub struct QuestionStore {
    memory: Arc<Memory>,
    shared: Option<SharedState>,
    keys: Arc<Mutex<KnownKeys>>,
}

#[derive(Default)]
struct KnownKeys {
    /// The key of this process, for when there is no other.
    local: Option<SealingKey>,
    /// The key that all use, and when this process has seen it.
    shared: Option<(SealingKey, Instant)>,
}

/// A key to seal with.
pub type SealingKey = [u8; KEY_BYTES];

/// The keys that what comes back may have been sealed with.
#[derive(Clone, Copy)]
pub struct SealingKeys {
    /// The one to seal with.
    pub current: SealingKey,
    /// Another one that this process may have used.
    pub other: Option<SealingKey>,
}

impl QuestionStore {
    /// In the state that several servers share.
    #[must_use]
    pub fn shared(state: SharedState) -> Self {
        Self { shared: Some(state), ..Self::default() }
    }

    /// The state that several servers share, if it is there.
    #[must_use]
    pub fn shared_state(&self) -> Option<&SharedState> {
        self.shared.as_ref()
    }

    /// The keys. None without randomness.
    ///
    /// # Errors
    /// [`StateUnavailable`] if the state is required, and no key is known.
    pub async fn sealing_keys(&self) -> Result<Option<SealingKeys>, StateUnavailable> {
        let Some((local, known)) = self.known_keys() else { return Ok(None) };
        let Some(state) = &self.shared else {
            return Ok(Some(SealingKeys { current: local, other: None }));
        };
        let both = |current| Ok(Some(SealingKeys { current, other: Some(local) }));
        if let Some((key, seen)) = known
            && seen.elapsed() < KEY_CACHE
        {
            return both(key);
        }
        let known = known.map(|(key, _)| key);
        let mut command = redis::cmd("EVAL");
        command.arg(SHARE_KEY).arg(1).arg(format!("{PREFIX}sealing-key"));
        command.arg(known.unwrap_or(local).as_slice()).arg(KEY_LIFETIME.as_secs());
        let shared = match state.run::<Vec<u8>>(&command).await {
            Ok(key) => SealingKey::try_from(key).map_err(|_| {
                state.0.unavailable("its key for confirmations has the wrong length".to_owned())
            }),
            Err(error) => Err(error),
        };
        match shared {
            Ok(key) => {
                self.lock_keys().shared = Some((key, Instant::now()));
                both(key)
            }
            Err(error) if known.is_none() && state.is_required() => Err(error),
            Err(_) => both(known.unwrap_or(local)),
        }
    }

    /// Remembers a nonce for a time, with a text.
    ///
    /// # Errors
    /// [`StateUnavailable`] if the state is required.
    pub async fn remember(
        &self,
        caller: &str,
        nonce: NonceBytes,
        lifetime: Duration,
        payload: &str,
    ) -> Result<(), StateUnavailable> {
        if let Some(state) = &self.shared {
            let mut command = redis::cmd("EVAL");
            command.arg(REMEMBER).arg(2).arg(nonce_key(nonce)).arg(caller_key("silent", caller));
            command.arg(payload).arg(lifetime.as_millis().to_string());
            command.arg(NOTE_LIFETIME.as_millis().to_string());
            if fell_back(state, state.run::<Value>(&command).await)?.is_some() {
                return Ok(());
            }
        }
        self.memory.remember(caller, nonce, lifetime, payload.to_owned());
        Ok(())
    }

    /// The text of a nonce, once, whatever process asks; none if it has expired.
    ///
    /// # Errors
    /// [`StateUnavailable`] if the state is required.
    pub async fn take(
        &self,
        caller: &str,
        nonce: NonceBytes,
    ) -> Result<Option<String>, StateUnavailable> {
        // What is there was remembered while the shared state could not be reached.
        if let Some(payload) = self.memory.take(nonce) {
            return Ok(Some(payload));
        }
        let Some(state) = &self.shared else { return Ok(None) };
        let mut command = redis::cmd("EVAL");
        command.arg(TAKE).arg(2).arg(nonce_key(nonce)).arg(caller_key("silent", caller));
        Ok(fell_back(state, state.run_once::<Option<String>>(&command).await)?.flatten())
    }

    /// Whether the client of a caller left the last question undecided, or never returned it. In doubt it did not.
    pub async fn is_undecided(&self, caller: &str) -> bool {
        if self.memory.is_undecided(caller) {
            return true;
        }
        let Some(state) = &self.shared else { return false };
        let mut command = redis::cmd("EVAL");
        command.arg(IS_UNDECIDED).arg(2);
        command.arg(caller_key("undecided", caller)).arg(caller_key("silent", caller));
        command.arg(NOTE_LIFETIME.as_millis().to_string());
        state.run::<u64>(&command).await.is_ok_and(|count| count > 0)
    }

    /// Notes whether a caller has decided the last question.
    pub async fn note(&self, caller: &str, is_decided: bool) {
        let is_noted = match &self.shared {
            Some(state) => {
                let mut command = redis::cmd("EVAL");
                command.arg(NOTE).arg(2);
                command.arg(caller_key("undecided", caller)).arg(caller_key("silent", caller));
                command.arg(u8::from(is_decided)).arg(NOTE_LIFETIME.as_millis().to_string());
                state.run::<Value>(&command).await.is_ok()
            }
            None => false,
        };
        if is_decided || !is_noted {
            self.memory.note(caller, is_decided);
        }
    }

    /// Removes the nonces of a caller in this process that have expired, and returns their texts.
    pub fn take_expired(&self, caller: &str) -> Vec<String> {
        self.memory.take_expired(caller)
    }

    /// The number of nonces in this process that have not come back.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.memory.len()
    }

    fn lock_keys(&self) -> std::sync::MutexGuard<'_, KnownKeys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of this process, which is created if there is none, and the one that all use, if it is known.
    fn known_keys(&self) -> Option<(SealingKey, Option<(SealingKey, Instant)>)> {
        let mut keys = self.lock_keys();
        let local = match keys.local {
            Some(local) => local,
            None => {
                let mut local = SealingKey::default();
                SystemRandom::new().fill(&mut local).ok()?;
                *keys.local.insert(local)
            }
        };
        Some((local, keys.shared))
    }
}

/// What Redis has returned; none if this process goes on without it.
fn fell_back<T>(
    state: &SharedState,
    result: Result<T, StateUnavailable>,
) -> Result<Option<T>, StateUnavailable> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if state.is_required() => Err(error),
        Err(_) => Ok(None),
    }
}

fn nonce_key(nonce: NonceBytes) -> String {
    format!("{PREFIX}nonce:{}", to_hex(&nonce))
}

/// Callers are named by hashes.
fn caller_key(kind: &str, caller: &str) -> String {
    format!("{PREFIX}{kind}:{}", to_hex(digest(&SHA256, caller.as_bytes()).as_ref()))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
