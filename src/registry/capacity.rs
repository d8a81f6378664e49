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

/// `whose`: which calls it counts, if not all.
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use serde_json::value::RawValue;

    use super::*;
    use crate::registry::test_tools::{Hangs, shared_registry, signals_of};
    use crate::registry::{CallError, CallSignals, Entry, Registry, SentArguments};

    static TOOLS: &[Entry] = &[Entry::of::<Hangs>()];

    async fn start(
        registry: &Registry,
        signals: &CallSignals,
        arguments: &str,
    ) -> Result<Box<RawValue>, CallError> {
        let raw = RawValue::from_string(arguments.to_owned()).unwrap();
        let arguments = SentArguments::new("arguments", Some(&raw));
        let tool = registry.tool("hangs").unwrap();
        registry.call_as_sent(tool, &arguments, WhenBusy::Refuse, signals.clone()).await
    }

    fn busy_limit(result: Option<Result<Box<RawValue>, CallError>>) -> Option<u64> {
        let Some(Err(CallError::Failed(error))) = result else { return None };
        assert_eq!(error.code, ErrorCode::RateLimited);
        error.details["max_calls_in_flight"].as_u64()
    }

    #[tokio::test]
    async fn one_caller_leaves_the_others_three_quarters_of_the_calls() {
        let registry = shared_registry(TOOLS, "http://127.0.0.1:9");
        let first = signals_of(&registry, "first-key").await;
        // Each is a call that hangs, except those that are refused at once.
        let mut calls =
            Box::pin(join_all((0..MAX_CALLS_OF_ACCOUNT).map(|_| start(&registry, &first, "{}"))));
        assert!(calls.as_mut().now_or_never().is_none());
        let refused = start(&registry, &first, "{}").now_or_never();
        assert_eq!(busy_limit(refused), Some(MAX_CALLS_OF_ACCOUNT as u64));
        let mut others = Vec::new();
        for number in 0..3 {
            let signals = signals_of(&registry, &format!("other-key-{number}")).await;
            for _ in 0..MAX_CALLS_OF_ACCOUNT {
                let (registry, signals) = (&registry, signals.clone());
                let mut call = Box::pin(async move { start(registry, &signals, "{}").await });
                assert!(call.as_mut().now_or_never().is_none(), "caller {number}");
                others.push(call);
            }
        }
        let last = signals_of(&registry, "last-key").await;
        let refused = start(&registry, &last, "{}").now_or_never();
        assert_eq!(busy_limit(refused), Some(MAX_CALLS as u64));
        drop(calls);
        assert!(start(&registry, &first, "{}").now_or_never().is_none());
    }

    #[tokio::test]
    async fn the_longest_arguments_take_the_whole_share_of_a_caller() {
        let registry = shared_registry(TOOLS, "http://127.0.0.1:9");
        let signals = signals_of(&registry, "key").await;
        let long = format!("{{\"configuration\": {{\"query\": \"{}\"}}}}", "x".repeat(7 << 20));
        // It is read, since its share is there, and has an argument that the tool does not take.
        let Some(Err(CallError::Failed(error))) = start(&registry, &signals, &long).now_or_never()
        else {
            panic!("no error");
        };
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        let mut call = Box::pin(start(&registry, &signals, "{}"));
        assert!(call.as_mut().now_or_never().is_none());
        let refused = start(&registry, &signals, &long).now_or_never();
        assert_eq!(busy_limit(refused), Some(MAX_CALLS_OF_ACCOUNT as u64));
    }
}
