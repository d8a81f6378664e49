//! Waiting for a job: growing pauses, until it ends or the caller's time is up.
//!
//! Source: contract section 2: no interval is published; half a second growing by half to five is
//! suggested. The first pause is shorter, since most jobs are done in a moment.

use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;

use super::exchange::Request;
use super::retry::Retry;
use super::types::{Job, JobStatus};
use super::{CallOptions, Client, Error, operations};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A word for the status that the contract does not know may be a new way of saying "running".
const UNKNOWN_STATUSES: u32 = 10;

impl Client {
    /// Polls `job` until it has ended or `enough` is ready, and gives it as last seen; `seen` hears of it
    /// each time. Failures that may pass (no connection, 408, 429, 500, 502 to 504) are polled through: the next look is
    /// another try, after `Retry-After` where the API gives one.
    ///
    /// Cancel-safe: dropping it drops the request in flight; the job goes on in the API.
    ///
    /// # Errors
    /// [`Error::JobFailed`] when the job failed; what [`Client::get_job`] answers otherwise.
    pub async fn wait_for_job(
        &self,
        mut job: Job,
        enough: impl Future<Output = ()>,
        seen: impl Fn(&Job),
        options: &CallOptions,
    ) -> Result<Job, Error> {
        let mut enough = pin!(enough.fuse());
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
            let Some((kind, id)) = job.handle().map(|(kind, id)| (kind.to_owned(), id)) else {
                return Ok(job);
            };
            if unknown >= UNKNOWN_STATUSES {
                return Ok(job);
            }
            tokio::select! {
                biased;
                () = &mut enough => return Ok(job),
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            let request = Request { retry: Retry::Never, ..operations::others::job(&kind, id)? };
            let answer = tokio::select! {
                answer = self.data(request, options) => answer,
                () = &mut enough => return Ok(job),
            };
            match answer {
                // The handle is ours to keep, whatever the answer says of it.
                Ok(now) => job = Job { job_id: job.job_id, kind: job.kind, ..now },
                Err(error) if error.is_retryable() || error.http_status() == Some(500) => {
                    pause = pause.max(error.retry_after().unwrap_or_default());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn failed(&self, job: Job) -> Error {
        let handle = job.handle().map(|(kind, id)| (kind.to_owned(), id.to_string()));
        let (kind, job_id) = handle.unwrap_or_default();
        Error::JobFailed { kind, job_id, error: job.error.map(|text| self.redact(&text)) }
    }
}
