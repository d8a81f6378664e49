//! `get_model_sync_execution`: get one run of a sync, and wait for its end.
//!
//! Source: API reference "Get Model Sync Execution", 2025-09-18.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::polytomic::{ExecutionId, SyncId};
use crate::registry::{Context, Effect, Operation, ToolError};
use crate::tools::sync_objects::ShownExecution;

pub(super) struct GetModelSyncExecution;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    sync_id: SyncId,
    execution_id: ExecutionId,
    /// Seconds to wait for its end, 0 to 600, default 0, e.g. `30`.
    #[serde(default)]
    #[schemars(range(max = 600))]
    #[expect(dead_code, reason = "the registry takes it off the call, since it sets the deadline")]
    wait_seconds: u32,
}

impl Operation for GetModelSyncExecution {
    const NAME: &'static str = "get_model_sync_execution";
    const TITLE: &'static str = "Get model sync execution";
    const DESCRIPTION: &'static str = "Get an execution of a sync: status, counts and errors. A failed one is a result as well. Before: \
        `start_model_sync` or `list_model_sync_executions`.";
    const EFFECT: Effect = Effect::Read;
    const LARGE_RESULTS: bool = false;
    type Args = Args;
    type Output = ShownExecution;

    async fn call(cx: &Context, args: Args) -> Result<ShownExecution, ToolError> {
        let (sync, id) = (args.sync_id, args.execution_id);
        let options = cx.call_options();
        let execution = cx.client().get_model_sync_execution(sync, id, &options).await?;
        let execution = cx.wait_for_execution(sync, id, execution).await;
        Ok(ShownExecution::of(sync, execution))
    }
}
