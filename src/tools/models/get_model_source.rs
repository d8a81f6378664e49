//! `get_model_source`: what a connection can serve to a model.
//!
//! Source: API reference "Get Sync Source", 2025-09-18; the operation `get_model_sync_source`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::polytomic::{ConnectionId, Source};
use crate::tools::detail::{NamePart, contains};
use crate::tools::{Context, Effect, Operation, ToolError};

pub(super) struct GetModelSource;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    connection_id: ConnectionId,
    #[serde(default)]
    configuration: Choices,
    /// Text in the items, any case, e.g. `user`.
    #[serde(default)]
    name_contains: Option<NamePart>,
}

/// The choices so far, e.g. `{"table": "public.users"}`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct Choices(pub(super) Map<String, Value>);

impl Operation for GetModelSource {
    const NAME: &'static str = "get_model_source";
    const TITLE: &'static str = "Get model source";
    const DESCRIPTION: &'static str = "Find out what a model's `configuration` may hold on a \
        connection: `items` to choose from, such as tables, and `requires_one_of`, of which \
        exactly one has to be filled. Give the choices so far to go deeper. Before: \
        `list_connections`. After: `preview_model`.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Source;

    async fn call(cx: &Context, args: Args) -> Result<Source, ToolError> {
        let (id, Choices(choices)) = (args.connection_id, args.configuration);
        let source = cx.client().get_model_source(id, &choices, cx.call_options()).await?;
        Ok(narrowed(source, args.name_contains.as_ref()))
    }
}

/// The items without what is null, and those of their values that contain a text.
pub(super) fn narrowed(mut source: Source, part: Option<&NamePart>) -> Source {
    for item in source.items.iter_mut().flat_map(Map::values_mut) {
        let Value::Object(item) = item else { continue };
        item.retain(|_, value| !value.is_null());
        if let Some(Value::Array(values)) = item.get_mut("items") {
            values.retain(|value| contains(Some(&name_of(value)), part));
        }
    }
    source
}

/// What a value is called: the text itself, or all that stands in an object.
fn name_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
