//! One call of an operation: whether it may be made, and with which arguments.

use super::arguments::{Body, PathParameters, QueryParameters, validated};
use super::confirmation::confirm;
use super::response::OperationResponse;
use super::secrets::uses_secrets;
use super::tools::{tool_of_kind, typed_tool};
use crate::contract::{Contract, Kind, Operation};
use crate::registry::{Context, ErrorCode, ToolError, nearest, shorten};

/// A call as it was sent.
pub(in crate::tools) struct OperationCall {
    /// The name of the operation.
    pub(in crate::tools) operation: String,
    pub(in crate::tools) path: Option<PathParameters>,
    pub(in crate::tools) query: Option<QueryParameters>,
    pub(in crate::tools) body: Option<Body>,
    pub(in crate::tools) expected_name: Option<String>,
}

impl OperationCall {
    /// Calls the operation, which has to be of a kind.
    ///
    /// # Errors
    /// `invalid_argument` if another tool calls it, or the arguments do not follow the contract; `access_denied` if it uses
    /// secrets, or the tool of its own is not served; else as
    /// [`Client::call_operation`](crate::polytomic::Client::call_operation).
    pub(in crate::tools) async fn run(
        self,
        cx: &Context,
        kind: Kind,
    ) -> Result<OperationResponse, ToolError> {
        let operation = operation(cx, &self.operation, kind)?;
        if uses_secrets(operation) && !cx.allows_secret_operations() {
            return Err(secrets_denied(operation));
        }
        let arguments =
            validated(operation, self.path, self.query, self.body).map_err(|error| {
                let name = &operation.name;
                let hint = format!(
                    "{} find_operations with `query` {name} and `detail` full shows its arguments.",
                    error.hint
                );
                error.with_hint(hint)
            })?;
        if let Some(key) = &cx.call_options().idempotency_key
            && operation.method != reqwest::Method::POST
        {
            let (name, method) = (&operation.name, &operation.method);
            let message = format!(
                "idempotency_key: expected none, since {name} is sent as {method}, which takes no key, got {:?}.",
                shorten(key)
            );
            return Err(ToolError::invalid_argument("idempotency_key", message));
        }
        if operation.kind != Kind::Read {
            let ids =
                operation.path_parameters().filter_map(|name| arguments.path.get(name)?.as_str());
            cx.note_operation(&operation.name, ids);
            confirm(cx, operation, &arguments, self.expected_name.as_deref()).await?;
        }
        let response =
            cx.client().call_operation(operation, &arguments, &cx.call_options()).await?;
        Ok(OperationResponse::new(operation, response))
    }
}

/// The operation with a name.
fn operation(cx: &Context, name: &str, kind: Kind) -> Result<&'static Operation, ToolError> {
    let contract = Contract::embedded();
    let name = name.trim();
    let Some(operation) = contract.operation(name) else { return Err(unknown(contract, name)) };
    let left_to = |message: String, tool: &str| {
        let hint = format!("Call {tool} instead.");
        Err(ToolError::invalid_argument("operation", message).with_hint(hint))
    };
    match typed_tool(name) {
        Some(tool) if !cx.serves(tool) => Err(ToolError::new(
            ErrorCode::AccessDenied,
            format!(
                "The operation \"{name}\" has a tool of its own, \"{tool}\", which this server does not serve."
            ),
            "Ask the user, who can enable that tool where the server is configured: with its toolset in `--toolsets`, or \
             by what excludes it.",
        )),
        Some(tool) => left_to(
            format!("The operation \"{name}\" has a tool of its own, which checks more."),
            tool,
        ),
        None if operation.kind != kind => {
            let does = match operation.kind {
                Kind::Read => "only reads",
                Kind::Write => "creates, changes or starts something",
                Kind::Delete => "deletes something",
            };
            let message = format!("The operation \"{name}\" {does}, which this tool is not for.");
            left_to(message, tool_of_kind(operation.kind))
        }
        None => Ok(operation),
    }
}

fn unknown(contract: &Contract, name: &str) -> ToolError {
    let names = contract.operations().iter().map(|operation| operation.name.as_str());
    let nearest = nearest(name, names)
        .or_else(|| contract.search(name).first().map(|found| found.name.as_str()));
    let advice = match nearest {
        Some(nearest) => format!("did you mean \"{nearest}\"?"),
        None => "expected the name of an operation of the API.".to_owned(),
    };
    let message = format!("operation: unknown operation {:?}; {advice}", shorten(name));
    ToolError::invalid_argument("operation", message)
        .with_hint("Call find_operations to find the operation.")
}

fn secrets_denied(operation: &Operation) -> ToolError {
    ToolError::new(
        ErrorCode::AccessDenied,
        format!(
            "The operation \"{}\" returns or takes secrets, which this server does not allow.",
            operation.name
        ),
        "Do without it, or ask the user, who can do it in Polytomic, or start the server with `--allow-secret-operations` \
         (POLYTOMIC_ALLOW_SECRET_OPERATIONS): what an agent reads or passes is in its conversation.",
    )
}
