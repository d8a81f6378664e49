//! The HTTP client: what it is made of, and how one is built.
//!
//! Its operations are in `operations`, the one way a request takes in `exchange`, waiting for jobs in
//! `jobs`.
//!
//! Source: contract section 1 (transport).

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::base_url::BaseUrl;
use super::exchange::chain;
use super::keys::Keys;
use super::retry::Bucket;
use super::{Credential, Error};

/// The version of the API that this client is written against.
pub const API_VERSION: &str = "2025-09-18";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const VERSION_HEADER: &str = "X-Polytomic-Version";

/// What a [`Client`] is made of.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Where the API is.
    pub base_url: BaseUrl,
    /// Who the client is.
    pub credential: Credential,
    /// Value of `X-Polytomic-Version`; a date.
    pub api_version: String,
    /// The most that one HTTP operation may take.
    pub timeout: Duration,
    /// The most bytes an answer may have, after decompression.
    pub max_answer_bytes: usize,
    /// The most operations that are under way at once; further ones wait their turn.
    pub max_in_flight: usize,
}

impl ClientConfig {
    /// The defaults: version 2025-09-18, 30 s, 32 MiB, 8 at once.
    #[must_use]
    pub fn new(base_url: BaseUrl, credential: Credential) -> Self {
        Self {
            base_url,
            credential,
            api_version: API_VERSION.to_owned(),
            timeout: Duration::from_secs(30),
            max_answer_bytes: 32 << 20,
            max_in_flight: 8,
        }
    }
}

/// How one call is made.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// Asks the API to work in the background and to answer with a job (`async=true`).
    pub background: bool,
    /// The key of a POST, 8 to 255 of `[A-Za-z0-9_-]`. When absent, the client makes one, and uses it again
    /// for an equal request within ten minutes where the outcome of the first is unknown.
    pub idempotency_key: Option<String>,
    /// When the caller stops waiting; the operation gets what is left until then, at most its timeout.
    pub deadline: Option<Instant>,
    /// Cancelled when nothing more may be sent: an operation that waits for its turn then ends unsent.
    pub stop: Option<CancellationToken>,
}

impl CallOptions {
    /// Waits until nothing more may be sent.
    pub(crate) async fn stopping(&self) {
        match &self.stop {
            Some(stop) => stop.cancelled().await,
            None => std::future::pending().await,
        }
    }
}

/// A client of the Polytomic API. Cheap to clone; clones share the connections.
///
/// Requests are tried again where that is safe, at most eight times and never beyond the deadline: reads
/// and updates when the connection fails, at 408, 429, 502, 503 and 504 (reads at 500 as well); what adds
/// something only with its idempotency key and while its outcome is unknown; deletes when the connection
/// broke.
///
/// This example, like those of the methods, runs against the sandbox:
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
    pub(super) version_told: Arc<AtomicBool>,
    pub(super) in_flight: Arc<Semaphore>,
    pub(super) bucket: Arc<Bucket>,
    pub(super) keys: Keys,
}

impl Client {
    /// Builds the client; nothing is sent. For https this reads the system's certificates (some ms).
    ///
    /// # Errors
    /// [`Error::Configuration`] for a version that no header can hold, or where the system has no
    /// certificates.
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        // Building a client without a provider panics, and library users never run our main.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        let version =
            HeaderValue::try_from(&config.api_version).map_err(|_| Error::Configuration {
                message: "The API version has characters that an HTTP header cannot hold.".into(),
                hint: format!("Unset POLYTOMIC_API_VERSION, or set a date such as {API_VERSION}."),
            })?;
        headers.insert(VERSION_HEADER, version);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("polytomic-mcp/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            // Shorter than the whole, so that a connection that never came up is told as such.
            .connect_timeout(CONNECT_TIMEOUT.min(config.timeout.mul_f32(0.3)))
            .redirect(reqwest::redirect::Policy::none());
        if !config.base_url.is_https() {
            // Plain http needs no certificates: works in an empty container, and starts faster.
            builder = builder.tls_certs_only([]);
        }
        if config.base_url.is_loopback() {
            // A proxy of the company's does not lead to this machine.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| {
            tracing::error!(error = %chain(&error), "http client not built");
            Error::Configuration {
                message: "The HTTP client could not be built: no usable TLS certificates were \
                          found."
                    .into(),
                hint: "Install the system's CA certificates (package ca-certificates), or name a \
                       file of them in SSL_CERT_FILE."
                    .into(),
            }
        })?;
        let in_flight =
            Arc::new(Semaphore::new(config.max_in_flight.clamp(1, Semaphore::MAX_PERMITS)));
        Ok(Self {
            http,
            config: Arc::new(config),
            version_told: Arc::default(),
            in_flight,
            bucket: Arc::default(),
            keys: Keys::default(),
        })
    }

    /// The origin and path every operation is below.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        &self.config.base_url
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base_url", &self.config.base_url).finish_non_exhaustive()
    }
}
