//! Fetches the keys of an issuer: its metadata first, which says where they are.

use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Certificate, Client, StatusCode};
use serde::Deserialize;
use url::Url;

use super::issuer::Issuer;
use super::key_set::KeySet;

/// For one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// For all requests of one fetch, which the caller of an unknown key waits for.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// An issuer's keys take a few KiB.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// Where the keys of an issuer are from.
pub(super) struct KeySource {
    http: Client,
    issuer: Issuer,
}

/// The metadata of an issuer, as far as it is used.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Option<String>,
}

impl KeySource {
    /// Nothing is sent.
    ///
    /// # Errors
    /// A sentence if the system has no certificates.
    pub(super) fn new(issuer: Issuer, certificates: Vec<Certificate>) -> Result<Self, String> {
        // reqwest panics without a crypto provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("polytomic-mcp/", env!("CARGO_PKG_VERSION")))
            .timeout(REQUEST_TIMEOUT)
            .pool_idle_timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if !issuer.is_https() {
            // Plain http needs no certificates, which an empty container lacks.
            builder = builder.tls_certs_only([]);
        }
        if issuer.is_loopback() {
            // A proxy cannot reach this machine's loopback interface.
            builder = builder.no_proxy();
        }
        let http = builder.tls_certs_merge(certificates).build().map_err(|error| {
            format!(
                "The HTTP client for the OAuth issuer could not be built ({}). Install the system's CA certificates (package \
                 ca-certificates), or set SSL_CERT_FILE or POLYTOMIC_CA_FILE to a file of certificates.",
                root_cause(&error)
            )
        })?;
        Ok(Self { http, issuer })
    }

    pub(super) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Fetches the keys.
    ///
    /// # Errors
    /// A sentence for the log.
    pub(super) async fn fetch(&self) -> Result<KeySet, String> {
        let fetching = async {
            let url = self.discover().await?;
            let keys = self.get(&url).await.map_err(|problem| problem.to_string())?;
            KeySet::parse(&keys).ok_or_else(|| {
                format!(
                    "{url} is no JWK set with a key for RS*, PS*, ES256, ES384 or EdDSA signatures"
                )
            })
        };
        let result = tokio::time::timeout(FETCH_TIMEOUT, fetching).await;
        result.unwrap_or_else(|_| Err("it takes more than 10 s to respond".to_owned()))
    }

    /// The URL of the keys. Metadata that is wrong at one place may be right at the next: some servers respond to any path.
    async fn discover(&self) -> Result<Url, String> {
        let mut problems = Vec::new();
        for url in self.issuer.metadata_urls() {
            match self.get(&url).await {
                Ok(metadata) => match self.keys_url(&metadata) {
                    Ok(keys_url) => return Ok(keys_url),
                    Err(problem) => problems.push(format!("{url} {problem}")),
                },
                // The others are on the same host.
                Err(problem @ RequestProblem::Unreachable(..)) => return Err(problem.to_string()),
                Err(problem) => problems.push(problem.to_string()),
            }
        }
        Err(problems.join("; "))
    }

    /// The URL of the keys that metadata names.
    fn keys_url(&self, metadata: &[u8]) -> Result<Url, String> {
        let metadata: Metadata = serde_json::from_slice(metadata)
            .map_err(|_| "is not the metadata of an issuer in JSON".to_owned())?;
        if metadata.issuer != self.issuer.as_str() {
            return Err(format!(
                "is the metadata of the issuer {}, not of {}: set POLYTOMIC_OAUTH_ISSUER to the former if it is the right one, \
                 character by character",
                excerpt(&metadata.issuer),
                self.issuer.as_str()
            ));
        }
        let text = metadata.jwks_uri.ok_or("names no keys (jwks_uri)")?;
        let url = Url::parse(&text).ok();
        let is_allowed = |url: &Url| {
            url.scheme() == "https" || url.scheme() == "http" && !self.issuer.is_https()
        };
        url.filter(is_allowed)
            .ok_or_else(|| format!("has keys at {}, which is not an https URL", excerpt(&text)))
    }

    /// The body of a response with status 200.
    async fn get(&self, url: &Url) -> Result<Vec<u8>, RequestProblem> {
        let unreachable =
            |error: reqwest::Error| RequestProblem::Unreachable(url.clone(), root_cause(&error));
        let request = self.http.get(url.clone()).header(ACCEPT, "application/json");
        let mut response = request.send().await.map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(RequestProblem::Status(url.clone(), response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(RequestProblem::TooLarge(url.clone()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

#[derive(Debug, thiserror::Error)]
enum RequestProblem {
    #[error("{0} cannot be reached: {1}")]
    Unreachable(Url, String),
    #[error("{0} responds with {1}, not with 200 OK")]
    Status(Url, StatusCode),
    #[error("{0} is larger than 1 MiB")]
    TooLarge(Url),
}

/// The innermost reason of an error, which says more than the outer ones.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let innermost = std::iter::successors(Some(error), |error| error.source()).last();
    innermost.unwrap_or(error).to_string()
}

/// The beginning of a text from outside, for the log.
fn excerpt(text: &str) -> String {
    let shown: String = text.chars().take(200).collect();
    format!("{shown:?}")
}
