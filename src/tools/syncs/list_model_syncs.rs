//! `list_model_syncs`: list the syncs, by name, or only those that read from one model.
//!
//! Source: API reference "List Model Syncs", 2025-09-18. The API has no filters: ours read as many pages as they need,
//! and use the name and the `model_ids` of each item.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::polytomic::{ModelId, ModelSync};
use crate::registry::{Context, Effect, Operation, ToolError, redaction};
use crate::tools::listing::{
    CursorArgument, ListPositions, ListQuery, NameFilter, PageLimit, list,
};

pub(super) struct ListModelSyncs;

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    #[serde(default)]
    name_contains: Option<NameFilter>,
    #[serde(default)]
    model_id: Option<ModelId>,
    #[serde(default, skip_serializing)]
    limit: PageLimit,
    #[serde(default, skip_serializing)]
    cursor: Option<CursorArgument>,
}

#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// The syncs, newest change first.
    syncs: Vec<Summary>,
    /// `cursor` of the next call; present if there may be more.
    next_cursor: Option<String>,
    /// Present if the list may be incomplete.
    notice: Option<&'static str>,
    #[serde(skip)]
    positions: ListPositions,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
struct Summary {
    id: Option<String>,
    name: Option<String>,
    active: Option<bool>,
    mode: Option<String>,
    model_ids: Option<Vec<String>>,
    schedule: Option<Map<String, Value>>,
    target_connection_id: Option<String>,
    target_object: Option<String>,
    updated_at: Option<String>,
}

impl From<ModelSync> for Summary {
    fn from(sync: ModelSync) -> Self {
        let schedule = sync.schedule.map(|mut schedule| {
            schedule.retain(|_, value| !value.is_null());
            redaction::mask(&mut schedule);
            schedule
        });
        Self {
            id: sync.id,
            name: sync.name,
            active: sync.active,
            mode: sync.mode,
            model_ids: sync.model_ids,
            schedule,
            target_connection_id: sync.target_connection_id,
            target_object: sync.target_object,
            updated_at: sync.updated_at,
        }
    }
}

impl Operation for ListModelSyncs {
    const NAME: &'static str = "list_model_syncs";
    const TITLE: &'static str = "List model syncs";
    const DESCRIPTION: &'static str = "List the syncs that read from models: mode, schedule, \
        target and `model_ids`. With `model_id` only those that read from that model and would \
        break without it. After: `get_model_sync`.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let query = ListQuery::new(cx, Self::NAME, &args, args.limit, args.cursor.clone());
        let (syncs, positions) = list(
            query,
            move |limit, token: Option<String>| async move {
                let (client, options) = (cx.client(), &cx.call_options());
                client.list_model_syncs(Some(limit), token.as_deref(), options).await
            },
            |sync: &ModelSync| sync.id.as_deref(),
            |sync| {
                NameFilter::matches(args.name_contains.as_ref(), sync.name.as_deref())
                    && args.model_id.is_none_or(|id| sync.reads(id))
            },
        )
        .await?;
        let syncs: Vec<_> = syncs.into_iter().map(Summary::from).collect();
        let (next_cursor, notice) = (positions.next_cursor(syncs.len()), positions.notice());
        Ok(Output { syncs, next_cursor, notice, positions })
    }

    fn cursor_after(output: &Output, list: &str, shown: usize) -> Option<String> {
        output.positions.next_cursor(shown).filter(|_| list == "syncs")
    }
}
