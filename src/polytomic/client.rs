//! The HTTP client: one method for each operation of the API, and the one way a request takes.
//!
//! Source: contract sections 1 (transport), 3 (models) and 4 (sources). Nothing is retried here, no
//! redirect is followed: a 307 would send a POST twice, and another host would see the key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use uuid::Uuid;

use super::base_url::BaseUrl;
use super::error::{Endpoint, ErrorBody, Operation, Subject};
use super::types::{
    Answer, Connection, ConnectionId, Job, JobId, Model, ModelId, ModelPage, NewModel, Preview,
    Sample, Source,
};
use super::{Credential, Error};

/// The version of the API that this client is written against.
pub const API_VERSION: &str = "2025-09-18";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A status is told although its body does not end.
const ERROR_BODY_TIME: Duration = Duration::from_secs(2);
const VERSION_HEADER: &str = "X-Polytomic-Version";
/// Of a failure's body only the beginning is of use.
const ERROR_BODY_BYTES: usize = 1 << 20;

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
    /// The key of a POST; a random UUID when absent. 8 to 255 of `[A-Za-z0-9_-]`.
    pub idempotency_key: Option<String>,
    /// When the caller stops waiting; the operation gets what is left until then, at most its timeout.
    pub deadline: Option<Instant>,
}

/// A client of the Polytomic API. Cheap to clone; clones share the connections.
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
    http: reqwest::Client,
    config: Arc<ClientConfig>,
    version_told: Arc<AtomicBool>,
    in_flight: Arc<Semaphore>,
}

/// One request before it is sent.
struct Request {
    operation: Operation,
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// The whole of a 2xx.
struct Body {
    status: u16,
    bytes: Vec<u8>,
    content_type: Option<String>,
}

/// What an answer may hold under `data`.
trait Data {
    /// Whether it is there and says nothing, as `{}` does in place of a model.
    fn is_nothing(&self) -> bool {
        false
    }
}

impl Data for Sample {}

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
            .connect_timeout(CONNECT_TIMEOUT.min(config.timeout.mul_f32(0.8)))
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
        Ok(Self { http, config: Arc::new(config), version_told: Arc::default(), in_flight })
    }

    /// The origin and path every operation is below.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        &self.config.base_url
    }

    /// Saves a model. A slow save, or one with `background`, answers with a `createmodel` job.
    ///
    /// ```
    /// # use polytomic_mcp::polytomic::*;
    /// # #[cfg(feature = "sandbox")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = polytomic_mcp::sandbox::Sandbox::start(Default::default())?;
    /// # let url = BaseUrl::parse(sandbox.url(), false)?;
    /// # let client = Client::new(ClientConfig::new(url, Credential::bearer(sandbox.api_key())?))?;
    /// let model: NewModel = serde_json::from_value(serde_json::json!({
    ///     "connection_id": "248df4b7-aa70-47b8-a036-33ac447e668d",
    ///     "name": "Users",
    ///     "configuration": {"table": "public.users"},
    /// }))?;
    /// let answer = client.create_model(&model, &CallOptions::default()).await?;
    /// assert_eq!(answer.data.and_then(|model| model.name).as_deref(), Some("Users"));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "sandbox"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// [`Error::Status`] with 400 for a bad configuration, 403, 404 for a connection; others as
    /// [`Error`] says.
    pub async fn create_model(
        &self,
        model: &NewModel,
        options: &CallOptions,
    ) -> Result<Answer<Model>, Error> {
        let operation = writing("create_model", Subject::Definition);
        let request = post(operation, path(&["api", "models"])?, model, options);
        self.answer(request, options).await
    }

    /// Resolves the fields a model would have; nothing is stored. A model without a name gets a
    /// placeholder, since the API demands a name here and does not use it (gap G11).
    ///
    /// # Errors
    /// As [`Client::create_model`].
    pub async fn preview_model(
        &self,
        model: &NewModel,
        options: &CallOptions,
    ) -> Result<Answer<Preview>, Error> {
        let path = path(&["api", "model-preview"])?;
        let operation = reading("preview_model", Subject::Definition);
        let request = if model.name.is_empty() {
            let named = NewModel { name: "Preview".to_owned(), ..model.clone() };
            post(operation, path, &named, options)
        } else {
            post(operation, path, model, options)
        };
        self.answer(request, options).await
    }

    /// Reads one model.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id.
    pub async fn get_model(
        &self,
        id: ModelId,
        options: &CallOptions,
    ) -> Result<Answer<Model>, Error> {
        let path = path(&["api", "models", &id.to_string()])?;
        let operation = reading("get_model", Subject::Model(id));
        self.answer(get(operation, path, background(options)), options).await
    }

    /// One page of models, newest change first. The API may ignore both arguments (gap G10).
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn list_models(
        &self,
        limit: Option<u32>,
        page_token: Option<&str>,
        options: &CallOptions,
    ) -> Result<ModelPage, Error> {
        #[derive(Deserialize)]
        struct Page {
            data: Option<Vec<Model>>,
            pagination: Option<Pagination>,
        }
        #[derive(Deserialize)]
        struct Pagination {
            next_page_token: Option<String>,
        }
        let limit = limit.map(|n| ("limit".to_owned(), n.to_string()));
        let token = page_token.map(|t| ("page_token".to_owned(), t.to_owned()));
        let operation = reading("list_models", Subject::Everything);
        let query = limit.into_iter().chain(token).collect();
        let request = get(operation, path(&["api", "models"])?, query);
        let page: Page = self.read(&request, options).await?;
        Ok(ModelPage {
            models: page.data.unwrap_or_default(),
            next_page_token: page
                .pagination
                .and_then(|p| p.next_page_token)
                .filter(|token| !token.is_empty()),
        })
    }

    /// Deletes a model; the syncs that use it break. `async` is not sent, and a body is not documented;
    /// where there is one, it may hold a job (gap G6).
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id, 403; [`Error::Decoding`] for a body that is no JSON.
    pub async fn delete_model(
        &self,
        id: ModelId,
        options: &CallOptions,
    ) -> Result<Option<Job>, Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Deleted {
            job: Option<Job>,
        }
        let operation = writing("delete_model", Subject::Model(id));
        let path = path(&["api", "models", &id.to_string()])?;
        let request = Request { method: Method::DELETE, ..get(operation, path, Vec::new()) };
        let body = self.send(&request, options).await?;
        if body.bytes.trim_ascii().is_empty() {
            return Ok(None);
        }
        let deleted: Option<Deleted> = self.parsed(&request, body)?;
        Ok(deleted.unwrap_or_default().job)
    }

    /// Reads sample records. Without `background` the API has 10 s for it; with it the answer is a job.
    ///
    /// ```
    /// # use polytomic_mcp::polytomic::*;
    /// # #[cfg(feature = "sandbox")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = polytomic_mcp::sandbox::Sandbox::start(Default::default())?;
    /// # let url = BaseUrl::parse(sandbox.url(), false)?;
    /// # let client = Client::new(ClientConfig::new(url, Credential::bearer(sandbox.api_key())?))?;
    /// let model: NewModel = serde_json::from_value(serde_json::json!({
    ///     "connection_id": "248df4b7-aa70-47b8-a036-33ac447e668d",
    ///     "name": "Users",
    ///     "configuration": {"table": "public.users"},
    /// }))?;
    /// let options = CallOptions::default();
    /// let created = client.create_model(&model, &options).await?.data.ok_or("no model")?;
    /// let id = ModelId(created.id.ok_or("no id")?.parse()?);
    /// let background = CallOptions { background: true, ..options };
    /// let job = client.sample_model(id, &background).await?.job.ok_or("no job")?;
    /// let minute = tokio::time::sleep(std::time::Duration::from_secs(60));
    /// let done = client.wait_for_job(job, minute, |_| {}, &CallOptions::default()).await?;
    /// let sample: Sample = serde_json::from_value(done.result.ok_or("no result")?)?;
    /// assert_eq!(sample.records.len(), 20);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "sandbox"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id, 400 where the source refuses.
    pub async fn sample_model(
        &self,
        id: ModelId,
        options: &CallOptions,
    ) -> Result<Answer<Sample>, Error> {
        let path = path(&["api", "models", &id.to_string(), "sample"])?;
        let operation = reading("sample_model", Subject::Model(id));
        self.answer(get(operation, path, background(options)), options).await
    }

    /// Reads a job. `kind` is the job's `type`, e.g. `createmodel`.
    ///
    /// # Errors
    /// [`Error::Status`] with 400 for an unknown type, 404 for an unknown id.
    pub async fn get_job(
        &self,
        kind: &str,
        id: JobId,
        options: &CallOptions,
    ) -> Result<Job, Error> {
        let path = path(&["api", "jobs", kind, &id.to_string()])?;
        let operation = reading("get_job", Subject::Job(id));
        self.data(get(operation, path, Vec::new()), options).await
    }

    /// Lists the connections of the organization; the API does not page them.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn list_connections(&self, options: &CallOptions) -> Result<Vec<Connection>, Error> {
        let operation = reading("list_connections", Subject::Everything);
        let request = get(operation, path(&["api", "connections"])?, Vec::new());
        let connections: Option<Vec<Connection>> = self.data_or_null(&request, options).await?;
        Ok(connections.unwrap_or_default())
    }

    /// What a connection can serve to a model. `configuration`: the choices made so far; values that
    /// are neither text nor lists are sent as JSON text (gap G12 for the spelling).
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown connection, 400 for a choice it does not take.
    pub async fn get_model_source(
        &self,
        id: ConnectionId,
        configuration: &Map<String, Value>,
        options: &CallOptions,
    ) -> Result<Source, Error> {
        let path = path(&["api", "connections", &id.to_string(), "modelsync", "source"])?;
        let mut query = Vec::new();
        for (key, value) in configuration {
            let name = format!("params[{key}]");
            match value {
                Value::Null => {}
                Value::Array(values) => {
                    query.extend(values.iter().map(|v| (name.clone(), plain(v))));
                }
                value => query.push((name, plain(value))),
            }
        }
        let operation = reading("get_model_source", Subject::Connection(id));
        self.data(get(operation, path, query), options).await
    }

    /// An answer that holds data, or a job that can be asked for, or both.
    async fn answer<T: DeserializeOwned + Data>(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<Answer<T>, Error> {
        let answer: Answer<T> = self.read(&request, options).await?;
        let answer = Answer { data: answer.data.filter(|data| !data.is_nothing()), ..answer };
        let reason = match (&answer.data, &answer.job) {
            (Some(_), _) => return Ok(answer),
            (None, Some(job)) if job.has_ended() || job.handle().is_some() => return Ok(answer),
            (None, Some(_)) => "its job has no type and id that could be asked for",
            (None, None) => "it holds neither data nor job",
        };
        Err(Error::Decoding {
            endpoint: self.endpoint(&request),
            status: 200,
            reason: reason.into(),
        })
    }

    /// An answer whose `data` must be there.
    async fn data<T: DeserializeOwned>(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<T, Error> {
        self.data_or_null(&request, options).await?.ok_or_else(|| Error::Decoding {
            endpoint: self.endpoint(&request),
            status: 200,
            reason: "it holds no data".into(),
        })
    }

    async fn data_or_null<T: DeserializeOwned>(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<Option<T>, Error> {
        #[derive(Deserialize)]
        struct Envelope<T> {
            data: Option<T>,
        }
        let envelope: Envelope<T> = self.read(request, options).await?;
        Ok(envelope.data)
    }

    fn endpoint(&self, request: &Request) -> Box<Endpoint> {
        Box::new(Endpoint {
            operation: request.operation,
            method: request.method.clone(),
            base_url: self.config.base_url.clone(),
            path: request.path.clone(),
        })
    }

    async fn read<T: DeserializeOwned>(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<T, Error> {
        let body = self.send(request, options).await?;
        self.parsed(request, body)
    }

    fn parsed<T: DeserializeOwned>(&self, request: &Request, body: Body) -> Result<T, Error> {
        let credential = &self.config.credential;
        let Body { status, mut bytes, content_type } = body;
        if credential.is_in(&bytes)
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
                placed.err().map_or_else(|| error.to_string(), |error| error.to_string())
            };
            Error::Decoding {
                endpoint: self.endpoint(request),
                status,
                reason: credential.redact(&reason),
            }
        })
    }

    /// Sends once, within the time that is left, and reads the whole body of a 2xx.
    async fn send(&self, request: &Request, options: &CallOptions) -> Result<Body, Error> {
        let started = Instant::now();
        let left = options.deadline.map(|d| d.saturating_duration_since(started));
        let limit = left.map_or(self.config.timeout, |left| left.min(self.config.timeout));
        // The wait for its turn counts: nobody is served by an answer that comes too late.
        let sent = AtomicBool::new(false);
        let exchange = async {
            let _turn = self.in_flight.acquire().await;
            // Its turn may come as the time is up, where another operation timed out beside it.
            if Instant::now() >= started + limit {
                return std::future::pending().await;
            }
            sent.store(true, Ordering::Relaxed);
            self.exchange(request, options).await
        };
        let result = tokio::time::timeout_at(started + limit, exchange).await;
        let result = result.unwrap_or_else(|_| {
            let sent = sent.load(Ordering::Relaxed);
            Err(Error::Timeout { endpoint: self.endpoint(request), after: limit, sent })
        });
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = match &result {
            Ok(body) => Some(body.status),
            Err(error) => error.http_status(),
        };
        let (method, path) = (request.method.as_str(), request.path.as_str());
        tracing::debug!(method, path, status, elapsed_ms, "api called");
        result
    }

    async fn exchange(&self, request: &Request, options: &CallOptions) -> Result<Body, Error> {
        let broken = |sent: bool| {
            move |error: reqwest::Error| Error::Transport {
                endpoint: self.endpoint(request),
                sent,
                source: error.without_url(),
            }
        };
        let url = format!("{}{}", self.config.base_url, request.path);
        let mut builder =
            self.config.credential.apply(self.http.request(request.method.clone(), url));
        if !request.query.is_empty() {
            builder = builder.query(&request.query);
        }
        if request.method == Method::POST {
            let key = options.idempotency_key.clone();
            let key = key.unwrap_or_else(|| Uuid::new_v4().to_string());
            builder = builder.header("Idempotency-Key", key);
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
            let mut text = Vec::new();
            let reading = async {
                while let Ok(Some(chunk)) = answer.chunk().await {
                    text.extend_from_slice(&chunk);
                    if text.len() > ERROR_BODY_BYTES {
                        break;
                    }
                }
            };
            let _ = tokio::time::timeout(ERROR_BODY_TIME, reading).await;
            let body = ErrorBody::read(&text, content_type, &self.config.credential);
            let body = ErrorBody { location, ..body };
            return Err(Error::Status {
                endpoint: self.endpoint(request),
                status: status.as_u16(),
                body: Box::new(body),
                request_id,
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

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base_url", &self.config.base_url).finish_non_exhaustive()
    }
}

fn reading(name: &'static str, subject: Subject) -> Operation {
    Operation { name, subject, writes: false }
}

fn writing(name: &'static str, subject: Subject) -> Operation {
    Operation { name, subject, writes: true }
}

fn get(operation: Operation, path: String, query: Vec<(String, String)>) -> Request {
    Request { operation, method: Method::GET, path, query, body: None }
}

fn post(operation: Operation, path: String, model: &NewModel, options: &CallOptions) -> Request {
    let body = json!(model).to_string().into_bytes();
    let query = background(options);
    Request { operation, method: Method::POST, path, query, body: Some(body) }
}

fn background(options: &CallOptions) -> Vec<(String, String)> {
    let asked = options.background.then(|| ("async".to_owned(), "true".to_owned()));
    asked.into_iter().collect()
}

/// Text as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The one place where ids and words become a path: every byte but `A-Za-z0-9-._~` is encoded, and
/// what a URL parser would fold away is refused.
fn path(parts: &[&str]) -> Result<String, Error> {
    use std::fmt::Write;
    let mut path = String::new();
    for part in parts {
        if matches!(*part, "" | "." | "..") {
            return Err(Error::PathPart { part: (*part).to_owned() });
        }
        path.push('/');
        for byte in part.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    path.push(char::from(byte));
                }
                _ => {
                    let _ = write!(path, "%{byte:02X}");
                }
            }
        }
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
