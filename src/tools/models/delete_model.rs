//! `delete_model`: remove a model for good.
//!
//! Source: API reference "Delete Model", 2025-09-18. The API does not refuse because of syncs that use
//! the model; they break. No `async` is sent, since no delete job exists (gap G6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::polytomic::ModelId;
use crate::tools::{Context, Effect, Operation, ToolError};

pub(super) struct DeleteModel;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    model_id: ModelId,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// Always true: anything else is an error.
    deleted: bool,
    /// The model that is gone.
    model_id: ModelId,
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
        cx.client().delete_model(args.model_id, cx.call_options()).await?;
        Ok(Output { deleted: true, model_id: args.model_id })
    }
}
