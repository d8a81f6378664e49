//! The one way a request takes: sent within its time, its answer read or told apart.
//!
//! What is tried again is `retry`'s to say, which key a POST has `keys`'. No redirect is followed: a 307
//! would send a POST twice, and another host would see the key.
//!
//! Source: contract sections 1 (transport) and 2 (jobs).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::Retryable;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::Instant;

use super::client::VERSION_HEADER;
use super::error::{Endpoint, ErrorBody, Operation};
use super::keys::Key;
use super::retry::{self, Retry, Tries};
use super::types::{Answer, Model, Page, Preview, Sample};
use super::{CallOptions, Client, Error};

/// A status is told although its body does not end.
const ERROR_BODY_TIME: Duration = Duration::from_secs(2);
/// The share of its time after which an operation that still waits for its turn is not sent any more.
/// More than the connect timeout is left then, so that a connection that hangs is told as such.
const LATEST_TURN: f32 = 0.6;
/// A change is not sent with less time than this: it would end with nobody knowing whether it was made.
pub(super) const LEAST_FOR_A_WRITE: Duration = Duration::from_secs(3);
/// What is encoded in a part of a path: all but the unreserved characters (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Of a failure's body only the beginning is of use.
const ERROR_BODY_BYTES: usize = 1 << 20;

/// One request before it is sent.
pub(super) struct Request {
    pub(super) operation: Operation,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) retry: Retry,
}

/// The whole of a 2xx.
pub(super) struct Body {
    status: u16,
    pub(super) bytes: Vec<u8>,
    content_type: Option<String>,
}

/// What an answer may hold under `data`.
pub(super) trait Data {
    /// Whether it is there and says nothing, as `{}` does in place of a model.
    fn is_nothing(&self) -> bool;
    /// Whether that is an answer all the same, where there is no job.
    const MAY_BE_EMPTY: bool = false;
}

impl Data for Sample {
    // A null list is an empty one.
    const MAY_BE_EMPTY: bool = true;

    fn is_nothing(&self) -> bool {
        self.records.is_none()
    }
}

impl Data for Model {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Data for Preview {
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Model(model) if model.is_nothing())
    }
}

/// An answer as the API wraps it.
#[derive(Deserialize)]
struct Envelope<T> {
    // Null is nothing; without it this is no answer of the API's.
    #[serde(deserialize_with = "Option::deserialize", bound = "T: Deserialize<'de>")]
    data: Option<T>,
}

impl Client {
    /// An answer that holds data, or a job that can be asked for, or both.
    pub(super) async fn answer<T: DeserializeOwned + Data>(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<Answer<T>, Error> {
        let checked = self.checked(&request, options, |answer: Answer<T>| {
            let is_all = answer.job.is_none() && T::MAY_BE_EMPTY;
            let data = answer.data.filter(|data| is_all || !data.is_nothing());
            let answer = Answer { data, ..answer };
            match (&answer.data, &answer.job) {
                (Some(_), _) => Ok(answer),
                (None, Some(job)) if job.has_ended() || job.handle().is_some() => Ok(answer),
                (None, Some(_)) => Err("its job has no type and id that could be asked for"),
                (None, None) => Err("it holds neither data nor job"),
            }
        });
        let (answer, key) = checked.await?;
        Ok(Answer { key, ..answer })
    }

    /// An answer whose `data` must be there.
    pub(super) async fn data<T: DeserializeOwned>(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<T, Error> {
        let data = |Envelope { data }| data.ok_or("it holds no data");
        Ok(self.checked(&request, options, data).await?.0)
    }

    pub(super) async fn data_or_null<T: DeserializeOwned>(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<Option<T>, Error> {
        Ok(self.checked(request, options, |envelope: Envelope<T>| Ok(envelope.data)).await?.0)
    }

    /// One page of a list, where the API pages it.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<Page<T>, Error> {
        #[derive(Deserialize)]
        struct Paged<T> {
            // Null is an empty list; without it this is no answer of the API's.
            #[serde(deserialize_with = "Option::deserialize", bound = "T: Deserialize<'de>")]
            data: Option<Vec<T>>,
            pagination: Option<Pagination>,
        }
        #[derive(Deserialize)]
        struct Pagination {
            next_page_token: Option<String>,
        }
        let page: Paged<T> = self.read(&request, options).await?;
        let token = page.pagination.and_then(|pagination| pagination.next_page_token);
        Ok(Page {
            items: page.data.unwrap_or_default(),
            next_page_token: token.filter(|token| !token.is_empty()),
        })
    }

    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<T, Error> {
        Ok(self.checked(request, options, Ok).await?.0)
    }

    /// An answer that is read, and then found good or lacking by `check`.
    async fn checked<T: DeserializeOwned, U>(
        &self,
        request: &Request,
        options: &CallOptions,
        check: impl FnOnce(T) -> Result<U, &'static str>,
    ) -> Result<(U, Option<Key>), Error> {
        self.send(request, options, |body| {
            let status = body.status;
            check(self.parsed(request, body)?).map_err(|reason| Error::Decoding {
                endpoint: self.endpoint(request),
                status,
                reason: reason.into(),
            })
        })
        .await
    }

    pub(super) fn endpoint(&self, request: &Request) -> Box<Endpoint> {
        Box::new(Endpoint {
            operation: request.operation,
            method: request.method.clone(),
            base_url: self.config.base_url.clone(),
            path: request.path.clone(),
            tries: Tries::default(),
            idempotency_key: None,
        })
    }

    pub(super) fn parsed<T: DeserializeOwned>(
        &self,
        request: &Request,
        body: Body,
    ) -> Result<T, Error> {
        let credential = &self.config.credential;
        let Body { status, mut bytes, content_type } = body;
        if credential.may_be_in(&bytes)
            && let Ok(mut value) = serde_json::from_slice(&bytes)
        {
            credential.redact_value(&mut value);
            bytes = value.to_string().into_bytes();
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            let is_json = content_type.as_deref().is_none_or(|kind| kind.contains("json"));
            let reason = if bytes.trim_ascii().is_empty() {
                "its body is empty".to_owned()
            } else if !error.is_data() && is_json {
                format!("its JSON cannot be read: {error}")
            } else if !error.is_data() {
                format!("it is no JSON but {}", content_type.unwrap_or_default())
            } else {
                // Read once more for the place; only the failure pays for it.
                let mut json = serde_json::Deserializer::from_slice(&bytes);
                let placed = serde_path_to_error::deserialize::<_, T>(&mut json);
                let told =
                    placed.err().map_or_else(|| error.to_string(), |error| error.to_string());
                without_value(&told)
            };
            Error::Decoding {
                endpoint: self.endpoint(request),
                status,
                reason: credential.redact(&reason),
            }
        })
    }

    /// Sends, again where that makes sense, and reads the body of a 2xx by `read`.
    ///
    /// Cancel-safe: dropping it drops the request in flight, and its key is kept for the next equal call.
    pub(super) async fn send<T>(
        &self,
        request: &Request,
        options: &CallOptions,
        read: impl FnOnce(Body) -> Result<T, Error>,
    ) -> Result<(T, Option<Key>), Error> {
        let key = (request.method == Method::POST)
            .then(|| self.keys.claim(request, options.idempotency_key.as_deref()))
            .transpose()
            .map_err(|_| Error::KeyTaken { endpoint: self.endpoint(request) })?;
        let unsure = key.as_ref().is_some_and(Key::is_open);
        let mut tries = Tries { unsure, ..Tries::default() };
        let stopping = options.clone();
        let result = (|| self.send_once(request, options, key.as_ref()))
            .retry(retry::pauses())
            .sleep(move |pause| {
                let options = stopping.clone();
                // A stop ends the pause, and the next try finds that nothing more may be sent.
                async move { drop(tokio::time::timeout(pause, options.stopping()).await) }
            })
            .adjust(|error, pause| {
                tries.next(request, error, pause, options.deadline, &self.bucket)
            })
            .await;
        let result = result.and_then(read).map_err(|error| error.after(tries, key.as_ref()));
        if let Some(key) = &key
            && (tries.replayed
                || result.as_ref().err().is_none_or(|error| !error.outcome_is_unknown()))
        {
            key.close();
        }
        if result.is_ok() {
            self.bucket.give();
        }
        Ok((result?, key))
    }

    /// Sends once, within the time that is left, and reads the whole body of a 2xx.
    async fn send_once(
        &self,
        request: &Request,
        options: &CallOptions,
        key: Option<&Key>,
    ) -> Result<Body, Error> {
        let started = Instant::now();
        let left = options.deadline.map(|d| d.saturating_duration_since(started));
        let limit = left.map_or(self.config.timeout, |left| left.min(self.config.timeout));
        // The wait for its turn counts: nobody is served by an answer that comes too late.
        let sent = AtomicBool::new(false);
        let timeout =
            |after, sent| Error::Timeout { endpoint: self.endpoint(request), after, sent };
        let given_up = |stopping| Error::GivenUp { endpoint: self.endpoint(request), stopping };
        let exchange = async {
            let _turn = tokio::select! {
                biased;
                // The program is about to end: what has not been sent stays unsent.
                () = options.stopping() => {
                    return Err(given_up(true));
                }
                turn = self.in_flight.acquire() => turn,
            };
            // A turn that comes late is none: what is sent needs time to be answered.
            if started.elapsed() > limit.mul_f32(LATEST_TURN) {
                return Err(timeout(started.elapsed(), false));
            }
            let is_late =
                |d: Instant| d.saturating_duration_since(Instant::now()) < LEAST_FOR_A_WRITE;
            if request.operation.writes && options.deadline.is_some_and(is_late) {
                return Err(given_up(false));
            }
            sent.store(true, Ordering::Relaxed);
            if let Some(key) = key {
                key.open();
            }
            self.exchange(request, key, started + limit).await
        };
        let result = tokio::time::timeout_at(started + limit, exchange).await;
        let result = result.unwrap_or_else(|_| Err(timeout(limit, sent.load(Ordering::Relaxed))));
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = match &result {
            Ok(body) => Some(body.status),
            Err(error) => error.http_status(),
        };
        let (method, path) = (request.method.as_str(), request.path.as_str());
        tracing::debug!(method, path, status, elapsed_ms, "api called");
        result
    }

    async fn exchange(
        &self,
        request: &Request,
        key: Option<&Key>,
        until: Instant,
    ) -> Result<Body, Error> {
        let broken = |sent: bool| {
            move |error: reqwest::Error| Error::Transport {
                endpoint: self.endpoint(request),
                sent,
                source: error.without_url().into(),
            }
        };
        let url = format!("{}{}", self.config.base_url, request.path);
        let mut builder =
            self.config.credential.apply(self.http.request(request.method.clone(), url));
        if !request.query.is_empty() {
            builder = builder.query(&request.query);
        }
        if let Some(key) = key {
            builder = builder.header("Idempotency-Key", key.text());
        }
        if let Some(body) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(body.clone());
        }
        let mut answer = builder.send().await.map_err(|error| {
            if error.is_builder() {
                let source = error.without_url();
                return Error::Unsendable { endpoint: self.endpoint(request), source };
            }
            let sent = !error.is_connect();
            broken(sent)(error)
        })?;
        let status = answer.status();
        self.compare_version(answer.headers());
        let header = |name: &str| {
            let value = answer.headers().get(name)?.to_str().ok()?;
            Some(self.config.credential.redact(value))
        };
        let content_type = header(CONTENT_TYPE.as_str());
        if !status.is_success() {
            let (location, request_id) = (header(LOCATION.as_str()), header("X-Request-Id"));
            let retry_after =
                header(RETRY_AFTER.as_str()).and_then(|value| retry::read_retry_after(&value));
            let mut text = Vec::new();
            let reading = async {
                while let Ok(Some(chunk)) = answer.chunk().await {
                    text.extend_from_slice(&chunk);
                    if text.len() > ERROR_BODY_BYTES {
                        break;
                    }
                }
            };
            let left = until.saturating_duration_since(Instant::now());
            let _ = tokio::time::timeout(ERROR_BODY_TIME.min(left / 2), reading).await;
            let body = ErrorBody::read(&text, content_type, &self.config.credential);
            let body = ErrorBody { location, ..body };
            return Err(Error::Status {
                endpoint: self.endpoint(request),
                status: status.as_u16(),
                body: Box::new(body),
                request_id,
                retry_after,
            });
        }
        let limit = self.config.max_answer_bytes;
        let status = status.as_u16();
        let too_large = || Error::TooLarge { endpoint: self.endpoint(request), status, limit };
        if answer.content_length().is_some_and(|n| n > limit as u64) {
            return Err(too_large());
        }
        let expected = answer.content_length().and_then(|length| usize::try_from(length).ok());
        let mut bytes = Vec::with_capacity(expected.unwrap_or_default());
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > limit => return Err(too_large()),
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                // Where no length was said, the end of the text tells whether it is all.
                Ok(None) if expected.is_none() && ends_early(&bytes) => {
                    let (endpoint, source) = (self.endpoint(request), "the body ends early".into());
                    return Err(Error::Transport { endpoint, sent: true, source });
                }
                Ok(None) => return Ok(Body { status, bytes, content_type }),
                Err(error) => return Err(broken(true)(error)),
            }
        }
    }

    /// Warns once where another version answered than was asked for (gap G2).
    fn compare_version(&self, headers: &HeaderMap) {
        let answered = headers.get(VERSION_HEADER).and_then(|v| v.to_str().ok());
        if answered.is_some_and(|v| v != self.config.api_version)
            && !self.version_told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("the API answered with another version than the one asked for");
        }
    }

    /// For text of a job's, which may quote what the API was sent.
    pub(super) fn redact(&self, text: &str) -> String {
        self.config.credential.redact(text)
    }
}

/// What does not fit, without the text that does not: it may be a secret.
fn without_value(told: &str) -> String {
    match (told.find(" \""), told.rfind("\", expected")) {
        (Some(from), Some(to)) if from < to => {
            let (before, after) = (told.get(..from), told.get(to + 1..));
            format!("{}{}", before.unwrap_or_default(), after.unwrap_or_default())
        }
        _ => told.to_owned(),
    }
}

/// Whether a body is the beginning of JSON.
fn ends_early(body: &[u8]) -> bool {
    let read = serde_json::from_slice::<IgnoredAny>(body);
    !body.trim_ascii().is_empty() && read.is_err_and(|error| error.is_eof())
}

/// The one place where ids and words become a path: every byte but `A-Za-z0-9-._~` is encoded, and
/// what a URL parser would fold away is refused.
pub(super) fn path(parts: &[&str]) -> Result<String, Error> {
    let mut path = String::new();
    for part in parts {
        if matches!(*part, "" | "." | "..") {
            return Err(Error::PathPart { part: (*part).to_owned() });
        }
        path.push('/');
        path.extend(utf8_percent_encode(part, ENCODED));
    }
    Ok(path)
}

/// An error with its causes, for the log and for `details`.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_path_cannot_leave_its_place() {
        for (label, part, expected) in [
            ("an id", "248df4b7-aa70", Some("/api/248df4b7-aa70")),
            ("slashes", "a/../b", Some("/api/a%2F..%2Fb")),
            ("query and fragment", "a?b#c", Some("/api/a%3Fb%23c")),
            ("percent", "%2e%2e", Some("/api/%252e%252e")),
            ("unicode", "ü", Some("/api/%C3%BC")),
            ("nothing", "", None),
            ("here", ".", None),
            ("up", "..", None),
        ] {
            assert_eq!(path(&["api", part]).ok().as_deref(), expected, "{label}");
        }
    }
}
