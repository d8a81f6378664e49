//! The running requests of sessions, which `notifications/cancelled` names.
//!
//! Only for the era with an initialize: later a client closes the response instead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::RequestId;
use tokio_util::sync::CancellationToken;

type Key = ([u8; 16], RequestId);

/// The running requests by session and id.
#[derive(Debug, Clone, Default)]
pub(super) struct RunningRequests(Arc<Mutex<HashMap<Key, CancellationToken>>>);

impl RunningRequests {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request until the result is dropped; none if one with this id runs.
    pub(super) fn add(
        &self,
        session: [u8; 16],
        id: RequestId,
        token: CancellationToken,
    ) -> Option<RunningRequest> {
        let key = (session, id);
        let mut requests = self.lock();
        if requests.contains_key(&key) {
            return None;
        }
        requests.insert(key.clone(), token);
        Some(RunningRequest { requests: self.clone(), key })
    }

    /// Cancels a request; false if it does not run here.
    pub(super) fn cancel(&self, session: [u8; 16], id: &RequestId) -> bool {
        match self.lock().get(&(session, id.clone())) {
            Some(token) => {
                token.cancel();
                true
            }
            None => false,
        }
    }
}

/// The place of a running request.
pub(super) struct RunningRequest {
    requests: RunningRequests,
    key: Key,
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        self.requests.lock().remove(&self.key);
    }
}
