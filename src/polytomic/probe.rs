//! Finds out whether the API responds: one attempt, beside the limit on requests in flight, since a busy client is no sign of an
//! API that is not there.

use std::time::Duration;

use tokio::time::Instant;

use super::client::{Client, Service};
use super::error::Error;
use super::failed_request::{ApiOperation, Subject};
use super::request::{Request, path};

/// How a service responded to a request without a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeResult {
    /// The HTTP status of its response.
    Status(u16),
    /// No connection, or none that lasted until the response.
    NotConnected,
    /// No response in time.
    Late,
}

impl Client {
    /// Gets the identity of the key, in one attempt.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) async fn probe(&self, limit: Duration) -> Result<(), Error> {
        let operation = ApiOperation::read("get_identity", Subject::NoObject);
        let request = Request::get(operation, path(&["api", "me"])?, Vec::new());
        let end = Instant::now() + limit;
        match tokio::time::timeout_at(end, self.exchange(&request, None, end)).await {
            Ok(result) => result.map(drop),
            Err(_) => {
                let request = self.failed_request(&request);
                Err(Error::Timeout { request, after: limit, sent: true })
            }
        }
    }
}

impl Service {
    /// Gets the base URL without a credential, in one attempt.
    pub(crate) async fn probe(&self, limit: Duration) -> ProbeResult {
        let sending = self.http.get(self.config.base_url.to_string()).send();
        match tokio::time::timeout(limit, sending).await {
            Ok(Ok(response)) => ProbeResult::Status(response.status().as_u16()),
            Ok(Err(_)) => ProbeResult::NotConnected,
            Err(_) => ProbeResult::Late,
        }
    }
}
