//! What a single process needs for confirmations, in its memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Size of a nonce.
pub const NONCE_BYTES: usize = 12;
/// A nonce.
pub type NonceBytes = [u8; NONCE_BYTES];

/// How long an undecided question counts against a client.
pub(super) const NOTE_LIFETIME: Duration = Duration::from_secs(3_600);
/// Maximum number of nonces of one caller; the oldest are given up.
const MAX_OF_CALLER: usize = 1_024;
/// Maximum number of nonces, of all callers.
const MAX_NONCES: usize = 16_384;
/// Maximum number of callers of whom something is noted.
const MAX_NOTES: usize = 10_000;

/// Nonces and notes.
#[derive(Default)]
pub(super) struct Memory(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// The nonces that have not come back; the oldest first.
    waiting: VecDeque<Waiting>,
    /// The callers whose client left a question undecided, and since when.
    undecided: HashMap<Box<str>, Instant>,
}

struct Waiting {
    nonce: NonceBytes,
    caller: Box<str>,
    end: Instant,
    payload: String,
    /// Whether its caller has decided another question since: their client does ask.
    was_overtaken: bool,
}

impl Memory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn remember(
        &self,
        caller: &str,
        nonce: NonceBytes,
        lifetime: Duration,
        payload: String,
    ) {
        let mut kept = self.kept();
        let is_of_caller = |waiting: &Waiting| *waiting.caller == *caller;
        let of_caller = kept.waiting.iter().filter(|waiting| is_of_caller(waiting)).count();
        let oldest = match of_caller >= MAX_OF_CALLER {
            true => kept.waiting.iter().position(is_of_caller),
            false => (kept.waiting.len() >= MAX_NONCES).then_some(0),
        };
        oldest.and_then(|oldest| kept.waiting.remove(oldest));
        let end = Instant::now() + lifetime;
        let waiting = Waiting { nonce, caller: caller.into(), end, payload, was_overtaken: false };
        kept.waiting.push_back(waiting);
    }

    /// The payload of a nonce, once.
    pub(super) fn take(&self, nonce: NonceBytes) -> Option<String> {
        let mut kept = self.kept();
        let position = kept.waiting.iter().position(|waiting| waiting.nonce == nonce)?;
        let waiting = kept.waiting.remove(position)?;
        (Instant::now() < waiting.end).then_some(waiting.payload)
    }

    /// Removes the nonces of a caller that have expired. Returns the payloads of those that nothing was decided after.
    pub(super) fn take_expired(&self, caller: &str) -> Vec<String> {
        let now = Instant::now();
        let mut expired = Vec::new();
        self.kept().waiting.retain_mut(|waiting| {
            let has_expired = *waiting.caller == *caller && waiting.end <= now;
            if has_expired && !waiting.was_overtaken {
                expired.push(std::mem::take(&mut waiting.payload));
            }
            !has_expired
        });
        expired
    }

    /// Whether the last question to a caller was left undecided, or never came back.
    pub(super) fn is_undecided(&self, caller: &str) -> bool {
        if !self.take_expired(caller).is_empty() {
            self.note(caller, false);
        }
        let kept = self.kept();
        kept.undecided.get(caller).is_some_and(|since| since.elapsed() < NOTE_LIFETIME)
    }

    /// Notes whether a caller has decided the last question. A decision shows that the client asks: what it has not
    /// returned by then means nothing.
    pub(super) fn note(&self, caller: &str, is_decided: bool) {
        let mut kept = self.kept();
        if is_decided {
            kept.undecided.remove(caller);
            let waiting = kept.waiting.iter_mut().filter(|waiting| *waiting.caller == *caller);
            waiting.for_each(|waiting| waiting.was_overtaken = true);
            return;
        }
        if kept.undecided.len() >= MAX_NOTES {
            kept.undecided.retain(|_, since| since.elapsed() < NOTE_LIFETIME);
        }
        if kept.undecided.len() < MAX_NOTES {
            kept.undecided.insert(caller.into(), Instant::now());
        }
    }

    /// The number of nonces that have not come back.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept().waiting.len()
    }
}
