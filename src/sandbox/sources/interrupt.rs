//! Stops a running statement from another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::InterruptHandle;

/// Stops a statement from another thread, whether it has begun or not.
#[derive(Default)]
pub(super) struct Interrupt {
    asked: AtomicBool,
    handle: Mutex<Option<InterruptHandle>>,
}

impl Interrupt {
    /// From here on `ask` interrupts this connection.
    pub(super) fn watch(&self, handle: InterruptHandle) {
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        if let Some(handle) = &*self.handle.lock().unwrap_or_else(PoisonError::into_inner) {
            handle.interrupt();
        }
    }
}

pub(super) struct InterruptOnDrop(pub(super) Arc<Interrupt>);

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        self.0.ask();
    }
}
