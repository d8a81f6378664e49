//! `create_model`: save a model over a table, view or query of one connection.
//!
//! Source: API reference "Create Model", 2025-09-18. A slow save, or one with `async`, comes back as a
//! `createmodel` job; `settle` waits for it. Nothing is retried here: that is the client's.

use schemars::JsonSchema;
use serde::Serialize;
use serde_with::skip_serializing_none;

use crate::polytomic::{Job, Model, NewModel};
use crate::tools::{Context, Effect, NextCall, Operation, ToolError};

pub(super) struct CreateModel;

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The model as saved; absent while `job` is unfinished.
    model: Option<Model>,
    /// The job that saves it; absent when the API answered without one.
    job: Option<Job>,
    /// The call that goes on from here; present while the job is unfinished.
    next: Option<NextCall>,
}

impl Operation for CreateModel {
    const NAME: &'static str = "create_model";
    const TITLE: &'static str = "Create model";
    const DESCRIPTION: &'static str = "Save a model: a named table, view or query of one \
        connection, for syncs to read from. Before: `list_connections` for the connection, \
        `get_model_source` for its tables, `preview_model` to see the fields without saving. After: \
        `sample_records` to check the data. Waits up to `wait_seconds` for the job, then answers \
        with the job for `get_job`. Each call saves another model: names need not be unique.";
    const EFFECT: Effect = Effect::Write { idempotent: false, overwrites: false };
    const JOB: bool = true;
    type Args = NewModel;
    type Output = Output;

    async fn call(cx: &Context, model: NewModel) -> Result<Output, ToolError> {
        let answer = cx.client().create_model(&model, cx.call_options()).await?;
        let settled = cx.settle(answer).await?;
        Ok(Output { model: settled.data, job: settled.job, next: settled.next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_printed_in_the_reference_is_sent_word_for_word() {
        let printed = serde_json::json!({
            "connection_id": "248df4b7-aa70-47b8-a036-33ac447e668d",
            "name": "Users",
            "configuration": {"table": "public.users"},
        });
        let read: NewModel = serde_json::from_value(printed.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), printed);
    }
}
