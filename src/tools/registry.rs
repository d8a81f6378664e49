//! The list of tools, and the one way a call takes: read, check, run in time, or explain.

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

use super::bounds::MOST_BYTES;
use super::context::{CallArguments, DEFAULT_WAIT, Size};
use super::error::{Code, Outcome};
use super::{Context, Entry, Progress, ToolError, arguments};
use crate::polytomic::{Client, ClientConfig, Error};

/// A call answers within this, since clients give up at 60 s.
const CALL_LIMIT: Duration = Duration::from_secs(48);
/// What a call gets beyond the wait it asks for.
const BEYOND_WAIT: Duration = Duration::from_secs(18);
/// The deadline belongs to the client, which alone knows whether a request had left; this timer is for
/// what else may hang.
const GRACE: Duration = Duration::from_secs(1);

/// Bytes of an answer where nobody says: some 12,000 tokens in each of its two copies.
const MAX_BYTES: usize = 48_000;

/// Whoever waits for a call, as far as the call has to know.
#[derive(Clone, Default)]
pub struct Caller {
    /// Cancelled when the result is not wanted any more.
    pub cancel: CancellationToken,
    /// Cancelled when the program is about to end: calls that only read end at once.
    pub stop: CancellationToken,
    /// Told of a job each time it has been looked at.
    pub progress: Option<Progress>,
}

/// One tool as it is listed.
pub struct Tool {
    /// Its constants.
    pub entry: &'static Entry,
    /// Schema of the arguments.
    pub input_schema: Arc<Map<String, Value>>,
    /// Schema of the result.
    pub output_schema: Arc<Map<String, Value>>,
    /// How long it waits for a job where the call does not say.
    default_wait: Duration,
    /// Whether it takes `name_contains`.
    narrows: bool,
}

impl Tool {
    fn new(entry: &'static Entry) -> Self {
        let input_schema = Arc::new(entry.input_schema());
        let property = |name: &str| input_schema.get("properties")?.get(name);
        let wait = property("wait_seconds").and_then(|property| property.get("default")?.as_u64());
        Self {
            entry,
            default_wait: wait.map_or(DEFAULT_WAIT, Duration::from_secs),
            narrows: property("name_contains").is_some(),
            output_schema: Arc::new(entry.output_schema()),
            input_schema,
        }
    }
}

/// The tools over one API.
pub struct Registry {
    toolsets: &'static [&'static [Entry]],
    tools: OnceLock<Vec<Tool>>,
    config: Result<ClientConfig, ToolError>,
    client: OnceLock<Result<Client, ToolError>>,
    max_bytes: usize,
}

impl Registry {
    /// All tools over the API of `config`. Where there is no usable configuration the tools are listed
    /// all the same, and each call answers its error.
    #[must_use]
    pub fn new(config: Result<ClientConfig, Error>) -> Self {
        Self::of(super::TOOLSETS, config)
    }

    /// The tools without an API, for whoever only looks at the list.
    #[must_use]
    pub fn unconnected() -> Self {
        Self::new(Err(Error::Configuration {
            message: "No API is configured.".to_owned(),
            hint: "Set POLYTOMIC_API_KEY.".to_owned(),
        }))
    }

    fn of(toolsets: &'static [&'static [Entry]], config: Result<ClientConfig, Error>) -> Self {
        let config = config.map_err(ToolError::from);
        let (tools, client) = (OnceLock::new(), OnceLock::new());
        Self { toolsets, tools, config, client, max_bytes: MAX_BYTES }
    }

    /// The same, with another bound for answers: bytes, as the MCP face writes them.
    #[must_use]
    pub fn with_max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// The tools in their stable order. The schemas are made at the first use.
    pub fn tools(&self) -> &[Tool] {
        self.tools.get_or_init(|| {
            let entries = self.toolsets.iter().copied().flatten();
            entries.map(Tool::new).collect()
        })
    }

    /// The tool of that name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools().iter().find(|tool| tool.entry.name == name)
    }

    /// The name nearest to one that there is not.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&'static str> {
        arguments::nearest(name, self.tools().iter().map(|tool| tool.entry.name))
    }

    /// Runs a tool and answers its result as compact JSON, serialized once.
    ///
    /// When the caller cancels, or the future is dropped, the request in flight is dropped.
    ///
    /// # Errors
    /// A [`ToolError`] of any code; a panic inside a tool is `internal`.
    pub async fn call(
        &self,
        tool: &Tool,
        arguments: Map<String, Value>,
        caller: Caller,
    ) -> Result<Box<RawValue>, ToolError> {
        let started = Instant::now();
        static CALLS: AtomicU64 = AtomicU64::new(1);
        let call_id = CALLS.fetch_add(1, Ordering::Relaxed);
        let span = tracing::debug_span!("call", call_id, tool = tool.entry.name);
        // The panic hook has logged what happened.
        let run = AssertUnwindSafe(self.run(tool, arguments, caller)).catch_unwind();
        let run = run.instrument(span.clone()).await;
        let _entered = span.entered();
        let result = run.unwrap_or_else(|_| Err(panicked(tool.entry.name)));
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &result {
            Ok(text) => tracing::debug!(elapsed_ms, bytes = text.get().len(), "call done"),
            Err(error) => tracing::debug!(elapsed_ms, code = error.code.word(), "call failed"),
        }
        result
    }

    async fn run(
        &self,
        tool: &Tool,
        mut arguments: Map<String, Value>,
        caller: Caller,
    ) -> Result<Box<RawValue>, ToolError> {
        let entry = tool.entry;
        arguments::mend(&mut arguments, &tool.input_schema)?;
        let own = take_call_arguments(&mut arguments)?;
        let wait = own.wait_seconds.map_or(tool.default_wait, |n| Duration::from_secs(n.into()));
        let deadline = Instant::now() + CALL_LIMIT.max(wait + BEYOND_WAIT);
        let size = Size {
            limit: own.max_bytes.map_or(self.max_bytes, |bytes| {
                usize::try_from(bytes).unwrap_or(usize::MAX).min(MOST_BYTES)
            }),
            narrows: tool.narrows,
        };
        let Caller { cancel, stop, progress } = caller;
        let client = self.client()?.clone();
        let cx = Context::new(client, own, wait, deadline, size, stop.clone(), progress);
        let run = entry.run(&cx, arguments);
        let reads = entry.effect.is_read_only();
        let outcome = if reads { Outcome::NotSent } else { Outcome::Unknown };
        let cancelled = |message| {
            let hint = "Call again when it is wanted.";
            Err(ToolError::new(Code::Cancelled, message, hint).with_outcome(outcome))
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => cancelled("The caller cancelled the call."),
            result = tokio::time::timeout_at(deadline + GRACE, run) => match result {
                Ok(result) => result,
                Err(_) => Err(ToolError::new(
                    Code::Timeout,
                    format!("{} did not end in time.", entry.name),
                    "Call again with `wait_seconds`, or look with list_models at what was done.",
                ).with_outcome(outcome)),
            },
            // What has an effect may still be finished in the time that is left.
            () = stop.cancelled(), if reads => cancelled("The program is stopping."),
        }
    }

    /// The client, built at the first call: that takes some ms, which a handshake has no use for.
    fn client(&self) -> Result<&Client, ToolError> {
        let built = self.client.get_or_init(|| Ok(Client::new(self.config.clone()?)?));
        built.as_ref().map_err(Clone::clone)
    }
}

/// Takes off a call what is not the tool's own.
fn take_call_arguments(arguments: &mut Map<String, Value>) -> Result<CallArguments, ToolError> {
    let mut own = Map::new();
    for name in ["async", "wait_seconds", "idempotency_key", "max_bytes"] {
        if let Some(value) = arguments.shift_remove(name) {
            own.insert(name.to_owned(), value);
        }
    }
    if own.is_empty() { Ok(CallArguments::default()) } else { arguments::read(own) }
}

fn panicked(tool: &str) -> ToolError {
    tracing::error!(tool, "tool panicked");
    ToolError::internal()
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::polytomic::{BaseUrl, Credential};
    use crate::tools::{Effect, Operation};

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Nothing {}

    struct Panics;
    impl Operation for Panics {
        const NAME: &'static str = "panics";
        const TITLE: &'static str = "Panics";
        const DESCRIPTION: &'static str = "Panics.";
        const EFFECT: Effect = Effect::Read;
        type Args = Nothing;
        type Output = Nothing;
        async fn call(_: &Context, _: Nothing) -> Result<Nothing, ToolError> {
            tokio::task::yield_now().await;
            panic!("on purpose")
        }
    }

    struct Hangs;
    impl Operation for Hangs {
        const NAME: &'static str = "hangs";
        const TITLE: &'static str = "Hangs";
        const DESCRIPTION: &'static str = "Hangs.";
        const EFFECT: Effect = Effect::Destructive;
        const JOB: bool = true;
        type Args = Nothing;
        type Output = Nothing;
        async fn call(_: &Context, _: Nothing) -> Result<Nothing, ToolError> {
            std::future::pending().await
        }
    }

    static TOOLSETS: &[&[Entry]] = &[&[Entry::of::<Panics>(), Entry::of::<Hangs>()]];

    fn registry() -> Registry {
        let url = BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
        let config = ClientConfig::new(url, Credential::bearer("key").unwrap());
        Registry::of(TOOLSETS, Ok(config))
    }

    async fn error(name: &str, arguments: Value, caller: Caller) -> ToolError {
        let registry = registry();
        let arguments = arguments.as_object().cloned().unwrap();
        registry.call(registry.tool(name).unwrap(), arguments, caller).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_panic_is_answered() {
        let error = error("panics", serde_json::json!({}), Caller::default()).await;
        assert_eq!(error.code, Code::Internal);
        assert!(!error.message.contains("on purpose"), "{}", error.message);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_ends_at_its_deadline() {
        for (arguments, seconds) in [("{}", 49), ("{\"wait_seconds\": \"600\"}", 619)] {
            let started = Instant::now();
            let arguments = serde_json::from_str(arguments).unwrap();
            let error = error("hangs", arguments, Caller::default()).await;
            assert_eq!((error.code, error.outcome), (Code::Timeout, Outcome::Unknown));
            assert_eq!(started.elapsed().as_secs(), seconds);
        }
    }

    #[tokio::test]
    async fn a_cancelled_call_ends_at_once() {
        let caller = Caller::default();
        caller.cancel.cancel();
        let error = error("hangs", serde_json::json!({}), caller).await;
        assert_eq!(error.code, Code::Cancelled);
    }
}
