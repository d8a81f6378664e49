//! `list_models`: list summaries of the models, page by page.
//!
//! Source: API reference "List Models", 2025-09-18. Paging is documented in prose only (gap G10). The API has no
//! filters: ours read as many pages as they need.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::polytomic::{ConnectionId, Model};
use crate::registry::{Context, Effect, Operation, ToolError};
use crate::tools::definition::{ModelSummary, without_secrets};
use crate::tools::listing::{
    CursorArgument, Detail, ListPositions, ListQuery, NameFilter, PageLimit, list,
};

pub(super) struct ListModels;

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    #[serde(default)]
    name_contains: Option<NameFilter>,
    #[serde(default)]
    connection_id: Option<ConnectionId>,
    #[serde(default, skip_serializing)]
    detail: Detail,
    #[serde(default, skip_serializing)]
    limit: PageLimit,
    #[serde(default, skip_serializing)]
    cursor: Option<CursorArgument>,
}

#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// The models, newest change first.
    #[schemars(with = "Vec<ModelSummary>")]
    models: Vec<Map<String, Value>>,
    /// `cursor` of the next call; present if there may be more.
    next_cursor: Option<String>,
    /// Present if the list may be incomplete.
    notice: Option<&'static str>,
    #[serde(skip)]
    positions: ListPositions,
}

impl Operation for ListModels {
    const NAME: &'static str = "list_models";
    const TITLE: &'static str = "List models";
    const DESCRIPTION: &'static str = "List models, most recently updated first: id, name, \
        connection, `source` (table, view or query), identifier, number of fields. While the result has `next_cursor`, pass it as \
        `cursor` for more. After: `get_model` for one, `sample_records` for its data.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let query = ListQuery::new(cx, Self::NAME, &args, args.limit, args.cursor.clone());
        let (models, positions) = list(
            query,
            move |limit, token: Option<String>| async move {
                let (client, options) = (cx.client(), &cx.call_options());
                client.list_models(Some(limit), token.as_deref(), options).await
            },
            |model: &Model| model.id.as_deref(),
            |model| {
                NameFilter::matches(args.name_contains.as_ref(), model.name.as_deref())
                    && args.connection_id.is_none_or(|id| {
                        let model_connection = model.connection_id.as_deref().unwrap_or_default();
                        model_connection.eq_ignore_ascii_case(&id.to_string())
                    })
            },
        )
        .await?;
        let models: Vec<_> = models
            .into_iter()
            .map(|model| args.detail.render(without_secrets(model), ModelSummary::from))
            .collect();
        let (next_cursor, notice) = (positions.next_cursor(models.len()), positions.notice());
        Ok(Output { models, next_cursor, notice, positions })
    }

    fn cursor_after(output: &Output, list: &str, shown: usize) -> Option<String> {
        output.positions.next_cursor(shown).filter(|_| list == "models")
    }
}
