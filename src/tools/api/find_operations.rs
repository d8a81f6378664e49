//! `find_operations`: find operations of the API by plain words, in the embedded contract. Nothing is requested.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::contract::{Contract, Kind, Operation as ApiOperation};
use crate::registry::{Context, Effect, Operation, ToolError};
use crate::tools::api_operations::{tool_for, uses_secrets};
use crate::tools::listing::Detail;

pub(super) struct FindOperations;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// What to do, or a name, e.g. `webhooks`.
    #[schemars(length(min = 1, max = 500))]
    query: String,
    #[serde(default)]
    detail: Detail,
    #[serde(default)]
    limit: FoundLimit,
}

/// Maximum operations, 1 to 20, default 5, e.g. `1`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(super) struct FoundLimit(#[schemars(range(min = 1, max = 20))] usize);

impl Default for FoundLimit {
    fn default() -> Self {
        Self(5)
    }
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The best first.
    operations: Vec<Found>,
    /// What to do if there is none.
    notice: Option<&'static str>,
}

const NOTHING_FOUND: &str = "No operation has these words. Name the object and what to do with it in English, such as `list webhooks`.";

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
struct Found {
    operation: String,
    /// The tool that calls it.
    tool: Option<&'static str>,
    method: String,
    path: String,
    summary: String,
    /// Why it cannot be called.
    refused: Option<&'static str>,
    description: Option<String>,
    /// JSON Schema of `path`, `query` and `body`; absent for a tool of its own.
    arguments: Option<Map<String, Value>>,
}

impl Operation for FindOperations {
    const NAME: &'static str = "find_operations";
    const TITLE: &'static str = "Find operations";
    const DESCRIPTION: &'static str = "Find operations of the Polytomic API (bulk syncs, users, webhooks and all else) by plain words; nothing is \
        requested. `detail` full has their arguments; `tool` is the tool that calls one.";
    const EFFECT: Effect = Effect::Read;
    const LARGE_RESULTS: bool = false;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let found = Contract::embedded().search(&args.query).into_iter().take(args.limit.0);
        let operations: Vec<Found> =
            found.map(|operation| describe(cx, operation, args.detail)).collect();
        let notice = operations.is_empty().then_some(NOTHING_FOUND);
        Ok(Output { operations, notice })
    }
}

fn describe(cx: &Context, operation: &ApiOperation, detail: Detail) -> Found {
    let tool = tool_for(operation);
    let refused = match cx.serves(tool) {
        false => Some("This server does not serve the tool that calls it."),
        true if operation.kind != Kind::Read && cx.changes_only_own() => {
            Some("This server changes only models that it has created (--own-only).")
        }
        true if uses_secrets(operation) && !cx.allows_secret_operations() => Some(
            "It returns or takes secrets: the server has to be started with --allow-secret-operations.",
        ),
        true => None,
    };
    let is_full = detail == Detail::Full;
    let description = Some(&operation.description).filter(|text| is_full && !text.is_empty());
    Found {
        operation: operation.name.clone(),
        tool: cx.serves(tool).then_some(tool),
        method: operation.method.to_string(),
        path: operation.path.clone(),
        summary: operation.summary.clone(),
        refused,
        description: description.cloned(),
        // A tool of its own has its own arguments.
        arguments: (is_full && tool.starts_with("call_"))
            .then(|| without_closed(operation.arguments())),
    }
}

/// A schema without the keyword that closes objects: those with named properties are closed all the same, and every byte costs
/// context.
fn without_closed(mut schema: Map<String, Value>) -> Map<String, Value> {
    schema.retain(|name, value| name != "additionalProperties" || *value != false);
    for value in schema.values_mut() {
        match value {
            Value::Object(map) => *map = without_closed(std::mem::take(map)),
            Value::Array(items) => {
                for map in items.iter_mut().filter_map(Value::as_object_mut) {
                    *map = without_closed(std::mem::take(map));
                }
            }
            _ => {}
        }
    }
    schema
}
