//! What has to happen before a request that writes is sent: the caller's own record of it, which may fail.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::configuration_error::ConfigurationError;

/// Called before a request that writes is sent, and once more if it gets another idempotency key. Receives the key of a
/// POST. With an error nothing is sent.
#[derive(Clone)]
pub struct WriteGate(pub Arc<WriteGateFn>);

/// The function of a [`WriteGate`].
pub type WriteGateFn =
    dyn Fn(Option<String>) -> BoxFuture<'static, Result<(), ConfigurationError>> + Send + Sync;

impl std::fmt::Debug for WriteGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WriteGate(…)")
    }
}
