//! The client, and what the clients of several credentials share.
//!
//! `operations` has its methods, `send` sends their requests, `client_config` is its configuration.
//!
//! Source: contract section 1 (transport).

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::auth::Credential;
use super::base_url::BaseUrl;
use super::client_config::ClientConfig;
use super::error::Error;
use super::http_client::build_http_client;
use super::idempotency::{IdempotencyKeys, KeyStorage};
use super::repairs::RepairLog;
use super::retry::RetryBudget;
use super::service_facts::ServiceFacts;
use super::write_gate::WriteGate;
use crate::state::SharedState;

/// Options of one call.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// Asks the API to work in the background and respond with a job (`async=true`).
    pub background: bool,
    /// Idempotency key of a POST: 8 to 255 of `[A-Za-z0-9_-]`. Without one, the client generates a key, and
    /// reuses it for an equal request within ten minutes if the outcome of the first is unknown.
    pub idempotency_key: Option<String>,
    /// When the caller stops waiting. The operation gets the time until then, at most its timeout.
    pub deadline: Option<Instant>,
    /// Cancelled when nothing more may be sent: a request that is still queued then ends unsent.
    pub shutdown: Option<CancellationToken>,
    /// Called before each retry.
    pub on_retry: Option<RetryListener>,
    /// Reads responses leniently, and collects what was changed: characters that are not valid text, numbers that JSON does
    /// not have, properties of another type than documented. Without it, such a response is [`Error::Decoding`].
    pub repairs: Option<RepairLog>,
    /// Called before a request that writes is sent.
    pub before_write: Option<WriteGate>,
    /// Called after each attempt.
    pub on_attempt: Option<AttemptListener>,
}

/// How an attempt at a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinishedAttempt {
    /// HTTP status of its response; none if there was no complete one, or nobody waited for it any more.
    pub status: Option<u16>,
    /// Whether it repeats an earlier attempt at the same request.
    pub is_retry: bool,
}

/// Receives how each attempt ended that was made to send a request.
#[derive(Clone)]
pub struct AttemptListener(pub Arc<dyn Fn(FinishedAttempt) + Send + Sync>);

impl std::fmt::Debug for AttemptListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AttemptListener(…)")
    }
}

/// Receives before each retry why the request is sent again: a fixed phrase, without text from outside.
#[derive(Clone)]
pub struct RetryListener(pub Arc<dyn Fn(&'static str) + Send + Sync>);

impl std::fmt::Debug for RetryListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RetryListener(…)")
    }
}

impl CallOptions {
    /// Waits until nothing more may be sent.
    pub(crate) async fn wait_for_shutdown(&self) {
        match &self.shutdown {
            Some(shutdown) => shutdown.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// The query parameter that asks for a job.
    pub(super) fn async_query(&self) -> Vec<(String, String)> {
        let parameter = self.background.then(|| ("async".to_owned(), "true".to_owned()));
        parameter.into_iter().collect()
    }
}

/// The API without a credential, for a server whose callers bring their own.
#[derive(Clone)]
pub struct Service {
    pub(super) http: reqwest::Client,
    pub(super) config: ClientConfig<()>,
}

impl Service {
    /// Builds what the clients share; nothing is sent. For https this loads the system's certificates (some ms).
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(config: ClientConfig<()>) -> Result<Self, Error> {
        Ok(Self { http: build_http_client(&config)?, config })
    }

    /// A client with a credential. Clients of one service share its connections and nothing else.
    #[must_use]
    pub fn client(&self, credential: Credential) -> Client {
        let max_in_flight = self.config.max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        let storage = self.config.key_storage.clone();
        let base_url = self.config.base_url.to_string();
        let keys = IdempotencyKeys::new(storage, &base_url, &credential.secret());
        Client {
            http: self.http.clone(),
            config: Arc::new(self.config.clone().with_credential(credential)),
            service_facts: Arc::default(),
            in_flight: Arc::new(Semaphore::new(max_in_flight)),
            retry_budget: Arc::default(),
            keys,
            type_schemas: Arc::default(),
        }
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("base_url", &self.config.base_url).finish_non_exhaustive()
    }
}

/// A client of the Polytomic API. Cheap to clone; clones share the connections.
///
/// Requests are retried where that is safe, with at most eight attempts and never beyond the timeout and the
/// deadline. Reads and updates are retried after a connection failure and after 408, 429, 502, 503 and 504, reads after
/// 500 as well; creates only with their idempotency key and while their outcome is unknown; deletes after a
/// connection failure.
///
/// This example, like those of the methods, runs against the sandbox.
///
/// ```
/// use polytomic_mcp::polytomic::{BaseUrl, CallOptions, Client, ClientConfig, Credential};
/// # #[cfg(feature = "sandbox")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use polytomic_mcp::sandbox::{Options, Sandbox};
///
/// let sandbox = Sandbox::start(Options::default())?;
/// let url = BaseUrl::parse(sandbox.url(), false)?;
/// let key = Credential::bearer(sandbox.api_key())?;
/// let client = Client::new(ClientConfig::new(url, key))?;
///
/// let connections = client.list_connections(&CallOptions::default()).await?;
/// assert_eq!(connections[0].name.as_deref(), Some("SQLite (sandbox)"));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sandbox"))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) config: Arc<ClientConfig>,
    pub(super) service_facts: Arc<Mutex<Option<ServiceFacts>>>,
    pub(super) in_flight: Arc<Semaphore>,
    pub(super) retry_budget: Arc<RetryBudget>,
    pub(super) keys: IdempotencyKeys,
    /// Schemas of connection types by id, once they have been read.
    pub(super) type_schemas: Arc<Mutex<HashMap<String, TypeSchema>>>,
}

/// The JSON Schema of a connection type's configuration.
pub(crate) type TypeSchema = Arc<Map<String, Value>>;

impl Client {
    /// Builds the client; nothing is sent. For https this loads the system's certificates (some ms).
    ///
    /// # Errors
    /// [`Error::Configuration`] for a version that a header cannot hold, or if the system has no certificates.
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        let (config, credential) = config.split();
        Ok(Service::new(config)?.client(credential))
    }

    /// What the headers of the first responses were; none before there was one.
    pub(crate) fn service_facts(&self) -> Option<ServiceFacts> {
        self.service_facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The base URL of all requests.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        &self.config.base_url
    }

    /// The directory for what outlives the process; none if that is kept elsewhere.
    pub(crate) fn state_directory(&self) -> Option<&Path> {
        match &self.config.key_storage {
            KeyStorage::Directory(directory) => Some(&directory.path),
            KeyStorage::Memory | KeyStorage::Redis(_) => None,
        }
    }

    /// The state that is shared with other machines; none if there is none.
    pub(crate) fn shared_state(&self) -> Option<&SharedState> {
        match &self.config.key_storage {
            KeyStorage::Redis(server) => Some(&server.state),
            KeyStorage::Memory | KeyStorage::Directory(_) => None,
        }
    }

    /// Waits until calls that have ended by now have left what the next equal call needs, wherever it comes.
    pub(crate) async fn wait_for_keys(&self) {
        self.keys.wait_for_keys().await;
    }

    /// A name for the base URL and the credential, as for a file, from which neither can be read.
    pub(crate) fn account_name(&self) -> String {
        self.keys.account_name()
    }

    /// Whether it holds idempotency keys that a repeated call needs, and that end with it.
    pub(crate) fn has_open_keys(&self) -> bool {
        self.keys.are_open_in_memory()
    }

    /// The organization that the credential names.
    pub(crate) fn organization_id(&self) -> Option<&str> {
        self.config.credential.organization_id()
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base_url", &self.config.base_url).finish_non_exhaustive()
    }
}
