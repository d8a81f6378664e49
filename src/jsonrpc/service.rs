//! The tools of the registry as JSON-RPC methods.

use std::sync::Arc;

use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::server::Methods;
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::openrpc;
use crate::registry::{CallSignals, ErrorCode, Outcome, Registry, Tool, ToolError, mark_numbers};

/// "Invalid params" in the specification.
const INVALID_PARAMS: i32 = -32602;

/// The state of the methods. Once `shutdown` is cancelled, read-only calls end at once.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) registry: Arc<Registry>,
    shutdown: CancellationToken,
}

impl Service {
    pub(super) fn new(registry: Arc<Registry>, shutdown: CancellationToken) -> Self {
        Self { registry, shutdown }
    }

    /// A method for each tool, and `rpc.discover`.
    ///
    /// # Errors
    /// If two tools have the same name.
    pub(super) fn methods(&self) -> Result<Methods, RegisterMethodError> {
        let mut module = RpcModule::new(self.clone());
        for tool in self.registry.tools() {
            let name = tool.entry.name;
            module.register_async_method(name, move |params, service, _| async move {
                match service.registry.tool(name) {
                    Some(tool) => service.call(tool, params.as_str()).await,
                    None => Err(error_object(&ToolError::internal())),
                }
            })?;
        }
        module.register_method("rpc.discover", |_, service, _| {
            openrpc::document(&service.registry)
        })?;
        Ok(module.into())
    }

    /// Calls a tool with the unparsed params of a message.
    pub(super) async fn call(
        &self,
        tool: &Tool,
        params: Option<&str>,
    ) -> Result<Box<RawValue>, ErrorObjectOwned> {
        let arguments = parse_params(params).map_err(|error| error_object(&error))?;
        let signals = CallSignals { shutdown: self.shutdown.clone(), ..CallSignals::default() };
        let result = self.registry.call(tool, arguments, signals).await;
        result.map_err(|error| error_object(&error))
    }
}

/// Params must be named, since positional ones have no names to validate.
fn parse_params(params: Option<&str>) -> Result<Map<String, Value>, ToolError> {
    match serde_json::from_str(&mark_numbers(params.unwrap_or("null"))) {
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

/// An error as a JSON-RPC error object: -32602 for arguments rejected before anything was sent, otherwise the number of
/// its code; `data` is the error as every server returns it.
fn error_object(error: &ToolError) -> ErrorObjectOwned {
    let is_rejected_here =
        error.code == ErrorCode::InvalidArgument && error.outcome == Outcome::NotSent;
    let code = if is_rejected_here { INVALID_PARAMS } else { error.code.number() };
    ErrorObjectOwned::owned(code, error.message.clone(), Some(json!(error)))
}
