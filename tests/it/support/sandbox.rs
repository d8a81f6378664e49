//! `polytomic-mcp sandbox` as a process, and a client for it that knows nothing of the product's.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{Launch, Session};

pub(crate) const CONNECTION: &str = "248df4b7-aa70-47b8-a036-33ac447e668d";

pub(crate) struct Sandbox {
    child: Child,
    pub(crate) url: String,
    pub(crate) key: String,
    client: reqwest::Client,
}

/// What came back, with the body both ways.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    /// The `data` of a success.
    #[track_caller]
    pub(crate) fn data(&self) -> &Value {
        assert_eq!(self.status, 200, "{}", self.text);
        &self.body["data"]
    }

    /// The message of a failure with this status, whose envelope is checked.
    #[track_caller]
    pub(crate) fn error_message(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(keys(&self.body), ["key", "message", "metadata", "status"], "{}", self.text);
        assert_eq!(self.body["status"], status, "{}", self.text);
        self.body["message"].as_str().unwrap()
    }
}

/// The names of an object's members, sorted.
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
        let mut child = Self::spawn(arguments);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Ok(announced) = serde_json::from_str::<Value>(&line) else {
            let mut words = String::new();
            child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
            panic!("no line of JSON but {line:?}, and on standard error: {words}");
        };
        let text = |name: &str| announced[name].as_str().unwrap().to_owned();
        Self { child, url: text("url"), key: text("api_key"), client: client() }
    }

    /// The process alone, for the starts that fail.
    pub(crate) fn spawn(arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_polytomic-mcp"))
            .args(["sandbox", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    /// The same without a key.
    pub(crate) fn anonymous(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn post_with_key(&self, path: &str, key: &str, body: &Value) -> Answer {
        let key = HeaderValue::from_str(key).unwrap();
        let header = HeaderName::from_static("idempotency-key");
        send(self.request(Method::POST, path).header(header, key).json(body)).await
    }

    /// A saved model over `configuration`.
    pub(crate) async fn create(&self, configuration: Value) -> Value {
        let body =
            json!({ "connection_id": CONNECTION, "name": "Model", "configuration": configuration });
        self.post("/api/models", &body).await.data().clone()
    }

    /// A saved sync that reads a model's `email`, with more properties; its id.
    pub(crate) async fn add_sync(&self, name: &str, model: &Value, more: Value) -> Value {
        let mut body = json!({
            "name": name, "mode": "create", "schedule": { "frequency": "manual" },
            "fields": [{ "source": { "model_id": model, "field": "email" }, "target": "mail" }],
            "target": { "connection_id": CONNECTION, "object": "People" },
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.post("/api/syncs", &body).await.data()["id"].clone()
    }

    /// An MCP session against it.
    pub(crate) async fn session(&self) -> Session {
        let launch = Launch::bare()
            .variable("POLYTOMIC_BASE_URL", &self.url)
            .variable("POLYTOMIC_API_KEY", &self.key);
        Session::open(&launch).await
    }

    /// What a query would have as fields.
    pub(crate) async fn preview(&self, query: &str) -> Answer {
        let body = json!({ "connection_id": CONNECTION, "configuration": { "query": query } });
        self.post("/api/model-preview", &body).await
    }

    /// The records of a query, without the model's id around them.
    pub(crate) async fn records(&self, configuration: Value) -> Vec<Value> {
        let model = self.create(configuration).await;
        let id = model["id"].as_str().unwrap();
        let answer = self.get(&format!("/api/models/{id}/sample")).await;
        let records = answer.data()["records"].as_array().unwrap();
        records.iter().map(|record| record[id].clone()).collect()
    }

    /// The ids of a list, read to its end in pages of at most `page`.
    pub(crate) async fn all_ids(&self, list: &str, query: &str, page: usize) -> Vec<String> {
        let (mut ids, mut after) = (Vec::new(), String::new());
        loop {
            let answer = self.get(&format!("{list}?{query}{after}")).await;
            let items = answer.data().as_array().unwrap();
            assert!(items.len() <= page, "{list}?{query}: {} items", items.len());
            ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            let Some(token) = answer.body["pagination"]["next_page_token"].as_str() else {
                return ids;
            };
            after = format!("&page_token={token}");
        }
    }

    /// The job at its end.
    pub(crate) async fn wait_for_job(&self, job: &Value) -> Value {
        let path = format!(
            "/api/jobs/{}/{}",
            job["type"].as_str().unwrap(),
            job["job_id"].as_str().unwrap()
        );
        let started = Instant::now();
        loop {
            let answer = self.get(&path).await;
            let job = answer.data();
            if job["status"] == "done" || job["status"] == "failed" {
                return job.clone();
            }
            assert!(started.elapsed() < Duration::from_secs(10), "{}", answer.text);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends SIGTERM and waits.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    /// Sends SIGKILL and waits, as a crash would end it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client for plain HTTP on this machine: no proxy, no certificates.
pub(crate) fn client() -> reqwest::Client {
    // Whoever comes second finds one installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap()
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or_default();
    Answer { status, headers, text, body }
}

/// The request that the API reference prints, with more properties.
pub(crate) fn users(more: Value) -> Value {
    let mut body = json!({
        "configuration": { "table": "public.users" },
        "connection_id": CONNECTION,
        "name": "Users",
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// A path of a file that is not there, removed with its value.
pub(crate) struct Scratch(PathBuf);

pub(crate) fn scratch_file(name: &str) -> Scratch {
    let file = format!("{}-{name}", uuid::Uuid::new_v4().simple());
    Scratch(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file))
}

impl Scratch {
    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
