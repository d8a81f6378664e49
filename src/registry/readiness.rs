//! Whether the API responds, for a balancer that asks often: one request to it at a time, and one in 5 s.
//!
//! Reasons name no host, path or key: nobody needs a credential to read them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;

use super::accounts::Keys;
use super::error::ErrorCode;
use crate::polytomic::{Error, ProbeResult};

/// How long a result holds.
const MAX_AGE: Duration = Duration::from_secs(5);
/// How long the API may take. Less than a result holds, so that one probe has ended before the next.
const TIME_LIMIT: Duration = Duration::from_millis(4_500);

/// The last probe, and its result.
#[derive(Default)]
pub(super) struct Readiness(Mutex<Option<Probe>>);

struct Probe {
    started: Instant,
    /// Shared by all that wait for it, and kept for those to come. It goes on as long as anybody waits.
    result: Shared<BoxFuture<'static, Result<(), String>>>,
}

impl Readiness {
    /// Whether the API responds.
    ///
    /// # Errors
    /// Why it does not, as far as is known: a sentence.
    pub(super) async fn check(&self, keys: &Arc<Keys>) -> Result<(), String> {
        let result = {
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let was_ready =
                last.as_ref().is_none_or(|last| !matches!(last.result.peek(), Some(Err(_))));
            match &*last {
                Some(probe) if probe.started.elapsed() < MAX_AGE => probe.result.clone(),
                _ => {
                    let result = probe(Arc::clone(keys), was_ready).boxed().shared();
                    *last = Some(Probe { started: Instant::now(), result: result.clone() });
                    result
                }
            }
        };
        result.await
    }
}

/// Sends a probe. `was_ready`: whether the API responded the last time; the log has each change once.
async fn probe(keys: Arc<Keys>, was_ready: bool) -> Result<(), String> {
    let result = match tokio::time::timeout(TIME_LIMIT, probe_api(&keys)).await {
        Ok(result) => result,
        Err(_) => Err(late()),
    };
    match &result {
        Err(reason) if was_ready => tracing::warn!("not ready: {reason}"),
        Ok(()) if !was_ready => tracing::warn!("ready again"),
        _ => {}
    }
    result
}

async fn probe_api(keys: &Keys) -> Result<(), String> {
    match keys {
        Keys::Settings { .. } => {
            let account = keys.account_of_settings().await.map_err(|error| unusable(error.code))?;
            match account.client().probe(TIME_LIMIT).await {
                Ok(()) => Ok(()),
                // Busy, but there.
                Err(Error::Status { status: 429, .. }) => Ok(()),
                Err(Error::Status { status: status @ (401 | 403), .. }) => {
                    Err(format!("The API rejected the API key of the server ({status})."))
                }
                Err(Error::Status { status, .. }) => Err(responded(status)),
                Err(Error::Timeout { .. }) => Err(late()),
                Err(Error::Connection { .. }) => Err(not_connected()),
                Err(_) => Err("The response of the API cannot be read.".to_owned()),
            }
        }
        Keys::Requests { .. } => {
            let service = keys.service().await.map_err(|error| unusable(error.code))?;
            match service.probe(TIME_LIMIT).await {
                ProbeResult::Status(status) if status < 500 => Ok(()),
                ProbeResult::Status(status) => Err(responded(status)),
                ProbeResult::NotConnected => Err(not_connected()),
                ProbeResult::Late => Err(late()),
            }
        }
    }
}

fn unusable(code: ErrorCode) -> String {
    match code {
        ErrorCode::NotConfigured => {
            "A setting of the server is missing or invalid: every call fails, and says which."
                .to_owned()
        }
        _ => "The server cannot call the API because of an internal error.".to_owned(),
    }
}

fn responded(status: u16) -> String {
    format!("The API responded with HTTP status {status}.")
}

fn late() -> String {
    format!("The API did not respond within {} s.", TIME_LIMIT.as_secs_f32())
}

fn not_connected() -> String {
    "There is no connection to the API.".to_owned()
}
