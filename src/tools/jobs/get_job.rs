//! `get_job`: get the status and result of a background job.
//!
//! Source: API reference "Get Job", 2025-09-18. The shape of `result` is undocumented for models; gap G7 has the
//! interpretation followed here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::polytomic::{Field, Job, JobId, JobStatus, LongList, Model, Preview, RawJson};
use crate::registry::{
    Context, Effect, NextCall, Operation, ToolError, TruncatedList, unknown_status,
};
use crate::tools::definition::{MAX_RECORDS, Sampled, fields_at, mask_result, model_at};
use crate::tools::listing::Detail;

pub(super) struct GetJob;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// The job's type as returned, e.g. `createmodel`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64))]
    kind: String,
    job_id: JobId,
    /// Seconds to wait for it to end, 0 to 600, e.g. `30`; 0, the default, does not wait.
    #[serde(default)]
    #[schemars(range(max = 600))]
    #[expect(dead_code, reason = "the registry takes it off the call, since it sets the deadline")]
    wait_seconds: u32,
    #[serde(default)]
    detail: Detail,
    /// Maximum records, 0 to 1000, default all, e.g. `3`; 0: only columns and types.
    #[serde(default)]
    #[schemars(range(max = MAX_RECORDS))]
    limit: Option<u32>,
}

#[skip_serializing_none]
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The job.
    job: Job,
    /// Result of a createmodel, updatemodel or previewmodel job.
    model: Option<Model>,
    /// Result of a previewmodel job, if the API returns only fields.
    #[schemars(with = "Option<Vec<Map<String, Value>>>")]
    fields: Option<LongList<Field>>,
    #[serde(flatten)]
    sample: Sampled,
    /// How to treat values in `records`, or that the status of the job is unknown.
    notice: Option<&'static str>,
    /// Result of any other job: a value of any type.
    #[schemars(skip)]
    result: Option<Value>,
    /// The call that continues, while the job is unfinished.
    next: Option<NextCall>,
}

impl Operation for GetJob {
    const NAME: &'static str = "get_job";
    const TITLE: &'static str = "Get job";
    const DESCRIPTION: &'static str = "Get the status and result of a background job: the \
        model, fields or records it produced. Take the arguments from `next` of the call that \
        started it. A failed job is an error with the job's message in `details`.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let current = cx.client().get_job(&args.kind, args.job_id, &cx.call_options()).await?;
        // The handle stays the caller's, whatever the response contains.
        let (kind, job_id) = (Some(args.kind), Some(args.job_id.to_string()));
        let job = Job { kind, job_id, ..current };
        let mut job = cx.wait_for(job).await?;
        let result = job.result.take();
        let mut output = Output { job, ..Output::default() };
        match (&output.job.status, result) {
            (Some(JobStatus::Done), Some(result)) => {
                output.set_result(cx, &result, args.detail, args.limit)?;
                if let (Some("createmodel"), Some(model)) =
                    (output.job.kind.as_deref(), &output.model)
                {
                    cx.remember_result(args.job_id, model).await;
                }
            }
            (Some(JobStatus::Done), None) => {}
            _ => {
                output.next = NextCall::get_job(&output.job);
                if args.limit == Some(0) {
                    output.next = output.next.map(NextCall::without_records);
                }
                output.notice = unknown_status(&output.job);
            }
        }
        Ok(output)
    }

    fn truncated_by_tool(output: &Output) -> Option<TruncatedList> {
        output.sample.truncated()
    }
}

impl Output {
    fn set_result(
        &mut self,
        cx: &Context,
        result: &RawJson,
        detail: Detail,
        limit: Option<u32>,
    ) -> Result<(), ToolError> {
        match self.job.kind.as_deref() {
            Some("createmodel" | "updatemodel") => {
                let model: Option<Model> = cx.read_job_result(result, &self.job)?;
                self.model = model.map(|model| model_at(detail, model));
            }
            Some("previewmodel") => {
                let preview: Preview = cx.read_job_result(result, &self.job)?;
                let (model, fields) = preview.split();
                self.model = model.map(|model| model_at(detail, model));
                self.fields = fields.map(|fields| fields_at(detail, fields));
            }
            Some("samplemodel") => {
                let sample = cx.read_job_result(result, &self.job)?;
                let (sample, notice) = Sampled::of(sample, limit);
                (self.sample, self.notice) = (sample, Some(notice));
            }
            _ => {
                let mut result = cx.read_job_result(result, &self.job)?;
                mask_result(&mut result);
                self.result = Some(result);
            }
        }
        Ok(())
    }
}
