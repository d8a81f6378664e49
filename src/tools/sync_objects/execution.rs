//! What tools that show executions share.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::polytomic::{Execution, ExecutionId, SyncId};
use crate::registry::redaction;
use crate::tools::listing::to_object;

/// How long to wait in the call that continues.
const NEXT_WAIT_SECONDS: u32 = 30;

/// An execution with the secrets masked in its errors.
pub(in crate::tools) fn shown_execution(mut execution: Execution) -> Map<String, Value> {
    for error in execution.errors.iter_mut().flatten() {
        *error = redaction::mask_text(error);
    }
    redaction::mask(&mut execution.rest);
    to_object(&execution)
}

/// The call that gets an execution which has not ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct NextCall {
    tool: &'static str,
    arguments: NextArguments,
}

#[derive(Debug, Serialize, JsonSchema)]
struct NextArguments {
    sync_id: SyncId,
    execution_id: ExecutionId,
    /// Seconds to wait for it to end.
    wait_seconds: u32,
}

impl NextCall {
    /// None if the execution has ended.
    pub(in crate::tools) fn of(sync_id: SyncId, execution: &Execution) -> Option<Self> {
        let execution_id = execution.execution_id().filter(|_| !execution.has_ended())?;
        let arguments = NextArguments { sync_id, execution_id, wait_seconds: NEXT_WAIT_SECONDS };
        Some(Self { tool: "get_model_sync_execution", arguments })
    }
}
