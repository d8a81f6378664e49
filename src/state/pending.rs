//! Work that goes on after the call it belongs to, and that others wait for: the ends of claims.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;

/// Work that has not ended.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<Vec<watch::Receiver<()>>>);

impl Pending {
    /// Starts work. Without a runtime, which is about to end or has ended, nothing is done.
    pub(super) fn start(&self, work: impl Future<Output = ()> + Send + 'static) {
        let Ok(runtime) = Handle::try_current() else { return };
        let (running, end) = watch::channel(());
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(is_running);
        pending.push(end);
        drop(pending);
        runtime.spawn(async move {
            // Dropped with the task, however that ends.
            let _running = running;
            work.await;
        });
    }

    /// Waits until all work has ended that has been started by now.
    pub(super) async fn wait(&self) {
        let pending = {
            let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            pending.retain(is_running);
            pending.clone()
        };
        for mut end in pending {
            let _ = end.changed().await;
        }
    }
}

fn is_running(end: &watch::Receiver<()>) -> bool {
    end.has_changed().is_ok()
}
