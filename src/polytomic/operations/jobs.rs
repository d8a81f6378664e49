//! Getting a job, and polling it with growing delays until it ends or the caller stops waiting.
//!
//! Source: contract section 2 (jobs).

use crate::polytomic::client::{CallOptions, Client};
use crate::polytomic::error::Error;
use crate::polytomic::failed_request::{ApiOperation, Subject};
use crate::polytomic::polling::Polling;
use crate::polytomic::request::{Request, path};
use crate::polytomic::types::{Delivery, Job, JobId, JobStatus};

impl Client {
    /// Gets a job. `kind` is the job's `type`, e.g. `createmodel`.
    ///
    /// # Errors
    /// [`Error::Status`] with 400 for an unknown type, 404 for an unknown id.
    pub async fn get_job(
        &self,
        kind: &str,
        id: JobId,
        options: &CallOptions,
    ) -> Result<Job, Error> {
        self.send_for_data(job_request(kind, id)?, options).await
    }

    /// Polls `job` until it has ended or `stop_waiting` is ready, and returns its latest state. `on_status` is
    /// called with each state. Transient failures (no connection, no response in time, 408, 429, 500, 502 to
    /// 504) do not end the polling: the next poll serves as the retry, after `Retry-After` if the API sends one.
    ///
    /// Cancel-safe: dropping it drops the request in flight; the job continues in the API.
    ///
    /// # Errors
    /// [`Error::JobFailed`] when the job failed or was stopped; otherwise as [`Client::get_job`].
    pub async fn wait_for_job(
        &self,
        job: Job,
        stop_waiting: impl Future<Output = ()>,
        on_status: impl Fn(&Job),
        options: &CallOptions,
    ) -> Result<Job, Error> {
        self.wait_for_delivery(job, Delivery::Result, stop_waiting, on_status, options).await
    }

    /// As [`Client::wait_for_job`] for a job that delivers this.
    ///
    /// # Errors
    /// As [`Client::wait_for_job`].
    pub(crate) async fn wait_for_delivery(
        &self,
        job: Job,
        delivery: Delivery,
        stop_waiting: impl Future<Output = ()>,
        on_status: impl Fn(&Job),
        options: &CallOptions,
    ) -> Result<Job, Error> {
        // Read again: the type of the job is known here, which a response may leave out.
        let mut job = job.read_status(delivery);
        let mut polling = Polling::new(stop_waiting);
        loop {
            on_status(&job);
            match &job.status {
                Some(JobStatus::Done) => return Ok(job),
                Some(JobStatus::Failed | JobStatus::Stopped) => return Err(self.job_failed(job)),
                // A word outside the contract may be a new one for "running".
                _ => {}
            }
            let Some((kind, id)) = job.handle().map(|(kind, id)| (kind.to_owned(), id)) else {
                return Ok(job);
            };
            let request = || job_request(&kind, id);
            let Some(latest) = polling.next(self, request, options).await? else {
                return Ok(job);
            };
            // The handle stays the first one, whatever later responses contain.
            job = Job { job_id: job.job_id, kind: job.kind, ..latest }.read_status(delivery);
        }
    }

    fn job_failed(&self, job: Job) -> Error {
        let was_stopped = job.status == Some(JobStatus::Stopped);
        let handle = job.handle().map(|(kind, id)| (kind.to_owned(), id.to_string()));
        let (kind, job_id) = handle.unwrap_or_default();
        // The text may quote what the API was sent, the credential included.
        let error = job.error.map(|error| self.config.credential.redact(&error.0));
        let error = error.filter(|error| !error.trim().is_empty());
        Error::JobFailed { kind, job_id, error, was_stopped }
    }
}

fn job_request(kind: &str, id: JobId) -> Result<Request, Error> {
    let operation = ApiOperation::read("get_job", Subject::Job(id));
    let path = path(&["api", "jobs", kind, &id.to_string()])?;
    Ok(Request::get(operation, path, Vec::new()))
}
