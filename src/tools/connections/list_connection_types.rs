//! `list_connection_types`: list what can be connected, and for what.
//!
//! Source: API reference "List Connection Types", 2025-09-18. It is the only operation that says which types a model
//! can read from (gap G15).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::polytomic::{Capabilities, ConnectionType};
use crate::registry::{Context, Effect, Operation, ToolError, redaction};
use crate::tools::listing::{Detail, NameFilter};

pub(super) struct ListConnectionTypes;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    #[serde(default)]
    name_contains: Option<NameFilter>,
    /// Only sources of models, the default; e.g. `false` for all.
    #[serde(default = "default_source_only")]
    source_only: bool,
    #[serde(default)]
    detail: Detail,
}

fn default_source_only() -> bool {
    true
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The connection types.
    #[schemars(with = "Vec<Summary>")]
    connection_types: Vec<Map<String, Value>>,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
struct Summary {
    id: Option<String>,
    name: Option<String>,
    capabilities: Capabilities,
}

impl From<ConnectionType> for Summary {
    fn from(kind: ConnectionType) -> Self {
        // Only what a type can do is shown.
        let can = |capability: Option<bool>| capability.filter(|can| *can);
        let has = kind.capabilities.unwrap_or_default();
        let capabilities = Capabilities {
            source: can(has.source),
            destination: can(has.destination),
            enrichment: can(has.enrichment),
            orchestration: can(has.orchestration),
            logging: None,
            rest: None,
        };
        Self { id: kind.id, name: kind.name, capabilities }
    }
}

impl Operation for ListConnectionTypes {
    const NAME: &'static str = "list_connection_types";
    const TITLE: &'static str = "List connection types";
    const DESCRIPTION: &'static str = "List the types of databases, warehouses and apps that can \
        be connected, and whether each can be a source of models, a destination or an enrichment. \
        After: `get_connection_type_schema`.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let mut kinds = cx.client().list_connection_types(&cx.call_options()).await?;
        kinds.retain(|kind| {
            let matches =
                |name: Option<&str>| NameFilter::matches(args.name_contains.as_ref(), name);
            let is_source = kind.capabilities.as_ref().and_then(|can| can.source) == Some(true);
            (is_source || !args.source_only)
                && (matches(kind.name.as_deref()) || matches(kind.id.as_deref()))
        });
        let render = |kind| {
            let mut rendered = args.detail.render(kind, Summary::from);
            redaction::mask(&mut rendered);
            rendered
        };
        Ok(Output { connection_types: kinds.into_iter().map(render).collect() })
    }
}
