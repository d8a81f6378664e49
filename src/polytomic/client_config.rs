//! The configuration of a client: where the API is, with which credential it is called, and the limits.

use std::path::PathBuf;
use std::time::Duration;

use super::auth::Credential;
use super::base_url::BaseUrl;
use super::idempotency::KeyStorage;

/// The API version this client is written against.
pub const API_VERSION: &str = "2025-09-18";

/// Configuration of a [`Client`](super::Client). `ClientConfig<()>` is one without a credential, which a
/// [`Service`](super::Service) has.
#[derive(Debug, Clone)]
pub struct ClientConfig<C = Credential> {
    /// Base URL of the API.
    pub base_url: BaseUrl,
    /// Credential sent with every request.
    pub credential: C,
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

impl<C> ClientConfig<C> {
    /// The defaults: version 2025-09-18, 30 s, 32 MiB, 8 concurrent requests, keys in memory.
    #[must_use]
    pub fn new(base_url: BaseUrl, credential: C) -> Self {
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
    /// The same configuration with another credential.
    #[must_use]
    pub fn with_credential<D>(self, credential: D) -> ClientConfig<D> {
        let Self {
            base_url,
            credential: _,
            api_version,
            timeout,
            max_response_bytes,
            max_in_flight,
            key_storage,
            ca_file,
        } = self;
        ClientConfig {
            base_url,
            credential,
            api_version,
            timeout,
            max_response_bytes,
            max_in_flight,
            key_storage,
            ca_file,
        }
    }
}

impl ClientConfig {
    /// The configuration without its credential, and the credential.
    pub(super) fn split(self) -> (ClientConfig<()>, Credential) {
        let credential = self.credential.clone();
        (self.with_credential(()), credential)
    }
}
