//! `get_model`: get one model with its resolved fields.
//!
//! Source: API reference "Get Model", 2025-09-18. It takes `async` too, although no job type is
//! documented for it (gap G5): the type in the returned job is used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::polytomic::{Job, Model, ModelId};
use crate::registry::{Context, Effect, NextCall, Operation, Resolved, ToolError};

pub(super) struct GetModel;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    model_id: ModelId,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The model; absent while `job` is unfinished.
    model: Option<Model>,
    /// The job that reads it, if the API returned one.
    job: Option<Job>,
    /// The call that continues; present while the job is unfinished.
    next: Option<NextCall>,
    /// Present if the status of the job is unknown.
    notice: Option<&'static str>,
}

impl Operation for GetModel {
    const NAME: &'static str = "get_model";
    const TITLE: &'static str = "Get model";
    const DESCRIPTION: &'static str = "Get a model: its source, its fields with their types, \
        identifier, relations, enricher, version and who changed it. Before: `list_models`. \
        After: `sample_records`.";
    const EFFECT: Effect = Effect::Read;
    const JOB: bool = true;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let response = cx.client().get_model(args.model_id, cx.call_options()).await?;
        let Resolved { data: model, job, next, notice } = cx.resolve(response).await?;
        Ok(Output { model, job, next, notice })
    }
}
