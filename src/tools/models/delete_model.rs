//! `delete_model`: remove a model for good.
//!
//! Source: API reference "Delete Model", 2025-09-18. The API does not refuse because of syncs that use
//! the model; they break. No `async` is sent, and no body is documented; a
//! job is waited for if one comes (gap G6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::polytomic::{Job, ModelId};
use crate::tools::{Context, Effect, NextCall, Operation, ToolError};

pub(super) struct DeleteModel;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    model_id: ModelId,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// True when the model is gone; false while the API is still at it.
    deleted: bool,
    /// The model.
    model_id: ModelId,
    /// The job that deletes it, where the API speaks of one.
    job: Option<Job>,
    /// The call that goes on from here; present while the job is unfinished.
    next: Option<NextCall>,
}

impl Operation for DeleteModel {
    const NAME: &'static str = "delete_model";
    const TITLE: &'static str = "Delete model";
    const DESCRIPTION: &'static str = "Delete a model for good. Syncs that read from it stop \
        working, and nothing asks back. Before: `get_model` to be sure that it is the one.";
    const EFFECT: Effect = Effect::Destructive;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let model_id = args.model_id;
        let Some(job) = cx.client().delete_model(model_id, cx.call_options()).await? else {
            return Ok(Output { deleted: true, model_id, job: None, next: None });
        };
        let job = cx.wait_for(job).await?;
        let deleted = job.has_ended();
        let next = if deleted { None } else { NextCall::get_job(&job) };
        Ok(Output { deleted, model_id, job: Some(job), next })
    }
}
