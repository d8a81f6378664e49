//! `delete_model_sync`: delete a sync permanently.
//!
//! Source: API reference "Delete Model Sync", 2025-09-18: its running execution is cancelled.

use schemars::JsonSchema;
use serde::Serialize;

use crate::polytomic::{ModelSync, SyncId};
use crate::registry::{Context, Effect, Operation, Stake, ToolError};
use crate::tools::sync_objects::{NamedSync, confirm_for_sync, describe};

pub(super) struct DeleteModelSync;

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// True: the sync is deleted.
    deleted: bool,
    /// The sync.
    sync_id: SyncId,
}

impl Operation for DeleteModelSync {
    const NAME: &'static str = "delete_model_sync";
    const TITLE: &'static str = "Delete model sync";
    const DESCRIPTION: &'static str = "Delete a sync with its schedule and history; this cannot be undone. What it has written stays in the target. Before: \
        `get_model_sync`.";
    const EFFECT: Effect = Effect::Destructive;
    const SHOWN_BY: [&'static str; 2] = ["get_model_sync", "list_model_syncs"];
    const LARGE_RESULTS: bool = false;
    type Args = NamedSync;
    type Output = Output;

    async fn call(cx: &Context, args: NamedSync) -> Result<Output, ToolError> {
        let sync_id = args.sync_id;
        let question = |sync: &ModelSync| {
            format!("Delete {}? This cannot be undone.", describe(sync, sync_id))
        };
        confirm_for_sync(cx, &args, (Stake::Loss, "Nothing was deleted."), question).await?;
        cx.client().delete_model_sync(sync_id, &cx.call_options()).await?;
        Ok(Output { deleted: true, sync_id })
    }
}
