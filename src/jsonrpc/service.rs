//! The registry as a module of JSON-RPC methods.

use std::sync::Arc;

use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::server::Methods;
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::openrpc;
use crate::registry::{CallSignals, ErrorCode, Outcome, Registry, Tool, ToolError};

/// "Invalid params" of the specification.
const INVALID_PARAMS: i32 = -32602;

/// What the methods are made of. `stop`: when it is cancelled, calls that only read end at once.
#[derive(Clone)]
pub(crate) struct Service {
    pub(super) registry: Arc<Registry>,
    stop: CancellationToken,
}

impl Service {
    pub(crate) fn new(registry: Arc<Registry>, stop: CancellationToken) -> Self {
        Self { registry, stop }
    }

    /// A method for each tool, and `rpc.discover`.
    ///
    /// # Errors
    /// Two tools of one name.
    pub(super) fn methods(&self) -> Result<Methods, RegisterMethodError> {
        let mut module = RpcModule::new(self.clone());
        for tool in self.registry.tools() {
            let name = tool.entry.name;
            module.register_async_method(name, move |params, service, _| async move {
                match service.registry.tool(name) {
                    Some(tool) => service.call(tool, params.as_str()).await,
                    None => Err(object(&ToolError::internal())),
                }
            })?;
        }
        module.register_method("rpc.discover", |_, service, _| {
            openrpc::document(&service.registry)
        })?;
        Ok(module.into())
    }

    /// Calls a tool with parameters as they stand in the message.
    pub(super) async fn call(
        &self,
        tool: &Tool,
        params: Option<&str>,
    ) -> Result<Box<RawValue>, ErrorObjectOwned> {
        let arguments = named(params).map_err(|error| object(&error))?;
        let caller = CallSignals { shutdown: self.stop.clone(), ..CallSignals::default() };
        let result = self.registry.call(tool, arguments, caller).await;
        result.map_err(|error| object(&error))
    }
}

/// Parameters are named: a list has no names that could be checked.
fn named(params: Option<&str>) -> Result<Map<String, Value>, ToolError> {
    match serde_json::from_str(params.unwrap_or("null")) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(Value::Array(list)) if list.is_empty() => Ok(Map::new()),
        Ok(Value::Array(_)) => Err(ToolError::invalid_argument(
            "params",
            "params: expected an object of named parameters, got a list of positional ones.",
        )),
        Ok(_) => Err(ToolError::invalid_argument(
            "params",
            "params: expected an object of named parameters.",
        )),
        Err(error) => Err(ToolError::invalid_argument(
            "params",
            format!("params: they cannot be read: {}.", without_position(&error)),
        )),
    }
}

/// The position counts from the beginning of the params, not of the message: nobody is helped by it.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

/// An error as JSON-RPC has it: -32602 for arguments refused before anything was sent, else the number
/// of its kind; `data` is the error as every face shows it.
fn object(error: &ToolError) -> ErrorObjectOwned {
    let refused_here =
        error.code == ErrorCode::InvalidArgument && error.outcome == Outcome::NotSent;
    let code = if refused_here { INVALID_PARAMS } else { error.code.number() };
    ErrorObjectOwned::owned(code, error.message.clone(), Some(json!(error)))
}
