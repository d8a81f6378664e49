//! `get_model`: get one model with its resolved fields.
//!
//! Source: API reference "Get Model", 2025-09-18. It takes `async` too, although no job type is
//! documented for it (gap G5): the type in the returned job is used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::polytomic::{Definition, Job, Model, ModelId};
use crate::registry::{Context, Effect, NextCall, Operation, Resolved, ToolError};
use crate::tools::definition::{mask_definition, model_at};
use crate::tools::listing::Detail;

pub(super) struct GetModel;

const MASKED: &str = "Secrets are masked as ********, which no call may pass. Before create_model fill in each of them. \
    For update_model leave their properties out.";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    model_id: ModelId,
    #[serde(default)]
    detail: ModelDetail,
}

/// `definition`: the arguments to create it with; `full`: all of each field; default `summary`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ModelDetail {
    #[default]
    Summary,
    Full,
    Definition,
}

#[skip_serializing_none]
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The model; absent while `job` is unfinished.
    model: Option<Model>,
    /// The arguments that create the same model.
    #[schemars(with = "Option<Map<String, Value>>")]
    definition: Option<Map<String, Value>>,
    /// What the definition cannot express, or that the status of the job is unknown.
    notice: Option<String>,
    /// The job that reads it, if the API returned one.
    job: Option<Job>,
    /// The call that continues, while the job is unfinished.
    next: Option<NextCall>,
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
        let response = cx.client().get_model(args.model_id, &cx.call_options()).await?;
        let Resolved { data, job, next, notice } = cx.resolve(response).await?;
        let (Some(model), detail) = (data, args.detail) else {
            let notice = notice.map(str::to_owned);
            return Ok(Output { job, next, notice, ..Output::default() });
        };
        let detail = match detail {
            ModelDetail::Summary => Detail::Summary,
            ModelDetail::Full => Detail::Full,
            ModelDetail::Definition => return Ok(definition(&model)),
        };
        let model = Some(model_at(detail, model));
        Ok(Output { model, job, next, ..Output::default() })
    }

    fn may_be_truncated(output: &Output) -> bool {
        // A part of a definition is another model's.
        output.definition.is_none()
    }
}

fn definition(model: &Model) -> Output {
    let Definition { mut request, omitted, remarks } = model.definition();
    let mut notices = Vec::new();
    if !omitted.is_empty() {
        let omitted = omitted.join("; ");
        notices.push(format!("The definition lacks what arguments cannot express: {omitted}."));
    }
    notices.extend(remarks.into_iter().map(str::to_owned));
    if mask_definition(&mut request) {
        notices.push(MASKED.to_owned());
    }
    let notice = (!notices.is_empty()).then(|| notices.join(" "));
    Output { definition: Some(request), notice, ..Output::default() }
}
