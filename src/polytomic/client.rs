//! The HTTP client: its configuration and construction.
//!
//! `operations` has its methods, `send` sends their requests.
//!
//! Source: contract section 1 (transport).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::auth::Credential;
use super::base_url::BaseUrl;
use super::configuration_error::ConfigurationError;
use super::error::{Error, error_chain};
use super::idempotency::{IdempotencyKeys, KeyStorage};
use super::repairs::RepairLog;
use super::retry::RetryBudget;
use super::service_facts::{ServiceFacts, VERSION_HEADER};
use super::user_files::read_small_file;
use super::write_gate::WriteGate;
use crate::state::SharedState;

/// The API version this client is written against.
pub const API_VERSION: &str = "2025-09-18";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Configuration of a [`Client`].
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Base URL of the API.
    pub base_url: BaseUrl,
    /// Credential sent with every request.
    pub credential: Credential,
    /// Value of `X-Polytomic-Version`; a date.
    pub api_version: String,
    /// Time limit of one operation, with all its attempts and the delays between them.
    pub timeout: Duration,
    /// Maximum size of a response in bytes, after decompression.
    pub max_response_bytes: usize,
    /// Maximum number of concurrent requests; further ones are queued.
    pub max_in_flight: usize,
    /// Where idempotency keys are kept while the outcome of their request is unknown.
    pub key_storage: KeyStorage,
    /// PEM file of certificates to trust beside the system's, such as that of a company's proxy.
    pub ca_file: Option<PathBuf>,
}

impl ClientConfig {
    /// The defaults: version 2025-09-18, 30 s, 32 MiB, 8 concurrent requests, keys in memory.
    #[must_use]
    pub fn new(base_url: BaseUrl, credential: Credential) -> Self {
        Self {
            base_url,
            credential,
            api_version: API_VERSION.to_owned(),
            timeout: Duration::from_secs(30),
            max_response_bytes: 32 << 20,
            max_in_flight: 8,
            key_storage: KeyStorage::Memory,
            ca_file: None,
        }
    }
}

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

fn read_certificates(file: &Path) -> Result<Vec<reqwest::Certificate>, ConfigurationError> {
    let invalid = |reason: &str| {
        ConfigurationError::new(
            format!("The certificates in {} cannot be used: {reason}.", file.display()),
            "Set POLYTOMIC_CA_FILE to a file of certificates in PEM format, which begin with -----BEGIN CERTIFICATE-----, \
             or unset it.",
        )
    };
    /// More than all authorities of a system take.
    const MAX_BYTES: u64 = 4 << 20;
    let bytes = read_small_file(file, MAX_BYTES).map_err(|error| invalid(&error.to_string()))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&bytes);
    let certificates = certificates.map_err(|_| invalid("they are not in PEM format"))?;
    if certificates.is_empty() {
        return Err(invalid("there is none"));
    }
    Ok(certificates)
}

/// The JSON Schema of a connection type's configuration.
pub(crate) type TypeSchema = Arc<Map<String, Value>>;

impl Client {
    /// Builds the client; nothing is sent. For https this loads the system's certificates (some ms).
    ///
    /// # Errors
    /// [`Error::Configuration`] for a version that a header cannot hold, or if the system has no certificates.
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        // reqwest panics without a crypto provider, and library users never run our main.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        let version = HeaderValue::try_from(&config.api_version).map_err(|_| {
            ConfigurationError::new(
                "The API version has characters that an HTTP header cannot hold.",
                format!("Unset POLYTOMIC_API_VERSION, or set it to a date such as {API_VERSION}."),
            )
        })?;
        headers.insert(VERSION_HEADER, version);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("polytomic-mcp/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            // A part of the timeout, so that a connection that is never made is reported as such.
            .connect_timeout(CONNECT_TIMEOUT.min(config.timeout.mul_f32(0.3)))
            .redirect(reqwest::redirect::Policy::none());
        if !config.base_url.is_https() {
            // Plain http needs no certificates: it works in an empty container, and starts faster.
            builder = builder.tls_certs_only([]);
        }
        if let Some(file) = &config.ca_file {
            builder = builder.tls_certs_merge(read_certificates(file)?);
        }
        if config.base_url.is_loopback() {
            // A proxy cannot reach this machine's loopback interface.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| {
            tracing::error!(error = %error_chain(&error), "http client not built");
            ConfigurationError::new(
                "The HTTP client could not be built: no usable TLS certificates were found.",
                "Install the system's CA certificates (package ca-certificates), or set SSL_CERT_FILE or \
                 POLYTOMIC_CA_FILE to a file of certificates.",
            )
        })?;
        let in_flight =
            Arc::new(Semaphore::new(config.max_in_flight.clamp(1, Semaphore::MAX_PERMITS)));
        let storage = config.key_storage.clone();
        let secret = config.credential.secret();
        let keys = IdempotencyKeys::new(storage, &config.base_url.to_string(), &secret);
        Ok(Self {
            http,
            config: Arc::new(config),
            service_facts: Arc::default(),
            in_flight,
            retry_budget: Arc::default(),
            keys,
            type_schemas: Arc::default(),
        })
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
