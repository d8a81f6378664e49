//! `get_model_source`: get what a connection can serve to a model.
//!
//! Source: API reference "Get Sync Source", 2025-09-18; the operation `get_model_sync_source`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::polytomic::{ConnectionId, Source};
use crate::registry::{Context, Effect, Operation, ToolError, is_empty, redaction};
use crate::tools::listing::NameFilter;

pub(super) struct GetModelSource;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    connection_id: ConnectionId,
    #[serde(default)]
    configuration: SourceChoices,
    /// Text in the items, ignoring case, e.g. `user`.
    #[serde(default)]
    name_contains: Option<NameFilter>,
}

/// The choices so far, e.g. `{"table": "public.users"}`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct SourceChoices(pub(super) Map<String, Value>);

impl Operation for GetModelSource {
    const NAME: &'static str = "get_model_source";
    const TITLE: &'static str = "Get model source";
    const DESCRIPTION: &'static str = "Get what a model's `configuration` can contain for a \
        connection: `items` to choose from, such as tables, and `requires_one_of`, of which \
        exactly one is required. Pass the choices so far to get the next ones. Before: \
        `list_connections`. After: `preview_model`.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Source;

    async fn call(cx: &Context, args: Args) -> Result<Source, ToolError> {
        let (id, SourceChoices(choices)) = (args.connection_id, args.configuration);
        let source = cx.client().get_model_source(id, &choices, &cx.call_options()).await?;
        Ok(shown_source(source, &choices, args.name_contains.as_ref()))
    }
}

/// Masks secrets, and removes null properties of the items, the values that do not match a filter, and each
/// `requires_one_of` of which a choice has been made, which the API repeats.
pub(super) fn shown_source(
    mut source: Source,
    choices: &Map<String, Value>,
    filter: Option<&NameFilter>,
) -> Source {
    let is_chosen = |name: &str| choices.get(name).is_some_and(|choice| !is_empty(choice));
    source.requires_one_of.take_if(|names| names.iter().any(|name| is_chosen(name)));
    source.items.iter_mut().for_each(redaction::mask_settings);
    source.configuration.iter_mut().for_each(redaction::mask_settings);
    source.rest.iter_mut().for_each(|rest| redaction::mask(rest));
    let (mut total, mut shown) = (0, 0);
    for item in source.items.iter_mut().flat_map(Map::values_mut) {
        let Value::Object(item) = item else { continue };
        item.retain(|name, value| {
            let mut names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
            let is_resolved = name == "requires_one_of" && names.any(is_chosen);
            !value.is_null() && !is_resolved
        });
        if let Some(Value::Array(values)) = item.get_mut("items") {
            total += values.len();
            values.retain(|value| NameFilter::matches(filter, Some(&searchable_text(value))));
            shown += values.len();
        }
    }
    if total > 0 && shown == 0 {
        let notice = format!("`name_contains` matches none of the {total} items.");
        source.rest.get_or_insert_default().insert("notice".to_owned(), notice.into());
    }
    source
}

/// The text of a value, or all the text of an object.
fn searchable_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
