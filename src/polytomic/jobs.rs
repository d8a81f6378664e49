//! Waiting for a job: growing pauses, until it ends or the caller's time is up.
//!
//! Source: contract section 2: no interval is published; half a second growing by half to five is
//! suggested. The first pause is shorter, since most jobs are done in a moment.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::types::{Job, JobId, JobStatus};
use super::{CallOptions, Client, Error};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A word for the status that the contract does not know may be a new way of saying "running".
const UNKNOWN_STATUSES: u32 = 10;

impl Client {
    /// Polls `job` until it is done or `until` has come, and gives it as last seen; `seen` hears of it
    /// each time. Failures that may pass (no connection, 5xx) are polled through.
    ///
    /// Cancel-safe: dropping it drops the request in flight; the job goes on in the API.
    ///
    /// # Errors
    /// [`Error::JobFailed`] when the job failed; what [`Client::get_job`] answers otherwise.
    pub async fn wait_for_job(
        &self,
        mut job: Job,
        until: Instant,
        seen: impl Fn(&Job),
        options: &CallOptions,
    ) -> Result<Job, Error> {
        let mut pause = FIRST_PAUSE;
        let mut unknown = 0;
        loop {
            seen(&job);
            match &job.status {
                Some(JobStatus::Done) => return Ok(job),
                Some(JobStatus::Failed) => return Err(self.failed(job)),
                Some(JobStatus::Other(_)) => unknown += 1,
                _ => unknown = 0,
            }
            let handle = job.kind.clone().zip(job.job_id.as_deref().and_then(uuid));
            let Some((kind, id)) = handle else {
                return Ok(job);
            };
            let now = Instant::now();
            if unknown >= UNKNOWN_STATUSES || now >= until {
                return Ok(job);
            }
            tokio::time::sleep(pause.min(until - now)).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            match self.get_job(&kind, id, options).await {
                // The handle is ours to keep, whatever the answer repeats of it.
                Ok(now) => {
                    let (job_id, kind) = (now.job_id.or(job.job_id), now.kind.or(job.kind));
                    job = Job { job_id, kind, ..now };
                }
                Err(error) if error.is_retryable() || error.http_status() == Some(500) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn failed(&self, job: Job) -> Error {
        Error::JobFailed {
            kind: job.kind.unwrap_or_default(),
            job_id: job.job_id.unwrap_or_default(),
            error: job.error.map(|text| self.redact(&text)),
        }
    }
}

fn uuid(text: &str) -> Option<JobId> {
    Uuid::parse_str(text).ok().map(JobId)
}
