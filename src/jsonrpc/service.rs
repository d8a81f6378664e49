//! The tools of the registry as JSON-RPC methods: requests run concurrently, a batch gets one response, notifications
//! run without one.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use futures_util::{Stream, StreamExt, stream};
use hyper::HeaderMap;
use jsonrpsee::types::error::{INVALID_PARAMS_CODE, METHOD_NOT_FOUND_CODE};
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio_util::sync::CancellationToken;

use super::message::{self, Call, Entry, Message};
use super::openrpc;
use crate::registry::{
    CallError, CallSignals, ErrorCode, Outcome, Registry, RequestAccount, ToolError, UnservedTool,
    WhenBusy, shorten,
};

/// Maximum number of calls of one batch that run at the same time.
const MAX_CALLS_PER_BATCH: usize = 64;

/// Where the responses to a batch are one text, they have to fit into memory.
const MAX_BATCH_RESPONSE_BYTES: usize = 32 << 20;

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
    pub(super) async fn run(
        self: Arc<Self>,
        message: Message,
        account: RequestAccount,
    ) -> Option<String> {
        match message {
            Message::One(entry) => self.run_entry(entry, &account).await,
            Message::Batch(entries) => self.run_collected(entries, account).await,
        }
    }

    /// The responses to a batch as one text. Beyond a length, entries that have not begun fail instead of running.
    async fn run_collected(
        self: Arc<Self>,
        entries: Vec<Entry>,
        account: RequestAccount,
    ) -> Option<String> {
        let length = Arc::new(AtomicUsize::new(0));
        let (service, so_far) = (self, Arc::clone(&length));
        let responses = stream::iter(entries).map(move |entry| {
            let (service, account, length) =
                (Arc::clone(&service), account.clone(), Arc::clone(&so_far));
            async move {
                if length.load(Relaxed) > MAX_BATCH_RESPONSE_BYTES {
                    return entry.failing(|| error_object(&batch_too_large()));
                }
                let response = service.run_entry(entry, &account).await;
                length.fetch_add(response.as_ref().map_or(0, String::len), Relaxed);
                response
            }
        });
        let responses = responses.buffered(MAX_CALLS_PER_BATCH).filter_map(std::future::ready);
        let mut responses = pin!(responses);
        let mut text = String::new();
        while let Some(response) = responses.next().await {
            text.push(if text.is_empty() { '[' } else { ',' });
            text.push_str(&response);
        }
        (!text.is_empty()).then(|| text + "]")
    }

    /// The responses to the entries of a batch, in their order. Entries run as the stream is read.
    pub(super) fn run_batch(
        self: Arc<Self>,
        entries: Vec<Entry>,
        account: RequestAccount,
    ) -> impl Stream<Item = String> + Send + 'static {
        let responses = stream::iter(entries).map(move |entry| {
            let (service, account) = (Arc::clone(&self), account.clone());
            async move { service.run_entry(entry, &account).await }
        });
        responses.buffered(MAX_CALLS_PER_BATCH).filter_map(std::future::ready)
    }

    /// Runs one entry of a message.
    pub(super) async fn run_entry(&self, entry: Entry, account: &RequestAccount) -> Option<String> {
        match entry {
            Entry::Request(call, id) => {
                Some(message::response(&id, self.call(call, account).await))
            }
            Entry::Notification(call) => {
                let _ = self.call(call, account).await;
                None
            }
            Entry::Invalid(id, error) => Some(message::response(&id, Err(error))),
            Entry::Response => None,
        }
    }

    /// Calls a method; the registry turns a panic inside a tool into an error.
    async fn call(
        &self,
        call: Call,
        account: &RequestAccount,
    ) -> Result<Box<RawValue>, ErrorObjectOwned> {
        let tool = match self.registry.tool(&call.method) {
            Ok(tool) => tool,
            Err(UnservedTool::Disabled(error)) => return Err(error_object(&error)),
            Err(UnservedTool::Unknown) if call.method == "rpc.discover" => {
                return self.document().ok_or_else(|| error_object(&ToolError::internal()));
            }
            Err(UnservedTool::Unknown) => return Err(self.unknown_method(&call.method)),
        };
        let account = account.for_call().map_err(|error| error_object(&error))?;
        let signals =
            CallSignals { shutdown: self.shutdown.clone(), account, ..CallSignals::default() };
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

    /// The account that the headers of a request bring.
    pub(super) async fn account(&self, headers: &HeaderMap) -> RequestAccount {
        self.registry.request_account(headers).await
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
                 MCP on stdin and stdout, and polytomic-mcp http over HTTP."
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

fn batch_too_large() -> ToolError {
    ToolError::new(
        ErrorCode::ResultTooLarge,
        format!(
            "The responses to this batch exceed {} MiB. This call was not made.",
            MAX_BATCH_RESPONSE_BYTES >> 20
        ),
        "Send it again in a smaller batch.",
    )
}
