//! `list_models`: a summary of each model, a page at a time.
//!
//! Source: API reference "List Models", 2025-09-18. Paging is promised in prose only (gap G10), and
//! filters are not: they are ours, over as many pages as it takes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;

use crate::polytomic::{ConnectionId, Model};
use crate::tools::detail::{Detail, NamePart, contains, object};
use crate::tools::paging::{self, Asked, Limit, NextCursor, Places};
use crate::tools::{Context, Effect, Operation, ToolError};

pub(super) struct ListModels;

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    #[serde(default)]
    name_contains: Option<NamePart>,
    #[serde(default)]
    connection_id: Option<ConnectionId>,
    #[serde(default, skip_serializing)]
    detail: Detail,
    #[serde(default, skip_serializing)]
    limit: Limit,
    #[serde(default, skip_serializing)]
    cursor: Option<NextCursor>,
}

#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// The models, newest change first.
    #[schemars(with = "Vec<Summary>")]
    models: Vec<Map<String, Value>>,
    /// Present when there may be more: `cursor` of the next call.
    next_cursor: Option<String>,
    #[serde(skip)]
    places: Places,
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
    field_count: Option<usize>,
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
            field_count: Some(model.fields.map_or(0, |fields| fields.len())),
            updated_at: model.updated_at,
        }
    }
}

impl Operation for ListModels {
    const NAME: &'static str = "list_models";
    const TITLE: &'static str = "List models";
    const DESCRIPTION: &'static str = "List models, newest change first: id, name, connection, \
        identifier, number of fields. Goes on with `cursor` while `next_cursor` is answered. \
        After: `get_model` for one, `sample_records` for its data.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let asked = Asked {
            tool: Self::NAME,
            filters: json!(object(&args)),
            cursor: args.cursor.clone(),
            limit: args.limit,
        };
        let (models, places) = paging::list(
            asked,
            move |limit, token: Option<String>| async move {
                let (client, options) = (cx.client(), cx.call_options());
                client.list_models(Some(limit), token.as_deref(), options).await
            },
            |model: &Model| model.id.as_deref(),
            |model| {
                contains(model.name.as_deref(), args.name_contains.as_ref())
                    && args.connection_id.is_none_or(|id| {
                        let of_model = model.connection_id.as_deref().unwrap_or_default();
                        of_model.eq_ignore_ascii_case(&id.to_string())
                    })
            },
        )
        .await?;
        let models: Vec<_> =
            models.into_iter().map(|model| args.detail.of(model, Summary::from)).collect();
        Ok(Output { next_cursor: places.next_cursor(models.len()), models, places })
    }

    fn resume(output: &Output, list: &str, shown: usize) -> Option<String> {
        output.places.next_cursor(shown).filter(|_| list == "models")
    }
}
