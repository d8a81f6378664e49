//! Progress notifications: for a request with a progress token, at least every five seconds while it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::message::ProgressToken;
use super::notifier::Notifier;
use crate::registry::ProgressSink;

/// Below the five seconds that clients are promised.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(4);

/// Reports the progress of one call.
pub(super) struct ProgressReporter {
    notifier: Notifier,
    token: ProgressToken,
    started: Instant,
    /// How many notifications were sent: the progress value, which has to rise.
    count: AtomicU64,
    status: Mutex<&'static str>,
}

impl ProgressReporter {
    pub(super) fn new(notifier: Notifier, token: ProgressToken) -> Arc<Self> {
        let (started, status) = (Instant::now(), Mutex::new("the call is running"));
        Arc::new(Self { notifier, token, started, count: AtomicU64::new(0), status })
    }

    /// A sink for the status of the call; a change is reported at once.
    pub(super) fn sink(self: &Arc<Self>) -> ProgressSink {
        let reporter = Arc::clone(self);
        Arc::new(move |status| {
            let previous = std::mem::replace(&mut *reporter.status(), status);
            if previous != status {
                reporter.report();
            }
        })
    }

    /// Runs a call, and reports at regular intervals that it is running.
    pub(super) async fn report_during<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = std::pin::pin!(call);
        loop {
            match tokio::time::timeout(PROGRESS_INTERVAL, &mut call).await {
                Ok(result) => return result,
                Err(_) => self.report(),
            }
        }
    }

    fn status(&self) -> std::sync::MutexGuard<'_, &'static str> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let message = format!("{} ({} s)", *self.status(), self.started.elapsed().as_secs());
        let params = Params { progress_token: &self.token.0, progress: count, message };
        let method = "notifications/progress";
        self.notifier.send(&Notification { jsonrpc: "2.0", method, params });
    }
}

#[derive(Serialize)]
struct Notification<'a> {
    jsonrpc: &'a str,
    method: &'a str,
    params: Params<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Params<'a> {
    progress_token: &'a RawValue,
    progress: u64,
    message: String,
}
