//! The state that all handlers share, and the types of their arguments and results.

use std::sync::Arc;

use axum::extract::State;
use tokio_util::task::TaskTracker;

use crate::sandbox::accounts::Keys;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::sources::Sources;
use crate::sandbox::store::Store;
use crate::sandbox::testing::Testing;

pub(super) struct AppState {
    pub(super) keys: Keys,
    pub(super) store: Store,
    pub(super) sources: Sources,
    /// Faults, log and page.
    pub(super) testing: Testing,
    /// Background jobs and requests with an idempotency key, which outlive their connection.
    pub(super) tasks: TaskTracker,
}

impl AppState {
    pub(super) fn new(keys: Keys, store: Store, sources: Sources, testing: Testing) -> Self {
        Self { keys, store, sources, testing, tasks: TaskTracker::new() }
    }
}

/// The extractor of the state.
pub(super) type SharedState = State<Arc<AppState>>;

/// The result of a handler.
pub(super) type HandlerResult<T = axum::Json<serde_json::Value>> = Result<T, ApiError>;
