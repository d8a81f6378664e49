//! `get_job`: how far background work is, and what it produced.
//!
//! Source: API reference "Get Job", 2025-09-18. What `result` holds for models is not written; gap G7
//! has the reading followed here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::polytomic::{Field, Job, JobId, JobStatus, Model, Preview, Sample};
use crate::tools::context::{read_result, unwrapped};
use crate::tools::models::sample_records::NOTICE;
use crate::tools::{Context, Effect, NextCall, Operation, ToolError};

pub(super) struct GetJob;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// The job's type as answered, e.g. `createmodel`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64))]
    kind: String,
    job_id: JobId,
    /// Seconds to wait for its end, e.g. `30`; 0 only looks.
    #[serde(default)]
    #[schemars(range(max = 600))]
    #[expect(dead_code, reason = "the registry takes it off the call: it sets the deadline too")]
    wait_seconds: u32,
}

#[skip_serializing_none]
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Output {
    /// How far it is.
    job: Job,
    /// What a createmodel, updatemodel or previewmodel job made.
    model: Option<Model>,
    /// What a previewmodel job made, where the API answers the fields alone.
    #[schemars(with = "Option<Vec<Map<String, Value>>>")]
    fields: Option<Vec<Field>>,
    /// What a samplemodel job read.
    records: Option<Vec<Map<String, Value>>>,
    /// Problems that did not stop the sampling.
    warnings: Option<Vec<String>>,
    /// What values in `records` are.
    notice: Option<&'static str>,
    /// What any other job made: a value of any type.
    #[schemars(skip)]
    result: Option<Value>,
    /// The call that goes on from here; present while the job is unfinished.
    next: Option<NextCall>,
}

impl Operation for GetJob {
    const NAME: &'static str = "get_job";
    const TITLE: &'static str = "Get job";
    const DESCRIPTION: &'static str = "Look at background work and get what it produced: the \
        model, the fields or the records. Arguments: `next` of the call that started it. A \
        failed job is an error with the job's text in `details`.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let seen = cx.client().get_job(&args.kind, args.job_id, cx.call_options()).await?;
        // The handle is the caller's own, whatever the answer says of it.
        let (kind, job_id) = (Some(args.kind), Some(args.job_id.to_string()));
        let job = Job { kind, job_id, ..seen };
        let mut job = cx.wait_for(job).await?;
        let result = job.result.take().filter(|result| !result.is_null());
        let mut output = Output { job, ..Output::default() };
        match (&output.job.status, result) {
            (Some(JobStatus::Done), Some(result)) => output.take(result)?,
            (Some(JobStatus::Done), None) => {}
            _ => output.next = NextCall::get_job(&output.job),
        }
        Ok(output)
    }
}

impl Output {
    fn take(&mut self, result: Value) -> Result<(), ToolError> {
        match self.job.kind.as_deref() {
            Some("createmodel" | "updatemodel") => self.model = read_result(result, &self.job)?,
            Some("previewmodel") => {
                let preview: Preview = read_result(result, &self.job)?;
                (self.model, self.fields) = preview.split();
            }
            Some("samplemodel") => {
                let sample: Sample = read_result(result, &self.job)?;
                self.notice = Some(NOTICE);
                (self.records, self.warnings) = (sample.records, Some(sample.warnings));
            }
            _ => self.result = Some(unwrapped(result)),
        }
        Ok(())
    }
}
