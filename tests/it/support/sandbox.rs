//! Runs `polytomic-mcp sandbox` as a process, with an HTTP client that shares no code with the crate's own.

use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::contract::{Operation, check_response};
use super::{Keys, Launch, Session, Stream};

pub(crate) const CONNECTION: &str = "248df4b7-aa70-47b8-a036-33ac447e668d";

/// The connection that syncs write to.
pub(crate) const TARGET: &str = "f27b8a61-0d35-4e9c-b148-6a93c5d07e82";

/// A query with rows without end.
pub(crate) const ENDLESS: &str = "WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM c)
                                  SELECT id, 'record ' || id AS name FROM c";

/// The connection that enriches.
pub(crate) const ENRICHMENT: &str = "a6e08c39-2d54-47f1-8b6c-f31d7059e2a4";

/// A running sandbox; dropping it kills the process.
pub(crate) struct Sandbox {
    child: Child,
    api: Api,
    /// The line that it printed first.
    pub(crate) announcement: Value,
    stderr: Stream,
    /// Its home exists as long as it runs.
    _launch: Launch,
}

/// The API of a sandbox, for one key.
pub(crate) struct Api {
    pub(crate) url: String,
    pub(crate) key: String,
    client: reqwest::Client,
}

impl Deref for Sandbox {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

/// A response, with its body as text and as JSON.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Response {
    /// The `data` of a 200 response.
    #[track_caller]
    pub(crate) fn data(&self) -> &Value {
        assert_eq!(self.status, 200, "{}", self.text);
        &self.body["data"]
    }

    /// The message of an error with this status; also checks the properties of the error.
    #[track_caller]
    pub(crate) fn error_message(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(keys(&self.body), ["key", "message", "metadata", "status"], "{}", self.text);
        assert_eq!(self.body["status"], status, "{}", self.text);
        self.body["message"].as_str().unwrap()
    }
}

/// The sorted property names of an object.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

impl Sandbox {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::from_launch(Self::process(arguments), Stdio::piped())
    }

    /// One that logs everything to this stderr.
    pub(crate) fn start_at_trace(stderr: Stdio) -> Self {
        Self::from_launch(Self::process(&[]).variable("POLYTOMIC_LOG", "trace"), stderr)
    }

    /// The process, for starts that fail.
    pub(crate) fn process(arguments: &[&str]) -> Launch {
        Launch::unconfigured().flags(["sandbox", "--listen", "127.0.0.1:0"]).flags(arguments)
    }

    fn from_launch(launch: Launch, stderr: Stdio) -> Self {
        let mut command = launch.command().into_std();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().unwrap();
        let stderr = Stream::read_at_once(child.stderr.take().map(OwnedFd::from));
        let mut stdout = child.stdout.take().unwrap();
        // It announces itself at once, or fails.
        let (line, is_read) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = BufReader::new(&mut stdout).read_line(&mut text);
            let _ = line.send(text);
        });
        let line = is_read.recv_timeout(Duration::from_secs(20)).expect("a line on stdout");
        let Ok(announcement) = serde_json::from_str::<Value>(&line) else {
            panic!("expected a line of JSON, got {line:?}; stderr: {}", stderr.text_to_end());
        };
        let text = |name: &str| announcement[name].as_str().unwrap().to_owned();
        let api = Api { url: text("url"), key: text("api_key"), client: client() };
        Self { child, api, announcement, stderr, _launch: launch }
    }

    pub(crate) fn process_id(&self) -> String {
        self.child.id().to_string()
    }

    /// The same sandbox for the key of another role.
    pub(crate) fn with_key(&self, role: &str) -> Api {
        let key = self.announcement["keys"][role].as_str().expect("a start with --keys").to_owned();
        Api { url: self.url.clone(), key, client: client() }
    }

    /// Sends SIGTERM and waits for the process to exit.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "the sandbox does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends SIGKILL, as if the process crashed, and waits for it to exit.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Api {
    /// Settings that use this sandbox as the API, except that nothing says who confirms.
    pub(crate) fn unconfirmed_launch(&self) -> Launch {
        Launch::unconfigured()
            .variable("POLYTOMIC_BASE_URL", &self.url)
            .variable("POLYTOMIC_API_KEY", &self.key)
    }

    /// Settings that use this sandbox as the API.
    pub(crate) fn launch(&self) -> Launch {
        self.unconfirmed_launch().variable("POLYTOMIC_CONFIRM", "never")
    }

    /// A request with the API key.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    /// A request without the API key.
    pub(crate) fn anonymous(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Response {
        send(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Response {
        send(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn post_with_key(&self, path: &str, key: &str, body: &Value) -> Response {
        let key = HeaderValue::from_str(key).unwrap();
        let header = HeaderName::from_static("idempotency-key");
        send(self.request(Method::POST, path).header(header, key).json(body)).await
    }

    /// Whether the sandbox implements an operation.
    pub(crate) async fn is_served(&self, operation: &Operation) -> bool {
        let path = operation.path.replace(['{', '}'], "");
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        send(self.request(method, &path).json(&json!({}))).await.status != 501
    }

    /// Creates a model with this configuration.
    pub(crate) async fn create(&self, configuration: Value) -> Value {
        let body =
            json!({ "connection_id": CONNECTION, "name": "Model", "configuration": configuration });
        self.post("/api/models", &body).await.data().clone()
    }

    /// Creates a sync that reads `email` of a model, with extra properties. Returns its id.
    pub(crate) async fn add_sync(&self, name: &str, model: &Value, extra: Value) -> Value {
        let mut body = json!({
            "name": name, "mode": "create", "schedule": { "frequency": "manual" },
            "fields": [{ "source": { "model_id": model, "field": "email" }, "target": "mail" }],
            "target": { "connection_id": CONNECTION, "object": "People" },
        });
        for (name, value) in extra.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.post("/api/syncs", &body).await.data()["id"].clone()
    }

    /// Opens an MCP session that uses this sandbox as the API.
    pub(crate) async fn session(&self) -> Session {
        Session::open(&self.launch()).await
    }

    /// Previews a model of a query.
    pub(crate) async fn preview(&self, query: &str) -> Response {
        let body = json!({ "connection_id": CONNECTION, "configuration": { "query": query } });
        self.post("/api/model-preview", &body).await
    }

    /// Samples the records of a configuration, without the enclosing id of the model.
    pub(crate) async fn records(&self, configuration: Value) -> Vec<Value> {
        let model = self.create(configuration).await;
        let id = model["id"].as_str().unwrap();
        let response = self.get(&format!("/api/models/{id}/sample")).await;
        let records = response.data()["records"].as_array().unwrap();
        records.iter().map(|record| record[id].clone()).collect()
    }

    /// Reads all pages of a list, of at most `page_size` items, and returns the ids.
    pub(crate) async fn all_ids(&self, list: &str, query: &str, page_size: usize) -> Vec<String> {
        let items = self.all(list, query, page_size).await;
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Reads all pages of a list, of at most `page_size` items.
    pub(crate) async fn all(&self, list: &str, query: &str, page_size: usize) -> Vec<Value> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let response = self.get(&format!("{list}?{query}{page_token}")).await;
            let items = response.data().as_array().unwrap();
            assert!(items.len() <= page_size, "{list}?{query}: {} items", items.len());
            all.extend_from_slice(items);
            let Some(token) = response.body["pagination"]["next_page_token"].as_str() else {
                return all;
            };
            page_token = format!("&page_token={token}");
        }
    }

    /// Polls a job until it is done or failed, and returns it.
    pub(crate) async fn wait_for_job(&self, job: &Value) -> Value {
        let path = format!(
            "/api/jobs/{}/{}",
            job["type"].as_str().unwrap(),
            job["job_id"].as_str().unwrap()
        );
        let started = Instant::now();
        loop {
            let response = self.get(&path).await;
            let job = response.data();
            if job["status"] == "done" || job["status"] == "failed" {
                return job.clone();
            }
            assert!(started.elapsed() < Duration::from_secs(10), "{}", response.text);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let keys = Keys::default().with(&self.key);
            keys.assert_not_in("stderr", &self.stderr.text_to_end());
        }
    }
}

/// A client for plain HTTP on this machine, without proxy and certificates.
pub(crate) fn client() -> reqwest::Client {
    // Fails if another test has installed it, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap()
}

/// Sends a request. The response must be one that the contract documents.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Response {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().to_string(), request.url().path().to_owned());
    let response = client.execute(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    check_response(&method, &path, status, &text);
    let body = serde_json::from_str(&text).unwrap_or_default();
    Response { status, headers, text, body }
}

/// The request of the API reference for creating a model, with extra properties.
pub(crate) fn users(extra: Value) -> Value {
    let mut body = json!({
        "configuration": { "table": "public.users" },
        "connection_id": CONNECTION,
        "name": "Users",
    });
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// A path without a file. Dropping it removes the file created there, and those next to it whose names begin with its own.
pub(crate) struct ScratchFile(PathBuf);

pub(crate) fn scratch_file(name: &str) -> ScratchFile {
    let file = format!("{}-{name}", uuid::Uuid::new_v4().simple());
    ScratchFile(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file))
}

impl ScratchFile {
    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        let directory = std::fs::read_dir(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for path in directory.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.to_str().is_some_and(|path| path.starts_with(self.path())) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}
