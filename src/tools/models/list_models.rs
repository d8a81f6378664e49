//! `list_models`: a summary of each model, a page at a time.
//!
//! Source: API reference "List Models", 2025-09-18. Paging is promised in prose only (gap G10): a
//! server that ignores both arguments answers everything at once, and there is no next page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::polytomic::Model;
use crate::tools::{Context, Effect, Operation, ToolError};

pub(super) struct ListModels;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// How many models at most, 1 to 50, e.g. `20`; 50 when left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 50))]
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the call before, e.g. `AmkYh8v0`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4096))]
    cursor: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The models, newest change first.
    models: Vec<Summary>,
    /// Present when there are more: `cursor` of the next call.
    next_cursor: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
struct Summary {
    id: Option<String>,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    connection_id: Option<String>,
    identifier: Option<String>,
    field_count: usize,
    updated_at: Option<String>,
}

impl From<Model> for Summary {
    fn from(model: Model) -> Self {
        Self {
            id: model.id,
            name: model.name,
            kind: model.kind,
            connection_id: model.connection_id,
            identifier: model.identifier,
            field_count: model.fields.map_or(0, |fields| fields.len()),
            updated_at: model.updated_at,
        }
    }
}

impl Operation for ListModels {
    const NAME: &'static str = "list_models";
    const TITLE: &'static str = "List models";
    const DESCRIPTION: &'static str = "List the models of the organization, newest change first: id, \
        name, connection, identifier, number of fields. Goes on with `cursor` while `next_cursor` is \
        answered. After: `get_model` for the whole of one, `sample_records` for its data.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let page =
            cx.client().list_models(args.limit, args.cursor.as_deref(), cx.call_options()).await?;
        Ok(Output {
            models: page.models.into_iter().map(Summary::from).collect(),
            next_cursor: page.next_page_token,
        })
    }
}
