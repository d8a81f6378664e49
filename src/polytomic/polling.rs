//! Requests the state of something again and again, with growing delays, until the caller stops waiting.
//!
//! Source: contract section 2 (jobs). No polling interval is published; half a second, growing by half up to five,
//! is suggested. The first delay is shorter, since most jobs are done in a moment.

use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::Fuse;
use serde::de::DeserializeOwned;

use super::client::{CallOptions, Client};
use super::error::Error;
use super::request::{Request, RetryPolicy};

const MIN_POLL_INTERVAL: Duration = Duration::from_millis(200);
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// When to request the state again.
pub(super) struct Polling<F> {
    interval: Duration,
    stop_waiting: Pin<Box<Fuse<F>>>,
}

impl<F: Future<Output = ()>> Polling<F> {
    /// Polls until `stop_waiting` is ready.
    pub(super) fn new(stop_waiting: F) -> Self {
        Self { interval: MIN_POLL_INTERVAL, stop_waiting: Box::pin(stop_waiting.fuse()) }
    }

    /// The next state; none if the waiting has stopped before. Transient failures (no connection, no response in time, 408, 429,
    /// 500, 502 to 504) do not end the polling: the next poll serves as the retry, after `Retry-After` if the API sends one.
    pub(super) async fn next<T: DeserializeOwned>(
        &mut self,
        client: &Client,
        request: impl Fn() -> Result<Request, Error>,
        options: &CallOptions,
    ) -> Result<Option<T>, Error> {
        loop {
            tokio::select! {
                biased;
                () = &mut self.stop_waiting => return Ok(None),
                () = tokio::time::sleep(self.interval) => {}
            }
            self.interval = (self.interval * 3 / 2).min(MAX_POLL_INTERVAL);
            let request = Request { retry: RetryPolicy::Never, ..request()? };
            let response = tokio::select! {
                response = client.send_for_data(request, options) => response,
                () = &mut self.stop_waiting => return Ok(None),
            };
            match response {
                Ok(state) => return Ok(Some(state)),
                Err(error) if error.is_retryable() || error.http_status() == Some(500) => {
                    self.interval = self.interval.max(error.retry_after().unwrap_or_default());
                }
                Err(error) => return Err(error),
            }
        }
    }
}
