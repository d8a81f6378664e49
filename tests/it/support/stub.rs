//! An API that answers what a test wants, and remembers what it was asked.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::{UNKNOWN_ID, wait_until};

/// Where the API has the model of [`UNKNOWN_ID`].
pub const MODEL: &str = "/api/models/00000000-0000-4000-8000-000000000000";

/// A stand-in for the API. What nothing was set for is answered with 404.
pub struct Stub(MockServer);

impl Stub {
    pub async fn start() -> Self {
        Self(MockServer::start().await)
    }

    /// One whose `get_model` and `create_model` take `delay`, and answer with the model of [`UNKNOWN_ID`].
    pub async fn slow(delay: Duration) -> Self {
        let stub = Self::start().await;
        let body = json!({"data": {"id": UNKNOWN_ID, "name": "Users"}});
        let template = ResponseTemplate::new(200).set_body_json(body).set_delay(delay);
        stub.on("GET", MODEL, template.clone()).await;
        stub.on("POST", "/api/models", template).await;
        stub
    }

    /// Waits until it has been asked `count` times.
    pub async fn wait_for_requests(&self, count: usize) {
        wait_until(&format!("{count} requests"), async || self.requests().await.len() >= count)
            .await;
    }

    pub fn url(&self) -> String {
        self.0.uri()
    }

    /// Answers `verb path` with a template.
    pub async fn on(&self, verb: &str, at: &str, template: ResponseTemplate) -> &Self {
        Mock::given(method(verb)).and(path(at)).respond_with(template).mount(&self.0).await;
        self
    }

    /// Answers `verb path` with a JSON body.
    pub async fn json(&self, verb: &str, at: &str, status: u16, body: Value) -> &Self {
        self.on(verb, at, ResponseTemplate::new(status).set_body_json(body)).await
    }

    /// Answers `verb path` with one JSON body after the other, the last one from then on.
    pub async fn sequence(&self, verb: &str, at: &str, bodies: Vec<Value>) -> &Self {
        let turn = std::sync::atomic::AtomicUsize::new(0);
        let answer = move |_: &Request| {
            let turn = turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            ResponseTemplate::new(200).set_body_json(&bodies[turn.min(bodies.len() - 1)])
        };
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.0).await;
        self
    }

    /// Answers `verb path` by a function.
    pub async fn respond(&self, verb: &str, at: &str, answer: impl Respond + 'static) -> &Self {
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.0).await;
        self
    }

    /// All requests so far.
    pub async fn requests(&self) -> Vec<Request> {
        self.0.received_requests().await.unwrap_or_default()
    }

    /// Method and path with query of all requests so far.
    pub async fn lines(&self) -> Vec<String> {
        let line = |request: &Request| {
            let query = request.url.query().map(|q| format!("?{q}")).unwrap_or_default();
            format!("{} {}{query}", request.method, request.url.path())
        };
        self.requests().await.iter().map(line).collect()
    }
}

/// A job as the API answers it.
pub fn job(kind: &str, status: &str, result: Value) -> Value {
    json!({
        "job_id": "0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22", "type": kind, "status": status,
        "error": null, "result": result,
    })
}
