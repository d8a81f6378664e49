//! Interrupts a statement from another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::InterruptHandle;
use tokio::sync::Notify;

/// A request to stop a statement, whether it has started or not.
#[derive(Default)]
pub(super) struct Interrupt {
    requested: AtomicBool,
    notify: Notify,
    handle: Mutex<Option<InterruptHandle>>,
}

impl Interrupt {
    /// Sets the connection to interrupt when the stop is requested.
    pub(super) fn set_handle(&self, handle: InterruptHandle) {
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    pub(super) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// Waits until the stop is requested. Of several callers, only one is woken.
    pub(super) async fn requested(&self) {
        self.notify.notified().await;
    }

    fn request(&self) {
        self.requested.store(true, Ordering::Release);
        self.notify.notify_one();
        if let Some(handle) = &*self.handle.lock().unwrap_or_else(PoisonError::into_inner) {
            handle.interrupt();
        }
    }
}

/// Requests the stop when it is dropped.
pub(super) struct InterruptOnDrop(pub(super) Arc<Interrupt>);

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        self.0.request();
    }
}
