//! ProgressSink notifications: for a caller that gave a token, at least every five seconds while a call runs.
//!
//! The value rises with each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::ProgressToken;
use serde_json::json;
use tokio::time::Instant;

use super::transport::Notifier;
use crate::registry::ProgressSink;

/// Clients are promised five seconds.
const EVERY: Duration = Duration::from_secs(4);

/// How one call goes.
pub(super) struct ProgressReporter {
    notifier: Notifier,
    token: ProgressToken,
    started: Instant,
    count: AtomicU64,
    words: Mutex<&'static str>,
}

impl ProgressReporter {
    pub(super) fn new(notifier: Notifier, token: ProgressToken) -> Arc<Self> {
        let (started, words) = (Instant::now(), Mutex::new("the call is under way"));
        Arc::new(Self { notifier, token, started, count: AtomicU64::new(0), words })
    }

    /// Hears of a job; a change is told at once.
    pub(super) fn of_job(self: &Arc<Self>) -> ProgressSink {
        let told = Arc::clone(self);
        Arc::new(move |words| {
            let before = std::mem::replace(&mut *told.words(), words);
            if before != words {
                told.tell();
            }
        })
    }

    /// Runs a call, and tells that it runs.
    pub(super) async fn during<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = std::pin::pin!(call);
        loop {
            match tokio::time::timeout(EVERY, &mut call).await {
                Ok(result) => return result,
                Err(_) => self.tell(),
            }
        }
    }

    fn words(&self) -> std::sync::MutexGuard<'_, &'static str> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let message = format!("{} ({} s)", *self.words(), self.started.elapsed().as_secs());
        let params = json!({"progressToken": self.token, "progress": count, "message": message});
        self.notifier.send(&json!({
            "jsonrpc": "2.0", "method": "notifications/progress", "params": params,
        }));
    }
}
