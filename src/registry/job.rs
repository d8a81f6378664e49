//! Jobs and executions in a call: waiting for them, reading the results of jobs, and handing over those that are not done in
//! time.
//!
//! Source: contract section 2; gap G7 for the shape of results.

use std::future::{Future, ready};
use std::time::Duration;

use futures_util::future::Either;
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::context::Context;
use super::error::{ErrorCode, Outcome, ToolError};
use super::redaction;
use super::shared_arguments::DEFAULT_WAIT;
use crate::polytomic::{
    ClaimedKey, Delivery, Error, Execution, ExecutionId, Job, JobError, JobStatus, RawJson,
    Response, SyncId, read_again,
};

/// Polling ends this long before the deadline, so that the job's handle can still be returned.
const POLLING_MARGIN: Duration = Duration::from_secs(2);

/// A response after waiting for its job: data, or the job and the call that continues.
pub struct Resolved<T> {
    /// The requested object; absent while the job is unfinished.
    pub data: Option<T>,
    /// The job, if the API responded with one.
    pub job: Option<Job>,
    /// Present while the job is unfinished.
    pub next: Option<NextCall>,
    /// Present while its status is unknown, e.g. `paused`.
    pub notice: Option<&'static str>,
}

/// The call that continues from here: of `get_job`, unless it has other arguments.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NextCall<A = JobArguments> {
    tool: &'static str,
    arguments: A,
}

/// The arguments of a call of `get_job`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct JobArguments {
    #[serde(rename = "type")]
    kind: String,
    job_id: String,
    /// Seconds to wait; without it get_job returns at once.
    wait_seconds: u64,
    /// 0 for records without their values.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    limit: Option<u32>,
}

/// The arguments of a call that gets an execution of a sync.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExecutionArguments {
    sync_id: SyncId,
    execution_id: ExecutionId,
    /// Seconds to wait for its end.
    wait_seconds: u64,
}

impl NextCall {
    /// The call that gets a job; none for a job without type and id.
    #[must_use]
    pub fn get_job(job: &Job) -> Option<Self> {
        let (kind, job_id) = job.handle()?;
        let (kind, job_id) = (kind.to_owned(), job_id.to_string());
        let wait_seconds = DEFAULT_WAIT.as_secs();
        let arguments = JobArguments { kind, job_id, wait_seconds, limit: None };
        Some(Self { tool: "get_job", arguments })
    }

    /// The same call for records without their values.
    #[must_use]
    pub fn without_records(mut self) -> Self {
        self.arguments.limit = Some(0);
        self
    }
}

impl NextCall<ExecutionArguments> {
    /// The call that gets an execution of a sync; none if it has ended, or has no id.
    #[must_use]
    pub fn get_execution(sync_id: SyncId, execution: &Execution) -> Option<Self> {
        let execution_id = execution.execution_id().filter(|_| !execution.has_ended())?;
        let wait_seconds = DEFAULT_WAIT.as_secs();
        let arguments = ExecutionArguments { sync_id, execution_id, wait_seconds };
        Some(Self { tool: "get_model_sync_execution", arguments })
    }
}

impl Context {
    /// Waits for a job as long as the caller wants, but at most until 2 s before the deadline or until a
    /// shutdown: then returning its handle is worth more than waiting.
    ///
    /// # Errors
    /// `job_failed`; otherwise as [`Client::get_job`](crate::polytomic::Client::get_job), with the job's handle
    /// in `details`.
    pub async fn wait_for(&self, job: Job) -> Result<Job, ToolError> {
        self.wait(job, Delivery::Result).await
    }

    /// As [`Context::wait_for`] for the job of a deletion, which has no result.
    ///
    /// # Errors
    /// As [`Context::wait_for`].
    pub async fn wait_for_deletion(&self, job: Job) -> Result<Job, ToolError> {
        let job = self.wait(job, Delivery::Nothing).await?;
        self.note_job(&job);
        Ok(job)
    }

    /// Ready when this call stops waiting for what it has started.
    async fn stop_waiting(&self) {
        let wanted = Instant::now() + self.job_wait;
        let until = match self.call_options().deadline {
            Some(deadline) => wanted.min(deadline - POLLING_MARGIN),
            None => wanted,
        };
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = self.options.wait_for_shutdown() => {}
        }
    }

    /// Waits for an execution of a sync as long as the caller wants, as [`Context::wait_for`] does for a job. Returns what is
    /// known if it cannot be read again, since an error would hide that it is there.
    pub(crate) async fn wait_for_execution(
        &self,
        sync: SyncId,
        id: ExecutionId,
        execution: Execution,
    ) -> Execution {
        let on_status = |execution: &Execution| {
            if let Some(progress) = &self.progress {
                progress(execution_phrase(execution));
            }
        };
        let (client, options) = (self.client(), &self.call_options());
        let stop_waiting = self.stop_waiting();
        let known = execution.clone();
        let waiting =
            client.wait_for_execution(sync, id, execution, stop_waiting, on_status, options);
        waiting.await.unwrap_or(known)
    }

    async fn wait(&self, job: Job, delivery: Delivery) -> Result<Job, ToolError> {
        let stop_waiting = self.stop_waiting();
        let (kind, job_id) = (job.kind.clone(), job.job_id.clone());
        let on_status = |job: &Job| {
            if let Some(progress) = &self.progress {
                progress(status_phrase(job));
            }
        };
        let (client, options) = (self.client(), &self.call_options());
        let result =
            client.wait_for_delivery(job, delivery, stop_waiting, on_status, options).await;
        result.map(without_secrets).map_err(|error| {
            let job_failed = matches!(error, Error::JobFailed { .. });
            let error = ToolError::from(error);
            if job_failed {
                return error;
            }
            // The job continues in the API although its status could not be read.
            let error = match error.http_status {
                Some(404) => error.with_hint("Call list_models or get_model to see what was done."),
                _ => error,
            };
            error
                .with_outcome(Outcome::Unknown)
                .with_detail("type", kind)
                .with_detail("job_id", job_id)
        })
    }

    /// Turns a response into the result of a call. Data is returned as it is, even beside an unfinished job; a
    /// job without data is waited for, and its result read in place of the data.
    ///
    /// # Errors
    /// As [`Context::wait_for`]; `upstream_error` for a job result of the wrong type.
    pub fn resolve<T: DeserializeOwned + Send>(
        &self,
        response: Response<T>,
    ) -> impl Future<Output = Result<Resolved<T>, ToolError>> + Send {
        match (response.data, response.job) {
            // The client has rejected a response with neither.
            (data @ Some(_), job) | (data, job @ None) => {
                let job = job.map(without_secrets);
                Either::Left(ready(Ok(Resolved { data, job, next: None, notice: None })))
            }
            // On the heap, since most responses have no job.
            (None, Some(job)) => Either::Right(Box::pin(self.wait_and_resolve(job, response.key))),
        }
    }

    /// The same for the job of a response without data.
    async fn wait_and_resolve<T: DeserializeOwned + Send>(
        &self,
        job: Job,
        key: Option<ClaimedKey>,
    ) -> Result<Resolved<T>, ToolError> {
        // Until the job has ended or its handle is returned, an equal call means the same write: it gets the
        // same key, and with it the same job.
        key.iter().for_each(ClaimedKey::mark_outcome_unknown);
        match self.resolve_job(job).await {
            Err(error) if error.outcome == Outcome::Unknown => {
                let key = key.as_ref().and_then(ClaimedKey::for_write);
                Err(error.with_detail("idempotency_key", key))
            }
            result => {
                key.iter().for_each(ClaimedKey::mark_outcome_known);
                result
            }
        }
    }

    /// The same for the response to a write, whose job the audit log names if the call leaves it behind.
    ///
    /// # Errors
    /// As [`Context::resolve`].
    pub async fn resolve_write<T: DeserializeOwned + Send>(
        &self,
        response: Response<T>,
    ) -> Result<Resolved<T>, ToolError> {
        let resolved = self.resolve(response).await?;
        if let (None, Some(job)) = (&resolved.data, &resolved.job) {
            self.note_job(job);
        }
        Ok(resolved)
    }

    /// Adds the job of a write to the audit log's last line of this call, if it continues after the call.
    fn note_job(&self, job: &Job) {
        if let Some(record) = self.audited.as_ref().filter(|_| !job.has_ended()) {
            record.note_unfinished(job);
        }
    }

    async fn resolve_job<T: DeserializeOwned + Send>(
        &self,
        job: Job,
    ) -> Result<Resolved<T>, ToolError> {
        let mut job = self.wait_for(job).await?;
        if job.status != Some(JobStatus::Done) {
            let (next, notice) = (NextCall::get_job(&job), unknown_status(&job));
            return Ok(Resolved { data: None, job: Some(job), next, notice });
        }
        let result = job.result.take();
        let data = result.map(|result| self.read_job_result(&result, &job)).transpose()?;
        Ok(Resolved { data, job: Some(job), next: None, notice: None })
    }
}

impl Context {
    /// Reads a job's result, which may or may not repeat the envelope (gap G7).
    ///
    /// # Errors
    /// `upstream_error` if it has the wrong type.
    pub(crate) fn read_job_result<T: DeserializeOwned>(
        &self,
        result: &RawJson,
        job: &Job,
    ) -> Result<T, ToolError> {
        let json = unwrap_envelope(result.get());
        read_again(json, self.options.repairs.as_ref()).map_err(|error| {
            ToolError::new(
                ErrorCode::UpstreamError,
                "The job is done, but its result does not follow the Polytomic API.",
                "Call list_models or get_model to see what was done.",
            )
            .with_outcome(Outcome::Unknown)
            .with_detail("reason", Some(error.to_string()))
            .with_detail("type", job.kind.clone())
            .with_detail("job_id", job.job_id.clone())
        })
    }
}

/// A job with the secrets masked in what the API says about it; those of its result depend on what it is.
fn without_secrets(mut job: Job) -> Job {
    if let Some(JobError(message)) = &mut job.error {
        *message = redaction::mask_text(message);
    }
    job.rest.iter_mut().for_each(|rest| redaction::mask(rest));
    job
}

/// A notice for a job whose status the API does not document: it may or may not have ended.
pub(crate) fn unknown_status(job: &Job) -> Option<&'static str> {
    matches!(job.status, Some(JobStatus::Other(_))).then_some(
        "The status of the job is not one that the API documents, so it may or may not have ended.",
    )
}

fn status_phrase(job: &Job) -> &'static str {
    match job.status {
        Some(JobStatus::Created) => "the job is waiting to start",
        Some(JobStatus::Running) => "the job is running",
        Some(JobStatus::Done) => "the job is done",
        Some(JobStatus::Failed) => "the job has failed",
        Some(JobStatus::Stopped) => "the job was stopped",
        _ => "the job has another status",
    }
}

fn execution_phrase(execution: &Execution) -> &'static str {
    match execution.status.as_deref().unwrap_or_default() {
        "created" | "scheduled" | "queued" | "waiting" => "the execution is waiting to start",
        "running" | "processing" => "the execution is running",
        "canceling" => "the execution is being cancelled",
        "canceled" => "the execution was cancelled",
        "completed" => "the execution is done",
        "failed" | "interrupted" => "the execution has failed",
        _ => "the execution has another status",
    }
}

/// The envelope around a result: an object with only `data`, and maybe `job` (gap G7).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResultEnvelope<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(default, rename = "job")]
    _job: Option<IgnoredAny>,
}

/// A result as JSON text, without its envelope.
fn unwrap_envelope(result: &str) -> &str {
    // serde would read a list as an envelope too.
    let envelope =
        result.starts_with('{').then(|| serde_json::from_str::<ResultEnvelope<'_>>(result).ok());
    envelope.flatten().map_or(result, |envelope| envelope.data.get())
}
