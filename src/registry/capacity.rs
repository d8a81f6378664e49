//! How many calls run at once: a peer that sends calls faster than the API responds must not fill the memory.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::{ErrorCode, ToolError};

/// Maximum number of calls in flight.
const MAX_CALLS: usize = 1_000;
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

impl Capacity {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(MAX_CALLS))
    }

    /// Takes the share of one call, which its permit returns.
    ///
    /// # Errors
    /// `rate_limited` if the call does not wait and there is too little.
    pub(super) async fn permit(
        &self,
        argument_bytes: usize,
        when_busy: WhenBusy,
    ) -> Result<SemaphorePermit<'_>, ToolError> {
        let share = u32::try_from(share(argument_bytes)).unwrap_or(u32::MAX);
        let permit = match when_busy {
            WhenBusy::Wait => self.0.acquire_many(share).await.ok(),
            WhenBusy::Refuse => self.0.try_acquire_many(share).ok(),
        };
        permit.ok_or_else(busy)
    }
}

/// As how many calls one with arguments of this length counts.
pub(crate) fn share(argument_bytes: usize) -> usize {
    1 + argument_bytes / ARGUMENT_BYTES_PER_CALL
}

fn busy() -> ToolError {
    let megabytes = MAX_CALLS * ARGUMENT_BYTES_PER_CALL / (1 << 20);
    ToolError::new(
        ErrorCode::RateLimited,
        format!(
            "The server is busy: at most {MAX_CALLS} calls, with {megabytes} MiB of arguments, are in flight at once. \
             Nothing was sent."
        ),
        "Wait for responses to earlier calls, or cancel some, then call again.",
    )
    .with_detail("max_calls_in_flight", Some(MAX_CALLS))
}
