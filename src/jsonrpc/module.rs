//! The registry as a module of JSON-RPC methods.

use std::sync::Arc;

use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::server::Methods;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::openrpc;
use crate::tools::{Caller, Code, Outcome, Registry, ToolError};

/// "Invalid params" of the specification.
const INVALID_PARAMS: i32 = -32602;

struct Service {
    registry: Arc<Registry>,
    stop: CancellationToken,
}

/// A method for each tool, and `rpc.discover`. `stop`: when it is cancelled, calls that only read end.
///
/// # Errors
/// Two tools of one name.
pub(crate) fn module(
    registry: Arc<Registry>,
    stop: CancellationToken,
) -> Result<Methods, RegisterMethodError> {
    let names: Vec<&'static str> = registry.tools().iter().map(|tool| tool.entry.name).collect();
    let mut module = RpcModule::new(Service { registry, stop });
    for name in names {
        module.register_async_method(name, move |params, service, _| async move {
            service.call(name, &params).await
        })?;
    }
    module.register_method("rpc.discover", |_, service, _| openrpc::document(&service.registry))?;
    Ok(module.into())
}

impl Service {
    async fn call(
        &self,
        name: &str,
        params: &Params<'static>,
    ) -> Result<Box<RawValue>, ErrorObjectOwned> {
        let arguments = named(params).map_err(|error| object(&error))?;
        let caller = Caller { stop: self.stop.clone(), ..Caller::default() };
        let result = match self.registry.tool(name) {
            Some(tool) => self.registry.call(tool, arguments, caller).await,
            None => Err(ToolError::internal()),
        };
        result.map_err(|error| object(&error))
    }
}

/// Parameters are named: a list has no names that could be checked.
fn named(params: &Params<'_>) -> Result<Map<String, Value>, ToolError> {
    let text = params.as_str().unwrap_or("null");
    match serde_json::from_str(text) {
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
    let refused_here = error.code == Code::InvalidArgument && error.outcome == Outcome::NotSent;
    let code = if refused_here { INVALID_PARAMS } else { error.code.number() };
    ErrorObjectOwned::owned(code, error.message.clone(), Some(json!(error)))
}
