//! `preview_model`: the fields a model would have, without saving it.
//!
//! Source: API reference "Preview Model", 2025-09-18. The reference speaks of a job whose result is a
//! list of fields, its schema of a model (gaps G7, G11): both are taken. No name is needed.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use super::create_model::{mend_parts, referred_to};
use crate::polytomic::{Field, Job, Model, NewModel, Preview};
use crate::tools::{Context, Effect, NextCall, Operation, ToolError};

pub(super) struct PreviewModel;

/// The arguments of `create_model`, of which `name` may be left out.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Args(NewModel);

impl JsonSchema for Args {
    fn schema_name() -> Cow<'static, str> {
        "PreviewModel".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = referred_to(generator);
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            required.retain(|name| name != "name");
        }
        schema
    }
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The model as it would be; absent while `job` is unfinished.
    model: Option<Model>,
    /// The fields alone, where the API answers no more than those.
    #[schemars(with = "Option<Vec<Map<String, Value>>>")]
    fields: Option<Vec<Field>>,
    /// The job that looks; absent when the API answered without one.
    job: Option<Job>,
    /// The call that goes on from here; present while the job is unfinished.
    next: Option<NextCall>,
}

impl Operation for PreviewModel {
    const NAME: &'static str = "preview_model";
    const TITLE: &'static str = "Preview model";
    const DESCRIPTION: &'static str = "Find out the fields a model would have, with their types, \
        without saving anything. Before: `get_model_source` for what `configuration` may hold. \
        After: `create_model` with the same arguments and a name.";
    const EFFECT: Effect = Effect::Read;
    const JOB: bool = true;
    type Args = Args;
    type Output = Output;

    fn mend(arguments: &mut Map<String, Value>) -> Result<(), ToolError> {
        mend_parts(arguments)
    }

    async fn call(cx: &Context, Args(model): Args) -> Result<Output, ToolError> {
        let answer = cx.client().preview_model(&model, cx.call_options()).await?;
        let settled = cx.settle(answer).await?;
        let (model, fields) = settled.data.map_or((None, None), Preview::split);
        Ok(Output { model, fields, job: settled.job, next: settled.next })
    }
}
