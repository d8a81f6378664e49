//! How many calls run at once: a peer that sends calls faster than the API responds must not fill the memory.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::{ErrorCode, ToolError};

/// Maximum number of calls in flight.
const MAX_CALLS: usize = 1_000;
/// The same for one caller with an API key of its own, which leaves the others their part.
const MAX_CALLS_OF_ACCOUNT: usize = MAX_CALLS / 4;
/// A call counts once more for each of these lengths of its arguments.
const ARGUMENT_BYTES_PER_CALL: usize = 16 << 10;

/// What happens to a call beyond the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenBusy {
    /// It waits. Only for a server that stops reading meanwhile.
    Wait,
    /// It fails.
    Refuse,
}

/// The calls that may still start.
#[derive(Debug)]
pub(super) struct Capacity(Semaphore);

/// The same for one account.
#[derive(Debug)]
pub(super) struct AccountCapacity(Semaphore);

/// The share of one call, returned when it is dropped.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    _all: SemaphorePermit<'a>,
    _account: Option<SemaphorePermit<'a>>,
}

impl AccountCapacity {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(MAX_CALLS_OF_ACCOUNT))
    }
}

impl Capacity {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(MAX_CALLS))
    }

    /// Takes the share of one call, also from that of its account.
    ///
    /// # Errors
    /// `rate_limited` if the call does not wait and there is too little.
    pub(super) async fn permit<'a>(
        &'a self,
        account: Option<&'a AccountCapacity>,
        argument_bytes: usize,
        when_busy: WhenBusy,
    ) -> Result<Permit<'a>, ToolError> {
        let share = share(argument_bytes);
        let of_account = match account {
            // The longest arguments take all of it.
            Some(AccountCapacity(calls)) => {
                let permit = acquire(calls, share.min(MAX_CALLS_OF_ACCOUNT), when_busy).await;
                Some(permit.ok_or_else(|| busy(" of one API key", MAX_CALLS_OF_ACCOUNT))?)
            }
            None => None,
        };
        let all = acquire(&self.0, share, when_busy).await;
        let all = all.ok_or_else(|| busy("", MAX_CALLS))?;
        Ok(Permit { _all: all, _account: of_account })
    }
}

async fn acquire(
    calls: &Semaphore,
    share: usize,
    when_busy: WhenBusy,
) -> Option<SemaphorePermit<'_>> {
    let share = u32::try_from(share).unwrap_or(u32::MAX);
    match when_busy {
        WhenBusy::Wait => calls.acquire_many(share).await.ok(),
        WhenBusy::Refuse => calls.try_acquire_many(share).ok(),
    }
}

/// As how many calls one with arguments of this length counts.
pub(crate) fn share(argument_bytes: usize) -> usize {
    1 + argument_bytes / ARGUMENT_BYTES_PER_CALL
}

/// `whose`: which calls are meant, if not all.
fn busy(whose: &str, max_calls: usize) -> ToolError {
    let megabytes = max_calls * ARGUMENT_BYTES_PER_CALL / (1 << 20);
    ToolError::new(
        ErrorCode::RateLimited,
        format!(
            "The server is busy: at most {max_calls} calls{whose}, with {megabytes} MiB of arguments, are in flight \
             at once. Nothing was sent."
        ),
        "Wait for responses to earlier calls, or cancel some, then call again.",
    )
    .with_detail("max_calls_in_flight", Some(max_calls))
}
