//! The tools of the registry as JSON-RPC methods: requests run concurrently, a batch gets one response, notifications
//! run without one.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use jsonrpsee::types::error::{INVALID_PARAMS_CODE, METHOD_NOT_FOUND_CODE};
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::message::{self, Call, Entry, Message};
use super::openrpc;
use crate::registry::{CallSignals, ErrorCode, Outcome, Registry, ToolError, mark_numbers};

/// Maximum number of calls of one batch that run at the same time.
const MAX_CALLS_PER_BATCH: usize = 256;

/// The methods. Once `shutdown` is cancelled, read-only calls end at once.
#[derive(Clone)]
pub(super) struct Service {
    registry: Arc<Registry>,
    shutdown: CancellationToken,
}

impl Service {
    pub(super) fn new(registry: Arc<Registry>, shutdown: CancellationToken) -> Self {
        Self { registry, shutdown }
    }

    /// Runs a message and returns its response as compact JSON; none if there is no response.
    pub(super) async fn run(&self, message: Message) -> Option<String> {
        let entries = match message {
            Message::One(entry) => return self.run_entry(entry).await,
            Message::Batch(entries) => entries,
        };
        let responses = stream::iter(entries).map(|entry| self.run_entry(entry));
        let responses = responses.buffered(MAX_CALLS_PER_BATCH).filter_map(std::future::ready);
        let responses: Vec<String> = responses.collect().await;
        (!responses.is_empty()).then(|| format!("[{}]", responses.join(",")))
    }

    async fn run_entry(&self, entry: Entry) -> Option<String> {
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
        let Some(tool) = self.registry.tool(&call.method) else {
            return match call.method.as_str() {
                "rpc.discover" => to_raw_value(&openrpc::document(&self.registry))
                    .map_err(|_| error_object(&ToolError::internal())),
                unknown => Err(self.unknown_method(unknown)),
            };
        };
        let params = call.params.as_deref().map_or("null", RawValue::get);
        let arguments = parse_params(params).map_err(|error| error_object(&error))?;
        let signals = CallSignals { shutdown: self.shutdown.clone(), ..CallSignals::default() };
        let result = self.registry.call(tool, arguments, signals).await;
        result.map_err(|error| error_object(&error))
    }

    fn unknown_method(&self, method: &str) -> ErrorObjectOwned {
        let quoted: String = method.chars().take(80).collect();
        let nearest = self.registry.nearest(method);
        let message = match nearest {
            Some(known) => format!("Unknown method {quoted:?}; did you mean {known:?}?"),
            None => format!("Unknown method {quoted:?}; rpc.discover lists the methods."),
        };
        let data = nearest.map(|known| json!({"nearest": known}));
        ErrorObject::owned(METHOD_NOT_FOUND_CODE, message, data)
    }
}

/// Params must be named, since positional ones have no names to validate.
fn parse_params(params: &str) -> Result<Map<String, Value>, ToolError> {
    match serde_json::from_str(&mark_numbers(params)) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(Value::Array(list)) if list.is_empty() => Ok(Map::new()),
        Ok(Value::Array(_)) => Err(ToolError::invalid_argument(
            "params",
            "params: expected an object with named parameters, got a list of positional ones.",
        )),
        Ok(_) => Err(ToolError::invalid_argument(
            "params",
            "params: expected an object with named parameters.",
        )),
        Err(error) => Err(ToolError::invalid_argument(
            "params",
            format!("params: {}.", without_position(&error)),
        )),
    }
}

/// Drops the position, which counts from the beginning of the params instead of the message.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

/// An error as a JSON-RPC error object: -32602 for arguments rejected before anything was written, otherwise the number of
/// its code; `data` is the error as every server returns it.
fn error_object(error: &ToolError) -> ErrorObjectOwned {
    let is_rejected_here =
        error.code == ErrorCode::InvalidArgument && error.outcome == Outcome::NotSent;
    let code = if is_rejected_here { INVALID_PARAMS_CODE } else { error.code.number() };
    ErrorObjectOwned::owned(code, error.message.clone(), Some(json!(error)))
}
