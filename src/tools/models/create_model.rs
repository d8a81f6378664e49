//! `create_model`: create a model from a table, view or query of one connection.
//!
//! Source: API reference "Create Model", 2025-09-18. A slow request, or one with `async`, returns a
//! `createmodel` job, which `resolve_created` waits for. The client retries; this tool does not.

use schemars::JsonSchema;
use serde::Serialize;
use serde_with::skip_serializing_none;

use crate::polytomic::{Job, Model, NewModel};
use crate::registry::{
    Context, Effect, MODEL, NextCall, Operation, Question, Resolved, SameArguments, Stake, Subject,
    ToolError, quoted_name,
};
use crate::tools::definition::{WithDetail, model_at, refuse_masks_in};

pub(super) struct CreateModel;

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The created model; absent while `job` is unfinished.
    model: Option<Model>,
    /// The job that creates it, if the API returned one.
    job: Option<Job>,
    /// The call that continues, while the job is unfinished.
    next: Option<NextCall>,
    /// Present if the status of the job is unknown.
    notice: Option<&'static str>,
}

impl Operation for CreateModel {
    const NAME: &'static str = "create_model";
    const TITLE: &'static str = "Create model";
    const DESCRIPTION: &'static str = "Create a model from a table, view or SQL query of a \
        connection, for syncs to read from. Every call creates a new model, except that after an error \
        with `outcome` unknown the same call can be repeated and creates no second one. Before: \
        `get_model_source` for the tables, `preview_model` for the fields. After: \
        `sample_records`, or `get_job` if the job takes longer than `wait_seconds`.";
    const EFFECT: Effect = Effect::Write { idempotent: false, overwrites: false };
    const JOB: bool = true;
    const CREATES_MODEL: bool = true;
    // The rest of a truncated result is get_model's.
    const LARGE_RESULTS: bool = false;
    type Args = WithDetail<NewModel>;
    type Output = Output;

    async fn call(cx: &Context, args: Self::Args) -> Result<Output, ToolError> {
        refuse_masks_in(MODEL, &args.args)?;
        let question = async || {
            let NewModel { name, connection_id, .. } = &args.args;
            let name = quoted_name(name);
            let text = format!("Create the model {name} from connection {connection_id}?");
            Question::about_arguments(text)
        };
        cx.confirm(Stake::Change, Subject::New(MODEL), "Nothing was created.", question).await?;
        let response = cx.client().create_model(&args.args, &cx.call_options()).await?;
        let Resolved { data, job, next, notice } = cx.resolve_created(response).await?;
        let model = data.map(|model| model_at(args.detail, model));
        Ok(Output { model, job, next, notice })
    }
}

/// Arguments whose properties only this tool describes.
pub(super) const NESTED: SameArguments = SameArguments {
    tool: CreateModel::NAME,
    arguments: &["additional_fields", "enricher", "relations"],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_of_the_reference_is_sent_unchanged() {
        let reference = serde_json::json!({
            "connection_id": "248df4b7-aa70-47b8-a036-33ac447e668d",
            "name": "Users",
            "configuration": {"table": "public.users"},
        });
        let model: NewModel = serde_json::from_value(reference.clone()).unwrap();
        assert_eq!(serde_json::to_value(&model).unwrap(), reference);
    }
}
