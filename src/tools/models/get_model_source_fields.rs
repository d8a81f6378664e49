//! `get_model_source_fields`: list the fields of a source, before a model exists.
//!
//! Source: API reference "Get Model Sync Source Fields", 2025-09-18. A long SQL query does not fit into a URL;
//! `preview_model` takes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::get_model_source::SourceChoices;
use crate::polytomic::{ConnectionId, Field};
use crate::registry::{Context, Effect, Operation, ToolError};
use crate::tools::definition::field_at;
use crate::tools::listing::{Detail, NameFilter};

pub(super) struct GetModelSourceFields;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    connection_id: ConnectionId,
    configuration: SourceChoices,
    #[serde(default)]
    name_contains: Option<NameFilter>,
    #[serde(default)]
    detail: Detail,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The fields with their types.
    #[schemars(with = "Vec<Map<String, Value>>")]
    fields: Vec<Field>,
}

impl Operation for GetModelSourceFields {
    const NAME: &'static str = "get_model_source_fields";
    const TITLE: &'static str = "Get model source fields";
    const DESCRIPTION: &'static str = "List the fields of a table, view or other source with \
        their types, before a model exists. For a long query use `preview_model`. Before: \
        `get_model_source`. After: `create_model`.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let (id, SourceChoices(choices)) = (args.connection_id, args.configuration);
        let mut fields =
            cx.client().get_model_source_fields(id, &choices, &cx.call_options()).await?;
        let matches = |name: Option<&str>| NameFilter::matches(args.name_contains.as_ref(), name);
        fields.retain(|field| matches(field.name.as_deref()) || matches(field.label.as_deref()));
        let fields = fields.into_iter().map(|field| field_at(args.detail, field)).collect();
        Ok(Output { fields })
    }
}
