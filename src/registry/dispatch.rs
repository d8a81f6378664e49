//! The path of a call: validate the arguments, run within the deadline, return a result or an error.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::accounts::Account;
use super::audit::{AuditedCall, CallRecord};
use super::capacity::WhenBusy;
use super::catalog::Tool;
use super::confirmation::{Asker, Confirming};
use super::context::{Context, ProgressSink, ResultLimit};
use super::error::{ErrorCode, Outcome, ToolError};
use super::fitted_text::{fit_hint, fit_message};
use super::input;
use super::masking::mask_error;
use super::metrics::MeasuredCall;
use super::sent_arguments::{CallError, SentArguments};
use super::shared_arguments::SharedArguments;
use super::tool_registry::Registry;
use super::truncation::MAX_RESULT_BYTES;
use crate::polytomic::{CallOptions, RepairLog, RetryListener};

/// Deadline of a call, unless the wait it asks for needs more: clients give up after 60 s.
const MIN_DEADLINE: Duration = Duration::from_secs(48);
/// Time of a call beyond the wait it asks for.
const TIME_BEYOND_WAIT: Duration = Duration::from_secs(18);
/// The client enforces the deadline, since it knows whether a request was sent. The registry's own timer is for
/// anything else that hangs.
const DEADLINE_GRACE: Duration = Duration::from_secs(1);

const CANCELLED_BY_CALLER: &str = "The caller cancelled the call.";

/// How a server cancels a running call and follows its progress.
#[derive(Clone, Default)]
pub struct CallSignals {
    /// Cancelled when the caller no longer wants the result.
    pub cancel: CancellationToken,
    /// Cancelled when the process is about to end: read-only calls end at once.
    pub shutdown: CancellationToken,
    /// Receives why a request is sent again, and the status of the job that the call waits for.
    pub progress: Option<ProgressSink>,
    /// Asks the user; none if nobody can be asked.
    pub asker: Option<Arc<dyn Asker>>,
    /// Whose API key the call uses, if its request has one: see [`Registry::account`].
    pub account: Option<Arc<Account>>,
}

impl Registry {
    /// Runs a tool with arguments as a peer sent them, as [`Registry::call`] does. Beyond the limit on calls in
    /// flight, and before anything is built from the arguments, the call fails or waits.
    ///
    /// # Errors
    /// `rate_limited` beyond the limit; [`CallError::Params`] for arguments that are no object.
    pub(crate) async fn call_as_sent(
        &self,
        tool: &Tool,
        arguments: &SentArguments,
        when_busy: WhenBusy,
        signals: CallSignals,
    ) -> Result<Box<RawValue>, CallError> {
        let measured = self.measure(tool);
        let result = async {
            let account = signals.account.clone();
            let of_account = account.as_ref().and_then(|account| account.capacity());
            let permit = self.capacity.permit(of_account, arguments.kept_bytes(), when_busy);
            let _permit = permit.await?;
            Ok(self.call_unmeasured(tool, arguments.read()?, signals).await?)
        };
        let result = result.await;
        if let Some(measured) = measured {
            measured.finish(result.as_ref().err().map(CallError::code));
        }
        result
    }

    /// Runs a tool and returns its result as compact JSON, serialized once.
    ///
    /// Cancelling the call, or dropping the future, drops the request in flight.
    ///
    /// # Errors
    /// A [`ToolError`] of any code; a panic inside a tool is `internal`.
    pub async fn call(
        &self,
        tool: &Tool,
        arguments: Map<String, Value>,
        signals: CallSignals,
    ) -> Result<Box<RawValue>, ToolError> {
        let measured = self.measure(tool);
        let result = self.call_unmeasured(tool, arguments, signals).await;
        if let Some(measured) = measured {
            measured.finish(result.as_ref().err().map(|error| error.code));
        }
        result
    }

    fn measure(&self, tool: &Tool) -> Option<MeasuredCall> {
        self.metrics.as_ref().map(|metrics| metrics.start(tool.entry.name))
    }

    async fn call_unmeasured(
        &self,
        tool: &Tool,
        arguments: Map<String, Value>,
        signals: CallSignals,
    ) -> Result<Box<RawValue>, ToolError> {
        let started = Instant::now();
        static NEXT_CALL_ID: AtomicU64 = AtomicU64::new(1);
        let call_id = NEXT_CALL_ID.fetch_add(1, Ordering::Relaxed);
        let span = tracing::debug_span!("call", call_id, tool = tool.entry.name);
        // Dropped with this future: a call that does not end is reported as well.
        let audited = OnceLock::new();
        // The panic hook logs the panic itself.
        let sent_account = signals.account.clone();
        let run = Box::pin(self.run(tool, arguments, signals, &audited));
        let run = AssertUnwindSafe(run).catch_unwind();
        let run = async {
            let result = run.await.unwrap_or_else(|_| Err(panicked(tool.entry.name)));
            // Before the caller knows that it may call again, wherever that call comes.
            if !tool.entry.effect.is_read_only()
                && let Some(account) = self.keys.used_account(sent_account)
            {
                account.client().wait_for_keys().await;
                self.known_lists.forget(account.caller_id().as_deref());
            }
            if let Some(audited) = audited.get() {
                audited.finish(&result).await;
            }
            result
        };
        let result = run.instrument(span.clone()).await;
        let _entered = span.entered();
        let mut result = result.map_err(|error| mask_error(error, self.masking));
        if let Err(error) = &mut result {
            error.message = fit_message(&error.message, &self.hidden).into_owned();
            error.hint = fit_hint(&error.hint, &self.hidden).into_owned();
        }
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &result {
            Ok(text) => tracing::debug!(elapsed_ms, bytes = text.get().len(), "call done"),
            Err(error) => tracing::debug!(elapsed_ms, code = error.code.as_str(), "call failed"),
        }
        result
    }

    async fn run(
        &self,
        tool: &Tool,
        mut arguments: Map<String, Value>,
        signals: CallSignals,
        audited: &OnceLock<AuditedCall>,
    ) -> Result<Box<RawValue>, ToolError> {
        let entry = tool.entry;
        let empty_arguments = input::coerce_and_validate(&mut arguments, tool.checked_schema())?;
        let shared = SharedArguments::take_from(&mut arguments)?;
        let CallSignals { cancel, shutdown, .. } = signals.clone();
        let account = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(cancelled(CANCELLED_BY_CALLER, Outcome::NotSent)),
            account = self.keys.account_of_call(signals.account.clone()) => account?,
        };
        let call = self.write_rules.audit(&account, entry, &arguments);
        let record = call.as_ref().map(AuditedCall::record);
        if let Some(call) = call {
            let _ = audited.set(call);
        }
        let cx = self.context(account, tool, shared, empty_arguments, signals, record);
        let is_read_only = entry.effect.is_read_only();
        let outcome = if is_read_only { Outcome::NotSent } else { Outcome::Unknown };
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(cancelled(CANCELLED_BY_CALLER, outcome)),
            result = self.check_and_run(tool, &cx, arguments) => result,
            () = cx.deadline_passed(DEADLINE_GRACE) => Err(ToolError::new(
                ErrorCode::Timeout,
                format!("{} did not finish in time.", entry.name),
                if is_read_only {
                    "Call again; if it fails again, check the status of the service.".to_owned()
                } else {
                    let [get, list] = entry.shown_by;
                    format!("Find out what was done before you call again. Call {list} or {get} to see it.")
                },
            ).with_outcome(outcome)),
            // A write may still be finished in the time that is left.
            () = shutdown.cancelled(), if is_read_only => {
                Err(cancelled("The server is shutting down.", outcome))
            }
        }
    }

    async fn check_and_run(
        &self,
        tool: &Tool,
        cx: &Context,
        arguments: Map<String, Value>,
    ) -> Result<Box<RawValue>, ToolError> {
        self.write_rules.check(cx, tool.entry, &arguments).await?;
        tool.entry.run(cx, arguments).await
    }

    /// What a call may use. `record`: what the audit log says about it.
    fn context(
        &self,
        account: Arc<Account>,
        tool: &Tool,
        arguments: SharedArguments,
        empty_arguments: Vec<String>,
        signals: CallSignals,
        record: Option<Arc<CallRecord>>,
    ) -> Context {
        let CallSignals { shutdown, progress, asker, .. } = signals;
        let wait = arguments.wait_seconds.map(|seconds| Duration::from_secs(seconds.into()));
        let job_wait = wait.unwrap_or(tool.arguments().default_wait);
        let max_bytes = arguments
            .max_bytes
            .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX).min(MAX_RESULT_BYTES));
        Context {
            account,
            options: CallOptions {
                background: arguments.runs_in_background(),
                idempotency_key: arguments.idempotency_key,
                deadline: Some(Instant::now() + MIN_DEADLINE.max(job_wait + TIME_BEYOND_WAIT)),
                shutdown: Some(shutdown),
                before_write: record.clone().map(CallRecord::gate),
                on_attempt: self.metrics.as_ref().map(|metrics| metrics.on_attempt()),
                on_retry: progress.clone().map(RetryListener),
                repairs: Some(match tool.entry.effect.is_destructive() {
                    true => RepairLog::for_changes(),
                    false => RepairLog::default(),
                }),
            },
            job_wait,
            result_limit: ResultLimit {
                bytes: max_bytes.unwrap_or_else(|| {
                    tool.entry.max_bytes.map_or(self.max_bytes, |bytes| bytes.min(self.max_bytes))
                }),
                has_name_filter: tool.arguments().has_name_filter,
            },
            masking: self.masking,
            allows_secret_operations: self.allows_secret_operations,
            changes_only_own: self.write_rules.own_only,
            progress,
            empty_arguments,
            confirming: Confirming::new(self.confirm, asker),
            hidden: Arc::clone(&self.hidden),
            audited: record,
        }
    }
}

fn cancelled(message: &str, outcome: Outcome) -> ToolError {
    let hint = "Call again if the result is still wanted.";
    ToolError::new(ErrorCode::Cancelled, message, hint).with_outcome(outcome)
}

fn panicked(tool: &str) -> ToolError {
    tracing::error!(tool, "tool panicked");
    ToolError::internal()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Entry;
    use crate::registry::test_tools::{self, Hangs, Panics};
    use crate::tools::TOOLS;

    fn registry() -> Registry {
        static TESTED: &[Entry] = &[Entry::of::<Panics>(), Entry::of::<Hangs>()];
        test_tools::registry(TESTED)
    }

    async fn error(name: &str, arguments: Value, signals: CallSignals) -> ToolError {
        let registry = registry();
        let arguments = arguments.as_object().cloned().unwrap();
        registry.call(registry.tool(name).unwrap(), arguments, signals).await.unwrap_err()
    }

    #[test]
    fn a_call_is_small_before_it_runs() {
        // It is part of a task, which is moved several times: see docs/performance.md.
        let registry = registry();
        let tool = registry.tool("hangs").unwrap();
        let call = registry.call(tool, Map::new(), CallSignals::default());
        let size = size_of_val(&call);
        assert!(size < 2_000, "{size}");
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error() {
        let error = error("panics", serde_json::json!({}), CallSignals::default()).await;
        assert_eq!(error.code, ErrorCode::Internal);
        assert!(!error.message.contains("on purpose"), "{}", error.message);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_ends_at_its_deadline() {
        for (arguments, seconds) in [("{}", 49), ("{\"wait_seconds\": \"600\"}", 619)] {
            let started = Instant::now();
            let arguments = serde_json::from_str(arguments).unwrap();
            let error = error("hangs", arguments, CallSignals::default()).await;
            assert_eq!((error.code, error.outcome), (ErrorCode::Timeout, Outcome::Unknown));
            assert!(error.hint.ends_with("Call list_models or get_model to see it."), "{error:?}");
            assert_eq!(started.elapsed().as_secs(), seconds);
        }
    }

    #[test]
    fn what_shows_a_change_is_a_tool_that_reads() {
        for entry in TOOLS.entries() {
            for shown_by in entry.shown_by {
                let shows = TOOLS.entries().find(|known| known.name == shown_by);
                assert!(shows.is_some_and(|tool| tool.effect.is_read_only()), "{}", entry.name);
            }
        }
    }

    #[tokio::test]
    async fn calls_that_never_start_are_counted_as_well() {
        let registry = registry().with_metrics();
        let tool = registry.tool("hangs").unwrap();
        let send = async |json: String, when_busy| {
            let raw = RawValue::from_string(json).unwrap();
            let arguments = SentArguments::new("arguments", Some(&raw));
            registry.call_as_sent(tool, &arguments, when_busy, CallSignals::default()).await
        };
        send("7".to_owned(), WhenBusy::Refuse).await.unwrap_err();
        send("{\"a\": 1}".to_owned(), WhenBusy::Refuse).await.unwrap_err();
        let permit = registry.capacity.permit(None, 1_000 * 16 * 1_024 - 1, WhenBusy::Refuse).await;
        send("{}".to_owned(), WhenBusy::Refuse).await.unwrap_err();
        drop(permit);
        let text = registry.metrics();
        let count = |outcome: &str| {
            let name =
                format!("polytomic_mcp_calls_total{{outcome=\"{outcome}\",tool=\"hangs\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok())
        };
        assert_eq!(
            (count("invalid_argument"), count("rate_limited")),
            (Some(2), Some(1)),
            "{text}"
        );
        assert!(text.contains("polytomic_mcp_calls_in_flight 0\n"), "{text}");
    }

    #[tokio::test]
    async fn a_cancelled_call_ends_at_once() {
        let signals = CallSignals::default();
        signals.cancel.cancel();
        let error = error("hangs", serde_json::json!({}), signals).await;
        assert_eq!(error.code, ErrorCode::Cancelled);
    }
}
