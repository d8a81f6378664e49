//! The running requests of sessions, which `notifications/cancelled` names.
//!
//! Only for the era with an initialize: later a client closes the response instead. The notification may come to another
//! replica than the request did, which passes it on.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::state::SharedState;

/// The running requests of this process by their names, see [`super::session::Session::name_of`].
#[derive(Clone, Default)]
pub(super) struct RunningRequests(Arc<Mutex<HashMap<String, CancellationToken>>>);

/// Cancels requests of this process and of other replicas.
pub(super) struct Cancellations {
    pub(super) running: RunningRequests,
    shared: Option<SharedState>,
    _listening: Option<AbortOnDropHandle<()>>,
}

impl Cancellations {
    /// Listens to other replicas, if there is a state that they share. Must be called inside a runtime.
    pub(super) fn new(shared: Option<SharedState>) -> Self {
        let running = RunningRequests::default();
        let listening = shared.as_ref().map(|shared| {
            let (mut cancels, running) = (shared.cancels(), running.clone());
            AbortOnDropHandle::new(tokio::spawn(async move {
                while let Some(name) = cancels.next().await {
                    running.cancel(&name);
                }
            }))
        });
        Self { running, shared, _listening: listening }
    }

    /// Cancels a request, wherever it runs.
    pub(super) async fn cancel(&self, name: &str) {
        if self.running.cancel(name) {
            return;
        }
        if let Some(shared) = &self.shared
            && let Err(error) = shared.publish_cancel(name).await
        {
            tracing::debug!(?error, "cancellation not passed on");
        }
    }
}

impl RunningRequests {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request until the result is dropped; none if one with this name runs.
    pub(super) fn add(&self, name: String, token: CancellationToken) -> Option<RunningRequest> {
        match self.lock().entry(name.clone()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(free) => {
                free.insert(token);
                Some(RunningRequest { requests: self.clone(), name })
            }
        }
    }

    /// Cancels a request; false if it does not run here.
    fn cancel(&self, name: &str) -> bool {
        let requests = self.lock();
        let token = requests.get(name);
        token.inspect(|token| token.cancel()).is_some()
    }
}

/// The place of a running request.
pub(super) struct RunningRequest {
    requests: RunningRequests,
    name: String,
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        self.requests.lock().remove(&self.name);
    }
}
