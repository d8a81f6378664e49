//! Sends requests: within the deadline, with retries, and reads the response or classifies the failure.
//!
//! `retry` decides which failures are retried, `idempotency` which key a POST carries. Redirects are not
//! followed: a 307 would send a POST twice, and another host would receive the API key.
//!
//! Source: contract sections 1 (transport) and 2 (jobs).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::Retryable;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::Instant;

use super::client::{CallOptions, Client, VERSION_HEADER};
use super::error::{Error, ErrorBody};
use super::exact_numbers::mark_and_replace;
use super::failed_request::{Attempts, FailedRequest};
use super::idempotency::ClaimedKey;
use super::request::Request;
use super::response::{Body, Envelope, PageEnvelope, Response, ResponseData, validate};
use super::retry::{self, MIN_TIME_FOR_WRITE};
use super::types::Page;

/// The status is reported even if the body never ends.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// Only the beginning of an error body is of use.
const MAX_ERROR_BODY_BYTES: usize = 1 << 20;
/// Share of its time after which a request that is still queued is no longer sent. What remains is longer
/// than the connect timeout, so that a connection that hangs is reported as such.
const MAX_QUEUE_SHARE: f32 = 0.6;

impl Client {
    /// Sends a request whose response holds data, a job, or both.
    pub(super) async fn data_or_job<T: DeserializeOwned + ResponseData>(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<Response<T>, Error> {
        let response = self.send_and_validate(&request, options, validate::<T>);
        let (response, key) = response.await?;
        Ok(Response { key, ..response })
    }

    /// Sends a request whose response must hold data.
    pub(super) async fn data<T: DeserializeOwned>(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<T, Error> {
        let data = |Envelope { data }| data.ok_or("it holds no data");
        Ok(self.send_and_validate(&request, options, data).await?.0)
    }

    /// Sends a request whose response may hold null as its data.
    pub(super) async fn data_or_null<T: DeserializeOwned>(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<Option<T>, Error> {
        let data = |envelope: Envelope<T>| Ok(envelope.data);
        Ok(self.send_and_validate(request, options, data).await?.0)
    }

    /// Sends a request for one page of a list.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<Page<T>, Error> {
        let page: PageEnvelope<T> = self.unwrapped(&request, options).await?;
        Ok(page.into())
    }

    /// Sends a request whose response has no envelope.
    pub(super) async fn unwrapped<T: DeserializeOwned>(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<T, Error> {
        Ok(self.send_and_validate(request, options, Ok).await?.0)
    }

    /// Sends a request, reads its response, and lets `validate` accept or reject it.
    async fn send_and_validate<T: DeserializeOwned, U>(
        &self,
        request: &Request,
        options: &CallOptions,
        validate: impl FnOnce(T) -> Result<U, &'static str>,
    ) -> Result<(U, Option<ClaimedKey>), Error> {
        self.send_with_retries(request, options, |body| {
            let status = body.status;
            validate(self.parse(request, body)?).map_err(|reason| Error::Decoding {
                request: self.failed_request(request),
                status,
                reason: reason.into(),
            })
        })
        .await
    }

    pub(super) fn failed_request(&self, request: &Request) -> Box<FailedRequest> {
        Box::new(FailedRequest {
            operation: request.operation,
            method: request.method.clone(),
            base_url: self.config.base_url.clone(),
            path: request.path.clone(),
            attempts: Attempts::default(),
            idempotency_key: None,
        })
    }

    /// Reads a body as JSON, with the credential taken out of it and its numbers marked.
    pub(super) fn parse<T: DeserializeOwned>(
        &self,
        request: &Request,
        body: Body,
    ) -> Result<T, Error> {
        let credential = &self.config.credential;
        let Body { status, mut bytes, content_type } = body;
        let may_have_secret = credential.may_be_in(&bytes);
        let redact =
            |string: &str| may_have_secret.then(|| credential.redact_string(string)).flatten();
        let json = std::str::from_utf8(&bytes).ok();
        if let Some(json) = json.and_then(|json| mark_and_replace(json, redact)) {
            bytes = json.into_bytes();
        }
        let parsed = match std::str::from_utf8(&bytes) {
            // Faster, since the strings are not validated one by one.
            Ok(json) => serde_json::from_str(json),
            Err(_) => serde_json::from_slice(&bytes),
        };
        parsed.map_err(|error| {
            let is_json = content_type.as_deref().is_none_or(|kind| kind.contains("json"));
            let reason = if bytes.trim_ascii().is_empty() {
                "its body is empty".to_owned()
            } else if !error.is_data() && is_json {
                format!("its JSON cannot be parsed: {error}")
            } else if !error.is_data() {
                format!("its body is not JSON but {}", content_type.unwrap_or_default())
            } else {
                // Parsed a second time to find the path of the error; only the failure pays for it.
                let mut json = serde_json::Deserializer::from_slice(&bytes);
                let result = serde_path_to_error::deserialize::<_, T>(&mut json);
                let message =
                    result.err().map_or_else(|| error.to_string(), |error| error.to_string());
                without_value(&message)
            };
            Error::Decoding {
                request: self.failed_request(request),
                status,
                reason: credential.redact(&reason),
            }
        })
    }

    /// Sends a request, retries it where that is safe, and reads the body of a 2xx response with `read`.
    ///
    /// Cancel-safe: dropping it drops the request in flight, and the next equal call reuses its key.
    pub(super) async fn send_with_retries<T>(
        &self,
        request: &Request,
        options: &CallOptions,
        read: impl FnOnce(Body) -> Result<T, Error>,
    ) -> Result<(T, Option<ClaimedKey>), Error> {
        let key = (request.method == Method::POST)
            .then(|| self.keys.claim(request, options.idempotency_key.as_deref()))
            .transpose()
            .map_err(|_| Error::KeyReused { request: self.failed_request(request) })?;
        let outcome_unknown = key.as_ref().is_some_and(ClaimedKey::outcome_is_unknown);
        let mut attempts = Attempts { outcome_unknown, ..Attempts::default() };
        let sleep_options = options.clone();
        let result = (|| self.send_once(request, options, key.as_ref()))
            .retry(retry::backoff())
            .sleep(move |delay| {
                let options = sleep_options.clone();
                // A shutdown ends the delay; the next attempt then finds that nothing may be sent.
                async move { drop(tokio::time::timeout(delay, options.shutdown_requested()).await) }
            })
            .adjust(|error, delay| {
                attempts.next_delay(request, error, delay, options.deadline, &self.retry_budget)
            })
            .await;
        let write_key = key.as_ref().and_then(ClaimedKey::for_write);
        let result =
            result.and_then(read).map_err(|error| error.with_attempts(attempts, write_key));
        if let Some(key) = &key
            && (attempts.replayed
                || result.as_ref().err().is_none_or(|error| !error.outcome_is_unknown()))
        {
            key.mark_outcome_known();
        }
        if result.is_ok() {
            self.retry_budget.deposit();
        }
        Ok((result?, key))
    }

    /// Makes one attempt within the remaining time, and reads the complete body of a 2xx response.
    async fn send_once(
        &self,
        request: &Request,
        options: &CallOptions,
        key: Option<&ClaimedKey>,
    ) -> Result<Body, Error> {
        let started = Instant::now();
        let remaining = options.deadline.map(|d| d.saturating_duration_since(started));
        let limit = remaining.map_or(self.config.timeout, |left| left.min(self.config.timeout));
        let sent = AtomicBool::new(false);
        let timeout =
            |after, sent| Error::Timeout { request: self.failed_request(request), after, sent };
        let abandoned = |shutting_down| Error::Abandoned {
            request: self.failed_request(request),
            shutting_down,
        };
        let attempt = async {
            // Queueing counts against the limit: nobody benefits from a response that comes too late.
            let _permit = tokio::select! {
                biased;
                () = options.shutdown_requested() => return Err(abandoned(true)),
                permit = self.in_flight.acquire() => permit,
            };
            if started.elapsed() > limit.mul_f32(MAX_QUEUE_SHARE) {
                return Err(timeout(started.elapsed(), false));
            }
            let is_late =
                |d: Instant| d.saturating_duration_since(Instant::now()) < MIN_TIME_FOR_WRITE;
            if request.operation.writes && options.deadline.is_some_and(is_late) {
                return Err(abandoned(false));
            }
            sent.store(true, Ordering::Relaxed);
            if let Some(key) = key {
                key.mark_outcome_unknown();
            }
            self.exchange(request, key, started + limit).await
        };
        let result = tokio::time::timeout_at(started + limit, attempt).await;
        let result = result.unwrap_or_else(|_| Err(timeout(limit, sent.load(Ordering::Relaxed))));
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = match &result {
            Ok(body) => Some(body.status),
            Err(error) => error.http_status(),
        };
        let (method, path) = (request.method.as_str(), request.path.as_str());
        tracing::debug!(method, path, status, elapsed_ms, "api request finished");
        result
    }

    /// Sends the HTTP request and reads the response.
    async fn exchange(
        &self,
        request: &Request,
        key: Option<&ClaimedKey>,
        deadline: Instant,
    ) -> Result<Body, Error> {
        let transport_error = |sent: bool| {
            move |error: reqwest::Error| Error::Transport {
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
            transport_error(sent)(error)
        })?;
        self.compare_version(response.headers());
        if !response.status().is_success() {
            return Err(self.status_error(request, response, deadline).await);
        }
        self.read_body(request, response).await
    }

    fn build(&self, request: &Request, key: Option<&ClaimedKey>) -> reqwest::RequestBuilder {
        let url = format!("{}{}", self.config.base_url, request.path);
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
        let request_id = header("X-Request-Id");
        let retry_after =
            header(RETRY_AFTER.as_str()).and_then(|value| retry::parse_retry_after(&value));
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
        let body = ErrorBody::parse(&bytes, content_type, &self.config.credential);
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
        let (status, limit) = (response.status().as_u16(), self.config.max_response_bytes);
        let too_large =
            || Error::ResponseTooLarge { request: self.failed_request(request), status, limit };
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let expected = response.content_length().and_then(|length| usize::try_from(length).ok());
        let mut bytes = Vec::with_capacity(expected.unwrap_or_default());
        let transport_error =
            |source| Error::Transport { request: self.failed_request(request), sent: true, source };
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > limit => return Err(too_large()),
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                // Without a length, only the end of the JSON text shows whether the body is complete.
                Ok(None) if expected.is_none() && is_incomplete_json(&bytes) => {
                    return Err(transport_error("the body ends early".into()));
                }
                Ok(None) => return Ok(Body { status, bytes, content_type }),
                Err(error) => return Err(transport_error(error.without_url().into())),
            }
        }
    }

    /// A response header as text, with the credential taken out of it.
    fn header(&self, response: &reqwest::Response, name: &str) -> Option<String> {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(self.config.credential.redact(value))
    }

    /// Warns once if the API responds with another version than the requested one (gap G2).
    fn compare_version(&self, headers: &HeaderMap) {
        let version = headers.get(VERSION_HEADER).and_then(|v| v.to_str().ok());
        if version.is_some_and(|v| v != self.config.api_version)
            && !self.version_warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("the API responded with another version than the requested one");
        }
    }
}

/// A serde message without the value it quotes, which may be a secret.
fn without_value(message: &str) -> String {
    match (message.find(" \""), message.rfind("\", expected")) {
        (Some(from), Some(to)) if from < to => {
            let (before, after) = (message.get(..from), message.get(to + 1..));
            format!("{}{}", before.unwrap_or_default(), after.unwrap_or_default())
        }
        _ => message.to_owned(),
    }
}

/// Whether a body is JSON that breaks off.
fn is_incomplete_json(body: &[u8]) -> bool {
    let result = serde_json::from_slice::<IgnoredAny>(body);
    !body.trim_ascii().is_empty() && result.is_err_and(|error| error.is_eof())
}
