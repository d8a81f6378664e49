//! What tools that show executions share.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::polytomic::{Execution, SyncId};
use crate::registry::{ExecutionArguments, NextCall, redaction};
use crate::tools::listing::to_object;

/// An execution with the secrets masked in its errors.
pub(in crate::tools) fn shown_execution(mut execution: Execution) -> Map<String, Value> {
    for error in execution.errors.iter_mut().flatten() {
        *error = redaction::mask_text(error);
    }
    execution.rest.iter_mut().for_each(|rest| redaction::mask(rest));
    to_object(&execution)
}

/// The result of a call about one execution.
#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct ShownExecution {
    /// The execution: its status, counts of records, and errors.
    #[schemars(with = "Execution")]
    execution: Map<String, Value>,
    /// The call that continues, while it runs.
    next: Option<NextCall<ExecutionArguments>>,
}

impl ShownExecution {
    pub(in crate::tools) fn of(sync: SyncId, execution: Execution) -> Self {
        let next = NextCall::get_execution(sync, &execution);
        Self { execution: shown_execution(execution), next }
    }
}
