//! `start_model_sync`: run a sync now.
//!
//! Source: API reference "Start Model Sync", 2025-09-18.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::polytomic::{Execution, ModelSync, StartOptions, SyncId};
use crate::registry::{
    Context, Effect, ErrorCode, Operation, Outcome, Stake, ToolError, listed_names,
};
use crate::tools::sync_objects::{
    NamedSync, ShownExecution, confirm_for_sync, describe, shown_execution,
};

pub(super) struct StartModelSync;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    sync_id: SyncId,
    /// Write all records again, e.g. `true`.
    #[serde(default)]
    resync: bool,
    /// Only these identities, e.g. `["u-17"]`.
    #[serde(default)]
    identities: Option<Vec<String>>,
    /// Fail if it has another name, e.g. `To CRM`.
    #[serde(default)]
    expected_name: Option<String>,
    /// Seconds to wait for its end, 0 to 600, default 30, e.g. `60`.
    #[serde(default = "default_wait_seconds")]
    #[schemars(range(max = 600))]
    #[expect(dead_code, reason = "the registry takes it off the call, since it sets the deadline")]
    wait_seconds: u32,
}

fn default_wait_seconds() -> u32 {
    30
}

impl Operation for StartModelSync {
    const NAME: &'static str = "start_model_sync";
    const TITLE: &'static str = "Start model sync";
    const DESCRIPTION: &'static str = "Start an execution of a sync: it writes records to the target, and may overwrite or remove others there, as its mode \
        says. Before: `get_model_sync`. After: `get_model_sync_execution`.";
    const EFFECT: Effect = Effect::Write { idempotent: false, overwrites: true };
    const SHOWN_BY: [&'static str; 2] = ["get_model_sync_execution", "list_model_sync_executions"];
    const LARGE_RESULTS: bool = false;
    type Args = Args;
    type Output = ShownExecution;

    async fn call(cx: &Context, args: Args) -> Result<ShownExecution, ToolError> {
        let Args { sync_id, resync, identities, expected_name, .. } = args;
        let is_blank = |ids: &Vec<String>| ids.iter().any(|id| id.trim().is_empty());
        let is_empty = cx.empty_arguments().iter().any(|path| path == "identities");
        if is_empty || identities.as_ref().is_some_and(is_blank) {
            // Without them every record is written.
            let message =
                "identities: expected at least one, and none of them empty. Nothing was started.";
            return Err(ToolError::invalid_argument("identities", message)
                .with_hint("Leave out `identities` to write all records that the sync selects."));
        }
        let question = |sync: &ModelSync| {
            let records = match &identities {
                Some(ids) => format!(
                    "It writes {} records: {}.",
                    ids.len(),
                    listed_names(ids.iter().map(String::as_str))
                ),
                None if resync => "It reads and writes all records of its models again.".to_owned(),
                None => "It writes the records that its models and filters select.".to_owned(),
            };
            format!("Start {}?\n{records}", describe(sync, sync_id))
        };
        let named = NamedSync { sync_id, expected_name };
        confirm_for_sync(cx, &named, (Stake::Change, "Nothing was started."), question).await?;
        let start = StartOptions { resync: resync.then_some(true), identities };
        let started = cx.client().start_model_sync(sync_id, &start, &cx.call_options()).await;
        let execution = started.map_err(|error| is_running(error.into()))?;
        let execution = match execution.execution_id() {
            Some(id) => cx.wait_for_execution(sync_id, id, execution).await,
            None => execution,
        };
        match execution.has_failed() {
            true => Err(failed(execution)),
            false => Ok(ShownExecution::of(sync_id, execution)),
        }
    }
}

/// The error of an execution that has failed, or was cancelled, during the call.
fn failed(execution: Execution) -> ToolError {
    let status = execution.status.clone();
    let message = "The execution ended without completing. What it has written to the target may stay: details.execution has \
        its status and errors.";
    let hint = "Correct the cause, then start the sync again.";
    ToolError::new(ErrorCode::JobFailed, message, hint)
        .with_outcome(Outcome::Unknown)
        .with_detail("status", status)
        .with_detail("execution", Some(shown_execution(execution)))
}

fn is_running(error: ToolError) -> ToolError {
    match (error.code, error.outcome) {
        (ErrorCode::Conflict, Outcome::Refused) => error.with_hint(
            "An execution of this sync is running: wait for it with get_model_sync_execution, whose id \
             list_model_sync_executions shows, or stop it with cancel_model_sync.",
        ),
        _ => error,
    }
}
