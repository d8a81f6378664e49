//! What a call may use: the client, how the call is made, when it ends. It says nothing of who called.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::{Code, Outcome, ToolError};
use crate::polytomic::{Answer, CallOptions, Client, Error, Job, JobStatus};

/// Polling ends this long before the deadline, so that the handle can still be answered.
const BEFORE_DEADLINE: Duration = Duration::from_secs(2);

/// The options that the registry adds to a tool that may become a job, and takes off the call.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JobOptions {
    /// Ask the API to work in the background, e.g. `true` where it takes over 10 s.
    #[serde(default, rename = "async")]
    pub(super) background: bool,
    /// Seconds to wait for an unfinished job, 0 to 600, e.g. `60`; 0 answers at once.
    #[serde(default = "default_wait")]
    #[schemars(range(max = 600))]
    pub(super) wait_seconds: u32,
}

/// How long a job is waited for where nobody says.
pub(super) fn default_wait() -> u32 {
    30
}

/// Hears of a job each time it has been looked at.
pub type Progress = Arc<dyn Fn(&Job) + Send + Sync>;

/// What a call may use.
pub struct Context {
    client: Client,
    options: CallOptions,
    wait: Duration,
    deadline: Instant,
    stop: CancellationToken,
    progress: Option<Progress>,
}

/// An answer of the API's after waiting: data, or the job and the call that goes on from there.
pub struct Settled<T> {
    /// What was asked for; absent while the job is unfinished.
    pub data: Option<T>,
    /// The job, where the API spoke of one.
    pub job: Option<Job>,
    /// Present while the job is unfinished.
    pub next: Option<NextCall>,
}

/// The call that goes on from here.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NextCall {
    tool: &'static str,
    arguments: NextArguments,
}

#[derive(Debug, Serialize, JsonSchema)]
struct NextArguments {
    #[serde(rename = "type")]
    kind: String,
    job_id: String,
}

impl NextCall {
    /// How to ask for a job again; none without its type and id.
    #[must_use]
    pub fn get_job(job: &Job) -> Option<Self> {
        let (kind, job_id) = job.handle()?;
        let arguments = NextArguments { kind: kind.to_owned(), job_id: job_id.to_string() };
        Some(Self { tool: "get_job", arguments })
    }
}

impl Context {
    pub(super) fn new(
        client: Client,
        background: bool,
        wait: Duration,
        deadline: Instant,
        stop: CancellationToken,
        progress: Option<Progress>,
    ) -> Self {
        let options = CallOptions {
            background,
            deadline: Some(deadline),
            stop: Some(stop.clone()),
            ..CallOptions::default()
        };
        Self { client, options, wait, deadline, stop, progress }
    }

    /// The API.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How this call is made.
    #[must_use]
    pub fn call_options(&self) -> &CallOptions {
        &self.options
    }

    /// Waits for a job as long as the caller wants, at most until 2 s before the deadline or until the
    /// program is about to stop: then its handle is worth more than the rest of the wait.
    ///
    /// # Errors
    /// `job_failed`; what reading the job answers otherwise, with the job's handle in `details`.
    pub async fn wait_for(&self, job: Job) -> Result<Job, ToolError> {
        let until = (Instant::now() + self.wait).min(self.deadline - BEFORE_DEADLINE);
        let enough = async {
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = self.stop.cancelled() => {}
            }
        };
        let handle = (job.kind.clone(), job.job_id.clone());
        let seen = |job: &Job| {
            if let Some(progress) = &self.progress {
                progress(job);
            }
        };
        self.client.wait_for_job(job, enough, seen, &self.options).await.map_err(|error| {
            let failed = matches!(error, Error::JobFailed { .. });
            let told = ToolError::from(error);
            if failed {
                return told;
            }
            // The work goes on in the API although its job could not be read.
            told.with_outcome(Outcome::Unknown)
                .with_detail("type", handle.0)
                .with_detail("job_id", handle.1)
        })
    }

    /// Makes of an answer what the caller gets: data as it is, even beside an unfinished job; a lone job
    /// is waited for, and its result read in place of the data.
    ///
    /// # Errors
    /// As [`Context::wait_for`]; `upstream_error` for a result that does not fit.
    pub async fn settle<T: DeserializeOwned>(
        &self,
        answer: Answer<T>,
    ) -> Result<Settled<T>, ToolError> {
        let job = match (answer.data, answer.job) {
            (Some(data), job) => {
                return Ok(Settled { data: Some(data), job, next: None });
            }
            (None, Some(job)) => self.wait_for(job).await?,
            // The client has refused an answer with neither.
            (None, None) => {
                return Ok(Settled { data: None, job: None, next: None });
            }
        };
        if job.status != Some(JobStatus::Done) {
            let next = NextCall::get_job(&job);
            return Ok(Settled { data: None, job: Some(job), next });
        }
        let data = job.result.clone().map(|result| read_result(result, &job)).transpose()?;
        Ok(Settled { data, job: Some(job), next: None })
    }
}

/// Reads a job's result, which may or may not repeat the envelope (gap G7).
///
/// # Errors
/// `upstream_error` when it does not fit.
pub(super) fn read_result<T: DeserializeOwned>(result: Value, job: &Job) -> Result<T, ToolError> {
    serde_json::from_value(unwrapped(result)).map_err(|error| {
        ToolError::new(
            Code::UpstreamError,
            "The job is done, but its result is not what the Polytomic API promises.",
            "Look with list_models or get_model at what it has done.",
        )
        .with_outcome(Outcome::Unknown)
        .with_detail("reason", Some(error.to_string()))
        .with_detail("type", job.kind.clone())
        .with_detail("job_id", job.job_id.clone())
    })
}

/// Takes the envelope off: an object with only `data`, and maybe `job` (gap G7).
#[must_use]
pub(super) fn unwrapped(result: Value) -> Value {
    match result {
        Value::Object(mut map)
            if map.contains_key("data") && map.keys().all(|k| k == "data" || k == "job") =>
        {
            map.remove("data").unwrap_or_default()
        }
        other => other,
    }
}
