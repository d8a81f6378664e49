//! An API with the responses that a test sets, which records its requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::{UNKNOWN_ID, wait_until};

/// Path of the model [`UNKNOWN_ID`].
pub const MODEL: &str = "/api/models/00000000-0000-4000-8000-000000000000";

/// Id of the job that [`job`] describes.
pub const JOB_ID: &str = "0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22";

/// An API with preset responses. A request without one gets 404.
pub struct Stub(MockServer);

impl Stub {
    pub async fn start() -> Self {
        Self(MockServer::start().await)
    }

    /// A stub whose `get_model` and `create_model` take `delay` and return the model [`UNKNOWN_ID`].
    pub async fn slow(delay: Duration) -> Self {
        let stub = Self::start().await;
        let body = json!({"data": {"id": UNKNOWN_ID, "name": "Users"}});
        let template = ResponseTemplate::new(200).set_body_json(body).set_delay(delay);
        stub.on("GET", MODEL, template.clone()).await;
        stub.on("POST", "/api/models", template).await;
        stub
    }

    /// Waits until it has received `count` requests.
    pub async fn wait_for_requests(&self, count: usize) {
        wait_until(&format!("{count} requests"), async || self.requests().await.len() >= count)
            .await;
    }

    /// Waits until it has received requests and none for a second; returns how many they are.
    pub async fn wait_until_steady(&self) -> usize {
        let (mut count, mut last) = (0, Instant::now());
        while count == 0 || last.elapsed() < Duration::from_secs(1) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let now = self.requests().await.len();
            if now != count {
                (count, last) = (now, Instant::now());
            }
            let is_late = count == 0 && last.elapsed() > Duration::from_secs(20);
            assert!(!is_late, "timed out waiting for a request");
        }
        count
    }

    pub fn url(&self) -> String {
        self.0.uri()
    }

    /// Responds to `verb at` with a template.
    pub async fn on(&self, verb: &str, at: &str, template: ResponseTemplate) -> &Self {
        self.respond(verb, at, template).await
    }

    /// Responds to `verb at` with a JSON body.
    pub async fn json(&self, verb: &str, at: &str, status: u16, body: Value) -> &Self {
        self.on(verb, at, ResponseTemplate::new(status).set_body_json(body)).await
    }

    /// Responds to `verb at` with one JSON body after the other, and with the last one from then on.
    pub async fn sequence(&self, verb: &str, at: &str, bodies: Vec<Value>) -> &Self {
        let next = AtomicUsize::new(0);
        let respond = move |_: &Request| {
            let index = next.fetch_add(1, Ordering::Relaxed);
            ResponseTemplate::new(200).set_body_json(&bodies[index.min(bodies.len() - 1)])
        };
        self.respond(verb, at, respond).await
    }

    /// Responds to `verb at` with a function of the request.
    pub async fn respond(&self, verb: &str, at: &str, responder: impl Respond + 'static) -> &Self {
        Mock::given(method(verb)).and(path(at)).respond_with(responder).mount(&self.0).await;
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

/// A job as the API returns it, with the id [`JOB_ID`].
pub fn job(kind: &str, status: &str, result: Value) -> Value {
    json!({
        "job_id": JOB_ID, "type": kind, "status": status, "error": null, "result": result,
    })
}

/// Path of a [`job`] of this type.
pub fn job_path(kind: &str) -> String {
    format!("/api/jobs/{kind}/{JOB_ID}")
}
