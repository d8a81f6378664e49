//! The path of a call: validate the arguments, run within the deadline, return a result or an error.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use reqwest::header::HeaderMap;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::access::{self, Access, Selection};
use super::accounts::{Account, Keys, RequestAccount, credential_from_headers};
use super::audit::{AuditLog, AuditedCall, CallRecord};
use super::capacity::{Capacity, WhenBusy};
use super::catalog::{Catalog, Tool};
use super::confirmation::{Asker, ConfirmPolicy, Confirming, Stake};
use super::context::{Context, ProgressSink, ResultLimit};
use super::error::{ErrorCode, Outcome, ToolError};
use super::fitted_text::{Hidden, fit, fit_document, fit_hint, fit_message};
use super::masking::{Masking, mask_error};
use super::metrics::{MeasuredCall, Metrics};
use super::readiness::Readiness;
use super::sent_arguments::{CallError, SentArguments};
use super::shared_arguments::SharedArguments;
use super::truncation::MAX_RESULT_BYTES;
use super::write_rules::WriteRules;
use super::{input, problems};
use crate::polytomic::{
    CallOptions, ClientConfig, ConfigurationError, Credential, RepairLog, RetryListener,
};

/// Deadline of a call, unless the wait it asks for needs more: clients give up after 60 s.
const MIN_DEADLINE: Duration = Duration::from_secs(48);
/// Time of a call beyond the wait it asks for.
const TIME_BEYOND_WAIT: Duration = Duration::from_secs(18);
/// The client enforces the deadline, since it knows whether a request was sent. The registry's own timer is for
/// anything else that hangs.
const DEADLINE_GRACE: Duration = Duration::from_secs(1);

/// Default size limit of a result: some 12,000 tokens in each of its two copies.
const DEFAULT_MAX_BYTES: usize = 48_000;

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

/// Why a registry has no tool with a name.
#[derive(Debug)]
pub enum UnservedTool {
    /// No tool has this name.
    Unknown,
    /// A setting disables the tool; the error of a call.
    Disabled(Box<ToolError>),
}

/// The tools over one API.
pub struct Registry {
    catalog: Catalog,
    selection: Selection,
    tools: Vec<Tool>,
    hidden: Arc<Hidden>,
    keys: Arc<Keys>,
    readiness: Readiness,
    metrics: Option<Arc<Metrics>>,
    write_rules: WriteRules,
    capacity: Capacity,
    max_bytes: usize,
    confirm: ConfirmPolicy,
    masking: Masking,
}

impl Registry {
    /// The tools of `catalog` over the API of `config`. Without a usable configuration the tools are listed all the
    /// same, and every call fails with its error.
    #[must_use]
    pub fn new(catalog: Catalog, config: Result<ClientConfig, ConfigurationError>) -> Self {
        Self::configured_by(catalog, move || config.clone())
    }

    /// The same for a configuration that may become usable later: each call asks for it until there is one.
    pub(crate) fn configured_by(
        catalog: Catalog,
        configure: impl Fn() -> Result<ClientConfig, ConfigurationError> + Send + Sync + 'static,
    ) -> Self {
        Self::with_keys(catalog, Keys::from_settings(configure))
    }

    /// The tools of `catalog` for callers who bring their API keys: a call without an account fails. `configure` is asked
    /// until it returns a configuration.
    #[must_use]
    pub fn with_keys_from_requests(
        catalog: Catalog,
        configure: impl Fn() -> Result<ClientConfig<()>, ConfigurationError> + Send + Sync + 'static,
    ) -> Self {
        Self::with_keys(catalog, Keys::from_requests(configure))
    }

    fn with_keys(catalog: Catalog, keys: Keys) -> Self {
        let registry = Self {
            catalog,
            selection: Selection::default(),
            tools: Vec::new(),
            hidden: Arc::default(),
            keys: Arc::new(keys),
            readiness: Readiness::default(),
            metrics: None,
            write_rules: WriteRules::default(),
            capacity: Capacity::new(),
            max_bytes: DEFAULT_MAX_BYTES,
            confirm: ConfirmPolicy::default(),
            masking: Masking::Off,
        };
        registry.with_selection(Selection::default())
    }

    /// The tools without an API, for listing them only.
    #[must_use]
    pub fn unconnected(catalog: Catalog) -> Self {
        let error = ConfigurationError::new("No API is configured.", "Set POLYTOMIC_API_KEY.");
        Self::new(catalog, Err(error))
    }

    /// Sets the default size limit of results in bytes, as the MCP server writes them.
    #[must_use]
    pub fn with_max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// Sets which calls the user has to confirm.
    #[must_use]
    pub fn with_confirm(self, confirm: ConfirmPolicy) -> Self {
        Self { confirm, ..self }
    }

    /// Refuses to change models that were not created through this server.
    pub(crate) fn with_own_only(mut self, own_only: bool) -> Self {
        self.write_rules.own_only = own_only;
        self
    }

    /// Reports the writes in an audit log.
    pub(crate) fn with_audit_log(mut self, audit_log: Option<AuditLog>) -> Self {
        self.write_rules.audit_log = audit_log.map(Arc::new);
        self
    }

    /// Counts and measures the calls, for [`Registry::metrics`].
    #[must_use]
    pub fn with_metrics(self) -> Self {
        let metrics = Metrics::new();
        if let Err(error) = &metrics {
            tracing::error!(%error, "no metrics");
        }
        Self { metrics: metrics.ok(), ..self }
    }

    /// Masks values of records in results and errors.
    #[must_use]
    pub fn with_masking(self, masking: Masking) -> Self {
        Self { masking, ..self }
    }

    /// Serves only selected tools; by default all.
    #[must_use]
    pub fn with_selection(self, selection: Selection) -> Self {
        let (served, hidden): (Vec<_>, Vec<_>) = self
            .catalog
            .entries()
            .partition(|entry| selection.hidden_by(entry, self.catalog).is_none());
        let hidden: Arc<Hidden> = Arc::new(hidden.iter().map(|entry| entry.name).collect());
        let tools = served.into_iter().map(|entry| Tool::new(entry, Arc::clone(&hidden))).collect();
        Self { selection, tools, hidden, ..self }
    }

    /// The tools that are served, in their stable order.
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// What calls may do to stored data.
    #[must_use]
    pub fn access(&self) -> Access {
        self.selection.access
    }

    /// The tool with this name.
    ///
    /// # Errors
    /// [`UnservedTool`]: no tool has this name, or a setting disables it, or the one that the name most likely means.
    pub fn tool(&self, name: &str) -> Result<&Tool, UnservedTool> {
        if let Some(tool) = self.tools().iter().find(|tool| tool.entry.name == name) {
            return Ok(tool);
        }
        let nearest = problems::nearest_tool(name, self.catalog.entries().map(|entry| entry.name));
        // Where a disabled tool is as near as a served one, suggesting another write could do harm.
        let mut nearest = self.catalog.entries().filter(|entry| nearest.contains(&entry.name));
        let disabled = nearest.find_map(|e| Some((e, self.selection.hidden_by(e, self.catalog)?)));
        let (entry, setting) = disabled.ok_or(UnservedTool::Unknown)?;
        Err(UnservedTool::Disabled(Box::new(access::denied(entry.name, setting))))
    }

    /// The name of the tool most similar to an unknown name, if one is similar enough.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&'static str> {
        problems::nearest_tool(name, self.tools().iter().map(|tool| tool.entry.name))
            .first()
            .copied()
    }

    /// Whether a call of this tool may ask the user; if not, an asker is of no use to it.
    pub(crate) fn may_ask(&self, tool: &Tool) -> bool {
        let effect = tool.entry.effect;
        let may_lose = effect.is_destructive() && self.confirm.requires(Stake::Loss);
        may_lose || !effect.is_read_only() && self.confirm.requires(Stake::Change)
    }

    /// The account that the headers of a request bring, if keys are from requests.
    pub(crate) async fn request_account(&self, headers: &HeaderMap) -> RequestAccount {
        if !self.keys.are_from_requests() {
            return RequestAccount::Absent;
        }
        let credential = match credential_from_headers(headers) {
            Ok(Some(credential)) => credential,
            Ok(None) => return RequestAccount::Absent,
            Err(error) => return RequestAccount::Unusable(Box::new(error)),
        };
        match self.account(credential).await {
            Ok(account) => RequestAccount::Present(account),
            Err(error) => RequestAccount::Unusable(Box::new(error)),
        }
    }

    /// The account of a credential that a request brings, for [`CallSignals::account`]. Equal credentials have the same
    /// account as long as it is in use, and up to 256 stay beyond that.
    ///
    /// # Errors
    /// `not_configured` if the settings are not usable, or if calls use the key of the settings.
    pub async fn account(&self, credential: Credential) -> Result<Arc<Account>, ToolError> {
        self.keys.account_of(credential).await
    }

    /// What the calls did so far, in Prometheus' text format; empty without [`Registry::with_metrics`].
    #[must_use]
    pub fn metrics(&self) -> String {
        self.metrics.as_ref().map(|metrics| metrics.text()).unwrap_or_default()
    }

    /// Whether the API responds; asked at most once in 5 s, and within that time.
    ///
    /// # Errors
    /// Why it does not, in a sentence without names and secrets.
    pub async fn is_ready(&self) -> Result<(), String> {
        self.readiness.check(&self.keys).await
    }

    /// How to use the tools together.
    #[must_use]
    pub fn instructions(&self) -> String {
        let instructions = fit(self.catalog.instructions, &self.hidden);
        match self.access().notice() {
            Some(notice) => format!("{instructions} {notice}"),
            None => instructions.into_owned(),
        }
    }

    /// A Markdown document about the tools, without what names tools that are not served.
    pub(crate) fn fit_document<'a>(&self, text: &'a str) -> Cow<'a, str> {
        fit_document(text, &self.hidden)
    }

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
        let run = AssertUnwindSafe(self.run(tool, arguments, signals, &audited)).catch_unwind();
        let run = async {
            let result = run.await.unwrap_or_else(|_| Err(panicked(tool.entry.name)));
            // Before the caller knows that it may call again, wherever that call comes.
            if !tool.entry.effect.is_read_only()
                && let Some(account) = self.keys.used_account(sent_account)
            {
                account.client().wait_for_keys().await;
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
                    "Call again; if it fails again, check the status of the service."
                } else {
                    "Find out what was done before you call again. Call list_models or get_model to see it."
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
                bytes: max_bytes.unwrap_or(self.max_bytes),
                has_name_filter: tool.arguments().has_name_filter,
            },
            masking: self.masking,
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

    fn registry() -> Registry {
        static TOOLS: &[Entry] = &[Entry::of::<Panics>(), Entry::of::<Hangs>()];
        test_tools::registry(TOOLS)
    }

    async fn error(name: &str, arguments: Value, signals: CallSignals) -> ToolError {
        let registry = registry();
        let arguments = arguments.as_object().cloned().unwrap();
        registry.call(registry.tool(name).unwrap(), arguments, signals).await.unwrap_err()
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
            assert_eq!(started.elapsed().as_secs(), seconds);
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
