//! `preview_model`: get the fields a model would have, without creating it.
//!
//! Source: API reference "Preview Model", 2025-09-18. Its text describes a job whose result is a list of fields,
//! its schema a model (gaps G7, G11): both are accepted. No name is needed.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use super::create_model::NESTED;
use crate::polytomic::{Field, Job, LongList, Model, NewModel, Preview};
use crate::registry::{
    Context, Effect, MODEL, NextCall, Operation, Resolved, SameArguments, ToolError,
};
use crate::tools::definition::{WithDetail, fields_at, model_at, refuse_masks_in};

pub(super) struct PreviewModel;

/// A model with an optional `name`.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Previewed(NewModel);

impl JsonSchema for Previewed {
    fn schema_name() -> Cow<'static, str> {
        "PreviewModel".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = NewModel::json_schema(generator);
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
    fields: Option<LongList<Field>>,
    /// The job that resolves the fields, if the API returned one.
    job: Option<Job>,
    /// The call that continues, while the job is unfinished.
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
    const SAME_AS: Option<SameArguments> = Some(NESTED);
    type Args = WithDetail<Previewed>;
    type Output = Output;

    async fn call(cx: &Context, args: Self::Args) -> Result<Output, ToolError> {
        let WithDetail { args: Previewed(model), detail } = args;
        refuse_masks_in(MODEL, &model)?;
        let response = cx.client().preview_model(&model, &cx.call_options()).await?;
        let Resolved { data, job, next, notice } = cx.resolve(response).await?;
        let (model, fields) = data.map_or((None, None), Preview::split);
        let (model, fields) = (
            model.map(|model| model_at(detail, model)),
            fields.map(|fields| fields_at(detail, fields)),
        );
        Ok(Output { model, fields, job, next, notice })
    }
}
