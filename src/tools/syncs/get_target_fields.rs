//! `get_target_fields`: what an object accepts that a sync writes to.
//!
//! Source: API reference "Get Target Fields", 2025-09-18.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::polytomic::{ConnectionId, Target, TargetField, TargetMode};
use crate::registry::{Context, Effect, Operation, ToolError};
use crate::tools::listing::{Detail, NameFilter, to_object};

pub(super) struct GetTargetFields;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    connection_id: ConnectionId,
    /// Id from `get_target_objects`, e.g. `public.contacts`.
    #[schemars(length(min = 1))]
    object: String,
    /// Text in the name of a field, ignoring case, e.g. `mail`.
    #[serde(default)]
    name_contains: Option<NameFilter>,
    #[serde(default)]
    detail: Detail,
    /// Reread the fields from the connection, e.g. `true`.
    #[serde(default)]
    refresh: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The object: its `modes` and `fields`, and `properties` with what the connection can do.
    #[schemars(with = "Target")]
    target: Map<String, Value>,
}

impl Operation for GetTargetFields {
    const NAME: &'static str = "get_target_fields";
    const TITLE: &'static str = "Get target fields";
    const DESCRIPTION: &'static str = "Get what an object accepts that a sync writes to: its modes, and its fields, with `required`, `supports_identity` and \
        `read_only` where true. Before: `get_target_objects`. After: `create_model_sync`.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let (id, options) = (args.connection_id, &cx.call_options());
        let mut target =
            cx.client().get_target_fields(id, &args.object, args.refresh, options).await?;
        let filter = args.name_contains.as_ref();
        if let Some(fields) = &mut target.fields {
            fields.retain(|field| {
                [&field.id, &field.name]
                    .iter()
                    .any(|name| NameFilter::matches(filter, name.as_deref()))
            });
        }
        let mut shown = to_object(&target);
        if args.detail == Detail::Summary {
            let fields = target.fields.into_iter().flatten().map(summary).collect();
            shown.insert("fields".to_owned(), fields);
            let modes = target.modes.into_iter().flatten().map(mode).collect();
            shown.insert("modes".to_owned(), modes);
            if let Some(Value::Object(properties)) = shown.get_mut("properties") {
                properties.retain(|_, value| !matches!(value, Value::Null | Value::Bool(false)));
            }
        }
        Ok(Output { target: shown })
    }
}

/// A field with what says something.
fn summary(field: TargetField) -> Value {
    let read_only = field.createable == Some(false) && field.updateable == Some(false);
    let true_only = |flag: Option<bool>| flag.filter(|flag| *flag);
    let name = field.name.filter(|name| field.id.as_ref() != Some(name));
    let values: Vec<Value> = field.values.into_iter().flatten().collect();
    let shown = serde_json::json!({
        "id": field.id,
        "name": name,
        "type": field.kind,
        "description": field.description.filter(|text| !text.is_empty()),
        "required": true_only(field.required),
        "supports_identity": true_only(field.supports_identity),
        "read_only": read_only.then_some(true),
        "values": (!values.is_empty()).then_some(values),
    });
    to_object(&shown).into()
}

fn mode(mode: TargetMode) -> Value {
    let true_only = |flag: Option<bool>| flag.filter(|flag| *flag);
    let shown = serde_json::json!({
        "mode": mode.mode.or(mode.id),
        "description": mode.description.or(mode.label),
        "requires_identity": true_only(mode.requires_identity),
        "supports_target_filters": true_only(mode.supports_target_filters),
    });
    to_object(&shown).into()
}
