//! How many bytes of bodies may be in memory at once, in total and for each caller.
//!
//! Only the part of a body beyond its first 16 KiB counts, so that large or slow bodies never keep small ones out; the number of
//! connections limits those.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Maximum bytes of all callers.
const MAX_BYTES: usize = 256 << 20;
/// Maximum bytes of one caller.
const MAX_BYTES_PER_CALLER: usize = 64 << 20;
/// What each body may take without being counted.
const FREE_BYTES: usize = 16 << 10;

/// The bytes that are in use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Budget(Arc<Mutex<InUse>>);

#[derive(Debug, Default)]
struct InUse {
    total: usize,
    /// Only callers that use some.
    by_caller: HashMap<Arc<str>, usize>,
}

/// Which limit a reservation would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// That of the caller.
    Caller,
    /// That of all callers.
    Total,
}

impl Budget {
    fn in_use(&self) -> MutexGuard<'_, InUse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reservation of a body that has no bytes yet.
    pub(crate) fn reservation(&self, caller: Arc<str>) -> Reservation {
        Reservation { budget: self.clone(), caller, length: 0 }
    }

    /// Whether a caller uses so much that nothing more should be started for it.
    pub(crate) fn is_exhausted(&self, caller: &str) -> bool {
        let in_use = self.in_use();
        let of_caller = in_use.by_caller.get(caller).copied().unwrap_or_default();
        of_caller >= MAX_BYTES_PER_CALLER || in_use.total >= MAX_BYTES
    }
}

/// The bytes that one body uses, until it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Budget,
    caller: Arc<str>,
    length: usize,
}

impl Reservation {
    /// Counts a body that has grown to `length` bytes.
    ///
    /// # Errors
    /// [`Exceeded`]; the reservation stays as it was.
    pub(crate) fn grow(&mut self, length: usize) -> Result<(), Exceeded> {
        let more = counted(length).saturating_sub(counted(self.length));
        if more > 0 {
            let mut in_use = self.budget.in_use();
            let of_caller = in_use.by_caller.get(&self.caller).copied().unwrap_or_default();
            if of_caller + more > MAX_BYTES_PER_CALLER {
                return Err(Exceeded::Caller);
            }
            if in_use.total + more > MAX_BYTES {
                return Err(Exceeded::Total);
            }
            in_use.add(&self.caller, more);
        }
        self.length = self.length.max(length);
        Ok(())
    }

    /// Counts a response that exists already, even beyond the limits: what is started next has to wait.
    pub(crate) fn of_response(mut self, length: usize) -> Self {
        let more = counted(length).saturating_sub(counted(self.length));
        if more > 0 {
            self.budget.in_use().add(&self.caller, more);
        }
        self.length = self.length.max(length);
        self
    }
}

impl InUse {
    fn add(&mut self, caller: &Arc<str>, bytes: usize) {
        self.total += bytes;
        *self.by_caller.entry(Arc::clone(caller)).or_default() += bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let bytes = counted(self.length);
        if bytes == 0 {
            return;
        }
        let mut in_use = self.budget.in_use();
        in_use.total -= bytes;
        if let Some(of_caller) = in_use.by_caller.get_mut(&self.caller) {
            *of_caller -= bytes;
            if *of_caller == 0 {
                in_use.by_caller.remove(&self.caller);
            }
        }
    }
}

fn counted(length: usize) -> usize {
    length.saturating_sub(FREE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_use_the_share_of_their_caller_and_small_ones_none() {
        let budget = Budget::default();
        let body = |caller: &str| budget.reservation(caller.into());
        let mut bodies: Vec<Reservation> = Vec::new();
        for caller in ["a", "b", "c", "d"] {
            let mut large = body(caller);
            assert_eq!(large.grow(MAX_BYTES_PER_CALLER + FREE_BYTES), Ok(()), "{caller}");
            assert_eq!(large.grow(MAX_BYTES_PER_CALLER + FREE_BYTES + 1), Err(Exceeded::Caller));
            assert!(budget.is_exhausted(caller));
            bodies.push(large);
        }
        assert_eq!(body("e").grow(FREE_BYTES + 1), Err(Exceeded::Total));
        assert_eq!(body("a").grow(FREE_BYTES), Ok(()), "a small one");
        bodies.clear();
        assert!(!budget.is_exhausted("a") && budget.in_use().by_caller.is_empty());
        assert_eq!(budget.in_use().total, 0);
    }
}
