//! The tools of the registry as JSON-RPC methods: requests run concurrently, a batch gets one response, notifications
//! run without one.

use std::sync::{Arc, OnceLock};

use futures_util::{Stream, StreamExt, stream};
use jsonrpsee::types::error::{INVALID_PARAMS_CODE, METHOD_NOT_FOUND_CODE};
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio_util::sync::CancellationToken;

use super::message::{self, Call, Entry, Message};
use super::openrpc;
use crate::registry::{
    CallError, CallSignals, ErrorCode, Outcome, Registry, ToolError, UnservedTool, WhenBusy,
    shorten,
};

/// Maximum number of calls of one batch that run at the same time.
const MAX_CALLS_PER_BATCH: usize = 256;

/// The methods. Once `shutdown` is cancelled, read-only calls end at once.
pub(super) struct Service {
    registry: Arc<Registry>,
    when_busy: WhenBusy,
    shutdown: CancellationToken,
    document: OnceLock<Option<Box<RawValue>>>,
}

impl Service {
    pub(super) fn new(
        registry: Arc<Registry>,
        when_busy: WhenBusy,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self { registry, when_busy, shutdown, document: OnceLock::new() })
    }

    /// Runs a message and returns its response as compact JSON; none if there is no response.
    pub(super) async fn run(self: Arc<Self>, message: Message) -> Option<String> {
        match message {
            Message::One(entry) => self.run_entry(entry).await,
            Message::Batch(entries) => {
                let responses: Vec<String> = self.run_batch(entries).collect().await;
                (!responses.is_empty()).then(|| format!("[{}]", responses.join(",")))
            }
        }
    }

    /// The responses to the entries of a batch, in their order. Entries run as the stream is read.
    pub(super) fn run_batch(
        self: Arc<Self>,
        entries: Vec<Entry>,
    ) -> impl Stream<Item = String> + Send + 'static {
        let responses = stream::iter(entries).map(move |entry| {
            let service = Arc::clone(&self);
            async move { service.run_entry(entry).await }
        });
        responses.buffered(MAX_CALLS_PER_BATCH).filter_map(std::future::ready)
    }

    /// Runs one entry of a message.
    pub(super) async fn run_entry(&self, entry: Entry) -> Option<String> {
        match entry {
            Entry::Request(call, id) => Some(message::response(&id, self.call(call).await)),
            Entry::Notification(call) => {
                let _ = self.call(call).await;
                None
            }
            Entry::Invalid(id, error) => Some(message::response(&id, Err(error))),
            Entry::Response => None,
        }
    }

    /// Calls a method; the registry turns a panic inside a tool into an error.
    async fn call(&self, call: Call) -> Result<Box<RawValue>, ErrorObjectOwned> {
        let tool = match self.registry.tool(&call.method) {
            Ok(tool) => tool,
            Err(UnservedTool::Disabled(error)) => return Err(error_object(&error)),
            Err(UnservedTool::Unknown) if call.method == "rpc.discover" => {
                return self.document().ok_or_else(|| error_object(&ToolError::internal()));
            }
            Err(UnservedTool::Unknown) => return Err(self.unknown_method(&call.method)),
        };
        let signals = CallSignals { shutdown: self.shutdown.clone(), ..CallSignals::default() };
        let result = self.registry.call_as_sent(tool, &call.params, self.when_busy, signals).await;
        result.map_err(|error| match error {
            CallError::Failed(error) => error_object(&error),
            // Params are named: positional ones have no names to validate.
            CallError::Params(reason) => {
                let message = format!("params: {reason}.");
                error_object(&ToolError::invalid_argument("params", message))
            }
        })
    }

    /// The OpenRPC document, which never changes while the process runs.
    fn document(&self) -> Option<Box<RawValue>> {
        let document = || to_raw_value(&openrpc::document(&self.registry)).ok();
        self.document.get_or_init(document).clone()
    }

    fn unknown_method(&self, method: &str) -> ErrorObjectOwned {
        let quoted = shorten(method);
        let nearest = self.registry.nearest(method);
        let message = match nearest {
            _ if is_of_mcp(method) => format!(
                "Unknown method {quoted:?}: rpc serves JSON-RPC without MCP; polytomic-mcp without a command serves \
                 MCP on stdin and stdout."
            ),
            Some(known) => format!("Unknown method {quoted:?}; did you mean {known:?}?"),
            None => format!("Unknown method {quoted:?}; rpc.discover lists the methods."),
        };
        let data = nearest.map(|known| json!({"nearest": known}));
        ErrorObject::owned(METHOD_NOT_FOUND_CODE, message, data)
    }
}

/// Whether a method is one of MCP, whose clients may have been configured to start this server.
fn is_of_mcp(method: &str) -> bool {
    const PREFIXES: [&str; 5] = ["notifications/", "prompts/", "resources/", "server/", "tools/"];
    method == "initialize" || PREFIXES.iter().any(|prefix| method.starts_with(prefix))
}

/// An error as a JSON-RPC error object: -32602 for arguments rejected before anything was written, otherwise the number of
/// its code; `data` is the error as every server returns it.
fn error_object(error: &ToolError) -> ErrorObjectOwned {
    let is_rejected_here =
        error.code == ErrorCode::InvalidArgument && error.outcome == Outcome::NotSent;
    let code = if is_rejected_here { INVALID_PARAMS_CODE } else { error.code.number() };
    let data = RawValue::from_string(error.to_json()).ok();
    ErrorObjectOwned::owned(code, error.message.clone(), data)
}
