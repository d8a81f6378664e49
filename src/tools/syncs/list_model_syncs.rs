//! `list_model_syncs`: which syncs there are, and which of them read a model.
//!
//! Source: API reference "List Model Syncs", 2025-09-18. Its items name the models they read; the API has
//! no filter for that, so it is ours.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;

use crate::polytomic::{ModelId, ModelSync};
use crate::tools::detail::object;
use crate::tools::paging::{self, Asked, Limit, NextCursor, Places};
use crate::tools::{Context, Effect, Operation, ToolError, secrets};

pub(super) struct ListModelSyncs;

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    #[serde(default)]
    model_id: Option<ModelId>,
    #[serde(default, skip_serializing)]
    limit: Limit,
    #[serde(default, skip_serializing)]
    cursor: Option<NextCursor>,
}

#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// The syncs, newest change first.
    syncs: Vec<Summary>,
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
            secrets::mask(&mut schedule);
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
    const DESCRIPTION: &'static str = "List the syncs that read models: mode, schedule, target \
        and `model_ids`. With `model_id` only those that read it: what breaks if it goes. After: \
        `get_model_sync`.";
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
        let (syncs, places) = paging::list(
            asked,
            move |limit, token: Option<String>| async move {
                let (client, options) = (cx.client(), cx.call_options());
                client.list_model_syncs(Some(limit), token.as_deref(), options).await
            },
            |sync: &ModelSync| sync.id.as_deref(),
            |sync| args.model_id.is_none_or(|id| sync.reads(id)),
        )
        .await?;
        let syncs: Vec<_> = syncs.into_iter().map(Summary::from).collect();
        Ok(Output { next_cursor: places.next_cursor(syncs.len()), syncs, places })
    }

    fn resume(output: &Output, list: &str, shown: usize) -> Option<String> {
        output.places.next_cursor(shown).filter(|_| list == "syncs")
    }
}
