//! Builds the HTTP client: which certificates it trusts, which proxy it uses, what each request carries.
//!
//! Source: contract section 1 (transport).

use std::path::Path;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};

use super::client_config::{API_VERSION, ClientConfig};
use super::configuration_error::ConfigurationError;
use super::error::error_chain;
use super::service_facts::VERSION_HEADER;
use super::user_files::read_small_file;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Builds the HTTP client of a service; nothing is sent.
///
/// # Errors
/// For a version that a header cannot hold, and if there are no usable certificates.
pub(super) fn build_http_client(
    config: &ClientConfig<()>,
) -> Result<reqwest::Client, ConfigurationError> {
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
    builder.build().map_err(|error| {
        tracing::error!(error = %error_chain(&error), "http client not built");
        ConfigurationError::new(
            "The HTTP client could not be built: no usable TLS certificates were found.",
            "Install the system's CA certificates (package ca-certificates), or set SSL_CERT_FILE or \
             POLYTOMIC_CA_FILE to a file of certificates.",
        )
    })
}

/// The certificates of a file in PEM format.
///
/// # Errors
/// [`ConfigurationError`] for a file that cannot be read or has none.
pub(crate) fn read_certificates(
    file: &Path,
) -> Result<Vec<reqwest::Certificate>, ConfigurationError> {
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
