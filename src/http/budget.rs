//! How many bytes of bodies may be in memory at once, in total and for each caller.
//!
//! Only the part of a body beyond its first 16 KiB counts, if it is the only one of its connection, so that large or slow bodies
//! never keep small ones out; the number of connections limits those.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::Connection;

/// Maximum bytes of all callers.
const MAX_BYTES: usize = 256 << 20;
/// Maximum bytes of one caller.
const MAX_BYTES_PER_CALLER: usize = 64 << 20;
/// What the only body of a connection may take without being counted.
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
    pub(super) fn reservation(&self, caller: Arc<str>, connection: Arc<Connection>) -> Reservation {
        let free = if connection.count_in_flight() <= 1 { FREE_BYTES } else { 0 };
        Reservation { budget: self.clone(), caller, connection, free, counted: 0 }
    }

    /// Which limit is reached, so that nothing more should be started for a caller.
    pub(super) fn exhausted(&self, caller: &str) -> Option<Exceeded> {
        let in_use = self.in_use();
        let of_caller = in_use.by_caller.get(caller).copied().unwrap_or_default();
        match () {
            () if in_use.total >= MAX_BYTES => Some(Exceeded::Total),
            () if of_caller >= MAX_BYTES_PER_CALLER => Some(Exceeded::Caller),
            () => None,
        }
    }
}

/// The bytes that one body uses, until it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Budget,
    caller: Arc<str>,
    connection: Arc<Connection>,
    /// Bytes that do not count.
    free: usize,
    /// Bytes that are counted.
    counted: usize,
}

impl Reservation {
    /// Counts a body that has grown to `length` bytes.
    ///
    /// # Errors
    /// [`Exceeded`]; the reservation stays as it was.
    pub(crate) fn grow(&mut self, length: usize) -> Result<(), Exceeded> {
        let more = self.beyond(length);
        if more > 0 {
            let in_use = self.budget.in_use();
            let of_caller = in_use.by_caller.get(&self.caller).copied().unwrap_or_default();
            let exceeded = match () {
                () if of_caller + more > MAX_BYTES_PER_CALLER => Some(Exceeded::Caller),
                () if in_use.total + more > MAX_BYTES => Some(Exceeded::Total),
                () => None,
            };
            drop(in_use);
            // A client that does not read makes way before one that sends.
            if let Some(exceeded) = exceeded
                && !self.connection.relieve()
            {
                return Err(exceeded);
            }
            self.add(more);
        }
        Ok(())
    }

    /// Counts a response that exists already, even beyond the limits: what is started next has to wait.
    pub(crate) fn of_response(mut self, length: usize) -> Self {
        self.add(self.beyond(length));
        self
    }

    fn beyond(&self, length: usize) -> usize {
        length.saturating_sub(self.free).saturating_sub(self.counted)
    }

    fn add(&mut self, bytes: usize) {
        if bytes > 0 {
            self.budget.in_use().add(&self.caller, bytes);
            self.connection.add_reserved(bytes);
            self.counted += bytes;
        }
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
        let bytes = self.counted;
        if bytes == 0 {
            return;
        }
        self.connection.remove_reserved(bytes);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_use_the_share_of_their_caller_and_small_ones_none() {
        let budget = Budget::default();
        let connection = || Connection::new(([127, 0, 0, 1], 1).into(), Box::new(|| false));
        let body = |caller: &str| budget.reservation(caller.into(), connection());
        let mut bodies: Vec<Reservation> = Vec::new();
        for caller in ["a", "b", "c", "d"] {
            let mut large = body(caller);
            assert_eq!(large.grow(MAX_BYTES_PER_CALLER + FREE_BYTES), Ok(()), "{caller}");
            assert_eq!(large.grow(MAX_BYTES_PER_CALLER + FREE_BYTES + 1), Err(Exceeded::Caller));
            assert!(budget.exhausted(caller).is_some());
            bodies.push(large);
        }
        assert_eq!(body("e").grow(FREE_BYTES + 1), Err(Exceeded::Total));
        assert_eq!(body("a").grow(FREE_BYTES), Ok(()), "a small one");
        let connection = connection();
        let _requests = [connection.in_flight(), connection.in_flight()];
        let mut second = budget.reservation("e".into(), connection);
        assert_eq!(second.grow(1), Err(Exceeded::Total), "a further one of its connection");
        bodies.clear();
        assert!(budget.exhausted("a").is_none() && budget.in_use().by_caller.is_empty());
        assert_eq!(budget.in_use().total, 0);
    }
}
