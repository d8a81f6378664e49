//! One HTTP exchange: builds the request, sends it, and reads the response or classifies the failure.
//!
//! Redirects are not followed: a 307 would send a POST twice, and another host would receive the API key.
//!
//! Source: contract section 1 (transport).

use std::sync::PoisonError;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use serde::de::IgnoredAny;
use tokio::time::Instant;

use super::client::Client;
use super::error::Error;
use super::error_body::ErrorBody;
use super::idempotency::ClaimedKey;
use super::request::Request;
use super::response::Body;
use super::retry::parse_retry_after;

/// The status is reported even if the body never ends.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// Only the beginning of an error body is of use.
const MAX_ERROR_BODY_BYTES: usize = 1 << 20;

impl Client {
    /// Sends the HTTP request and reads the response.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        key: Option<&ClaimedKey>,
        deadline: Instant,
    ) -> Result<Body, Error> {
        let connection_error = |sent: bool| {
            move |error: reqwest::Error| Error::Connection {
                request: self.failed_request(request),
                sent,
                source: error.without_url().into(),
            }
        };
        let response = self.build(request, key).send().await.map_err(|error| {
            if error.is_builder() {
                let source = error.without_url();
                return Error::InvalidRequest { request: self.failed_request(request), source };
            }
            let sent = !error.is_connect();
            connection_error(sent)(error)
        })?;
        self.keep_facts(response.headers());
        if !response.status().is_success() {
            return Err(Box::pin(self.status_error(request, response, deadline)).await);
        }
        self.read_body(request, response).await
    }

    fn build(&self, request: &Request, key: Option<&ClaimedKey>) -> reqwest::RequestBuilder {
        let url = self.config.base_url.with_path(&request.path);
        let mut builder =
            self.config.credential.apply(self.http.request(request.method.clone(), url));
        if !request.query.is_empty() {
            builder = builder.query(&request.query);
        }
        if let Some(key) = key {
            builder = builder.header("Idempotency-Key", key.as_str());
        }
        if let Some(body) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(body.clone());
        }
        builder
    }

    /// The error of a status other than 2xx, with as much of its body as arrives in time.
    async fn status_error(
        &self,
        request: &Request,
        mut response: reqwest::Response,
        deadline: Instant,
    ) -> Error {
        let header = |name: &str| self.header(&response, name);
        let (content_type, location) = (header(CONTENT_TYPE.as_str()), header(LOCATION.as_str()));
        let (request_id, retry_after) = self.id_and_retry_after(&response);
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        let reading = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                bytes.extend_from_slice(&chunk);
                if bytes.len() > MAX_ERROR_BODY_BYTES {
                    break;
                }
            }
        };
        let remaining = deadline.saturating_duration_since(Instant::now());
        let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT.min(remaining / 2), reading).await;
        let body = ErrorBody::parse(status, &bytes, content_type, &self.config.credential);
        let body = Box::new(ErrorBody { location, ..body });
        Error::Status {
            request: self.failed_request(request),
            status,
            body,
            request_id,
            retry_after,
        }
    }

    async fn read_body(
        &self,
        request: &Request,
        mut response: reqwest::Response,
    ) -> Result<Body, Error> {
        let content_type = self.header(&response, CONTENT_TYPE.as_str());
        let (request_id, retry_after) = self.id_and_retry_after(&response);
        let (status, limit) = (response.status().as_u16(), self.config.max_response_bytes);
        let too_large =
            || Error::ResponseTooLarge { request: self.failed_request(request), status, limit };
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let expected = response.content_length().and_then(|length| usize::try_from(length).ok());
        let mut bytes = Vec::with_capacity(expected.unwrap_or_default());
        let connection_error = |source| Error::Connection {
            request: self.failed_request(request),
            sent: true,
            source,
        };
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > limit => return Err(too_large()),
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                // Without a length, only the end of the JSON text shows whether the body is complete.
                Ok(None) if expected.is_none() && is_incomplete_json(&bytes) => {
                    return Err(connection_error("the body ends early".into()));
                }
                Ok(None) => {
                    return Ok(Body { status, bytes, content_type, request_id, retry_after });
                }
                Err(error) => return Err(connection_error(error.without_url().into())),
            }
        }
    }

    /// `X-Request-Id` and `Retry-After`, which an error has also with a status of success.
    fn id_and_retry_after(
        &self,
        response: &reqwest::Response,
    ) -> (Option<String>, Option<Duration>) {
        let retry_after = self.header(response, RETRY_AFTER.as_str());
        let retry_after = retry_after.and_then(|value| parse_retry_after(&value));
        (self.header(response, "X-Request-Id"), retry_after)
    }

    /// A response header as text, with the credential taken out of it.
    fn header(&self, response: &reqwest::Response, name: &str) -> Option<String> {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(self.config.credential.redact(value))
    }

    /// Keeps what the responses say first, and warns if their version is another than the requested one (gap G2).
    fn keep_facts(&self, headers: &HeaderMap) {
        let mut facts = self.service_facts.lock().unwrap_or_else(PoisonError::into_inner);
        let facts = facts.get_or_insert_default();
        let had_version = facts.version.is_some();
        facts.complete(headers);
        if !had_version
            && facts.version.as_ref().is_some_and(|version| *version != self.config.api_version)
        {
            tracing::warn!("the API responded with another version than the requested one");
        }
    }
}

/// Whether a body is JSON that breaks off.
fn is_incomplete_json(body: &[u8]) -> bool {
    let result = serde_json::from_slice::<IgnoredAny>(body);
    !body.trim_ascii().is_empty() && result.is_err_and(|error| error.is_eof())
}
