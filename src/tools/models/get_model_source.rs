//! `get_model_source`: what a connection can serve to a model.
//!
//! Source: API reference "Get Sync Source", 2025-09-18; the operation `get_model_sync_source`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::polytomic::{ConnectionId, Source};
use crate::tools::{Context, Effect, Operation, ToolError};

pub(super) struct GetModelSource;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    connection_id: ConnectionId,
    /// The choices made so far, to see what is left to choose, e.g. `{"table": "public.users"}`.
    #[serde(default)]
    configuration: Option<Map<String, Value>>,
}

impl Operation for GetModelSource {
    const NAME: &'static str = "get_model_source";
    const TITLE: &'static str = "Get model source";
    const DESCRIPTION: &'static str = "Find out what a model's `configuration` may hold on one \
        connection: `items` with the values to choose from (tables, views, collections), and \
        `requires_one_of`, the items of which exactly one has to be filled. Give the choices made so \
        far as `configuration` to go one level deeper. Before: `list_connections`. After: \
        `preview_model`.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Source;

    async fn call(cx: &Context, args: Args) -> Result<Source, ToolError> {
        let choices = args.configuration.unwrap_or_default();
        let id = args.connection_id;
        let mut source = cx.client().get_model_source(id, &choices, cx.call_options()).await?;
        for item in source.items.iter_mut().flat_map(Map::values_mut) {
            if let Value::Object(item) = item {
                item.retain(|_, value| !value.is_null());
            }
        }
        Ok(source)
    }
}
