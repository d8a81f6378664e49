//! `cancel_model_sync`: stop the running executions of a sync.
//!
//! Source: API reference "Cancel Model Sync", 2025-09-18: success means that the request was queued.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::polytomic::{Execution, ModelSync, SyncId};
use crate::registry::{Context, Effect, Operation, Stake, ToolError};
use crate::tools::sync_objects::{NamedSync, confirm_for_sync, describe, shown_execution};

pub(super) struct CancelModelSync;

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The sync.
    sync_id: SyncId,
    /// Its last execution, if it could be read: it may still be running.
    #[schemars(with = "Option<Execution>")]
    execution: Option<Map<String, Value>>,
}

impl Operation for CancelModelSync {
    const NAME: &'static str = "cancel_model_sync";
    const TITLE: &'static str = "Cancel model sync";
    const DESCRIPTION: &'static str = "Ask the running execution of a sync to stop. It ends some time later; what it has written may stay. The sync runs again \
        by its schedule. After: `get_model_sync_execution`.";
    const EFFECT: Effect = Effect::Write { idempotent: true, overwrites: true };
    const SHOWN_BY: [&'static str; 2] = ["get_model_sync_execution", "list_model_sync_executions"];
    const LARGE_RESULTS: bool = false;
    type Args = NamedSync;
    type Output = Output;

    async fn call(cx: &Context, args: NamedSync) -> Result<Output, ToolError> {
        let sync_id = args.sync_id;
        let question = |sync: &ModelSync| {
            format!("Stop the running execution of {}?", describe(sync, sync_id))
        };
        confirm_for_sync(cx, &args, (Stake::Change, "Nothing was cancelled."), question).await?;
        cx.client().cancel_model_sync(sync_id, &cx.call_options()).await?;
        let (client, options) = (cx.client(), cx.read_options());
        let page = client.list_model_sync_executions(sync_id, false, None, &options).await;
        let last = page.ok().and_then(|page| page.items.into_iter().next());
        Ok(Output { sync_id, execution: last.map(shown_execution) })
    }
}
