//! `list_model_sync_executions`: list the runs of a sync, the last one first.
//!
//! Source: API reference "List Model Sync Executions", 2025-09-18.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::polytomic::{Execution, SyncId};
use crate::registry::{Context, Effect, Operation, ToolError};
use crate::tools::listing::{CursorArgument, ListPositions, ListQuery, PageLimit, list};
use crate::tools::sync_objects::shown_execution;

pub(super) struct ListModelSyncExecutions;

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    sync_id: SyncId,
    /// Only ended ones, e.g. `true`.
    #[serde(default)]
    only_completed: bool,
    #[serde(default, skip_serializing)]
    limit: PageLimit,
    #[serde(default, skip_serializing)]
    cursor: Option<CursorArgument>,
}

#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// The executions, the last one first.
    executions: Vec<Map<String, Value>>,
    /// `cursor` of the next call; present if there may be more.
    next_cursor: Option<String>,
    /// Present if the list may be incomplete.
    notice: Option<&'static str>,
    #[serde(skip)]
    positions: ListPositions,
}

impl Operation for ListModelSyncExecutions {
    const NAME: &'static str = "list_model_sync_executions";
    const TITLE: &'static str = "List model sync executions";
    const DESCRIPTION: &'static str = "List the executions of a sync, the last one first, with status, counts and \
        errors. Before: `list_model_syncs`. After: `get_model_sync_execution`.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let query = ListQuery::new(cx, Self::NAME, &args, args.limit, args.cursor.clone());
        let (sync, only_completed) = (args.sync_id, args.only_completed);
        let (executions, positions) = list(
            query,
            // The API takes no limit here.
            move |_, token: Option<String>| async move {
                let (client, options) = (cx.client(), &cx.call_options());
                let token = token.as_deref();
                client.list_model_sync_executions(sync, only_completed, token, options).await
            },
            |execution: &Execution| execution.id.as_deref(),
            |_| true,
        )
        .await?;
        let executions: Vec<_> = executions.into_iter().map(shown_execution).collect();
        let (next_cursor, notice) = (positions.next_cursor(executions.len()), positions.notice());
        Ok(Output { executions, next_cursor, notice, positions })
    }

    fn cursor_after(output: &Output, list: &str, shown: usize) -> Option<String> {
        output.positions.next_cursor(shown).filter(|_| list == "executions")
    }
}
