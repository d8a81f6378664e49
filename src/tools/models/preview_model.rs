//! `preview_model`: get the fields a model would have, without creating it.
//!
//! Source: API reference "Preview Model", 2025-09-18. Its text describes a job whose result is a list of fields,
//! its schema a model (gaps G7, G11): both are accepted. No name is needed.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use super::create_model::{abbreviated_schema, coerce_nested};
use crate::polytomic::{Field, Job, Model, NewModel, Preview};
use crate::registry::{Context, Effect, NextCall, Operation, Resolved, ToolError};

pub(super) struct PreviewModel;

/// The arguments of `create_model`, with an optional `name`.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Args(NewModel);

impl JsonSchema for Args {
    fn schema_name() -> Cow<'static, str> {
        "PreviewModel".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = abbreviated_schema(generator);
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
    /// The fields, if the API returns only those.
    #[schemars(with = "Option<Vec<Map<String, Value>>>")]
    fields: Option<Vec<Field>>,
    /// The job that resolves the fields, if the API returned one.
    job: Option<Job>,
    /// The call that continues; present while the job is unfinished.
    next: Option<NextCall>,
    /// Present if the status of the job is unknown.
    notice: Option<&'static str>,
}

impl Operation for PreviewModel {
    const NAME: &'static str = "preview_model";
    const TITLE: &'static str = "Preview model";
    const DESCRIPTION: &'static str = "Get the fields a model would have, with their types, \
        without creating it. Before: `get_model_source` for what `configuration` can contain. \
        After: `create_model` with the same arguments and a name.";
    const EFFECT: Effect = Effect::Read;
    const JOB: bool = true;
    type Args = Args;
    type Output = Output;

    fn coerce(arguments: &mut Map<String, Value>) -> Result<(), ToolError> {
        coerce_nested(arguments)
    }

    async fn call(cx: &Context, Args(model): Args) -> Result<Output, ToolError> {
        let response = cx.client().preview_model(&model, cx.call_options()).await?;
        let Resolved { data, job, next, notice } = cx.resolve(response).await?;
        let (model, fields) = data.map_or((None, None), Preview::split);
        Ok(Output { model, fields, job, next, notice })
    }
}
