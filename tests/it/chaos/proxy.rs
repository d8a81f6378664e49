//! A TCP proxy in front of the sandbox that applies faults to the requests that create models.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::faults::{Fault, Forwarding, Response};

/// Stops when it is dropped.
pub(super) struct Proxy {
    pub(super) url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    upstream: String,
    seed: u64,
    /// By the name of the model.
    models: Mutex<HashMap<String, Requests>>,
    forwards: TaskTracker,
}

/// The requests for one model.
#[derive(Default)]
struct Requests {
    trace: Vec<String>,
    killed: Arc<Notify>,
}

impl Proxy {
    pub(super) async fn start(upstream: &str, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let (models, forwards) = (Mutex::default(), TaskTracker::new());
        let shared = Arc::new(Shared { upstream, seed, models, forwards });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { url, shared, task }
    }

    /// Notified when the process that creates this model shall be killed.
    pub(super) fn killed(&self, name: &str) -> Arc<Notify> {
        let mut models = self.shared.models.lock().unwrap();
        Arc::clone(&models.entry(name.to_owned()).or_default().killed)
    }

    /// Waits until every request has reached the sandbox, the late ones included.
    pub(super) async fn drain(&self) {
        self.shared.forwards.close();
        self.shared.forwards.wait().await;
    }

    /// The requests for a model: key, fault, status of the API.
    pub(super) fn trace(&self, name: &str) -> Vec<String> {
        let models = self.shared.models.lock().unwrap();
        models.get(name).map(|requests| requests.trace.clone()).unwrap_or_default()
    }

    /// Number of requests so far.
    pub(super) fn requests(&self) -> usize {
        self.shared.models.lock().unwrap().values().map(|requests| requests.trace.len()).sum()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Some(request) = read_message(&mut stream, &mut buffer).await {
        let request = Arc::new(request);
        let (fault, killed) = shared.fault(&request);
        tokio::time::sleep(fault.delay).await;
        let forward = |delay| shared.forward(&request, delay);
        let response = match fault.forwarding {
            Forwarding::Never => None,
            Forwarding::Once => forward(Duration::ZERO).await.unwrap(),
            Forwarding::Twice => {
                let (first, second) = (forward(Duration::ZERO), forward(Duration::ZERO));
                tokio::select! { response = first => response, response = second => response }
                    .unwrap()
            }
            Forwarding::Late(delay) => {
                drop(forward(delay));
                None
            }
        };
        let response = response.unwrap_or_default();
        let to_write = match fault.response {
            Response::Relay => response.as_slice(),
            Response::Cut(thousandths) => {
                let _ = stream.write_all(&response[..response.len() * thousandths / 1000]).await;
                return;
            }
            Response::Close => return,
            Response::Reset => return stream.set_zero_linger().unwrap(),
            Response::Hang | Response::Kill => {
                if matches!(fault.response, Response::Kill) {
                    killed.notify_one();
                }
                let _ = stream.read(&mut [0; 16]).await;
                return;
            }
            Response::Gateway(gateway) | Response::Early(gateway) => &gateway.bytes().into_bytes(),
        };
        if stream.write_all(to_write).await.is_err() {
            return;
        }
    }
}

impl Shared {
    /// The next fault for the model that a request creates, and how to kill the client; no fault for other requests.
    fn fault(&self, request: &Message) -> (Fault, Arc<Notify>) {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(name) = body["name"].as_str().filter(|_| request.head.starts_with("POST")) else {
            return (Fault::NONE, Arc::default());
        };
        let mut models = self.models.lock().unwrap();
        let requests = models.entry(name.to_owned()).or_default();
        let fault = Fault::choose(self.seed, name, requests.trace.len());
        let key = request.header("idempotency-key").unwrap_or("none");
        requests.trace.push(format!("request with key {key}: {fault:?}"));
        (fault, Arc::clone(&requests.killed))
    }

    /// Sends a request to the sandbox, whatever becomes of its client.
    fn forward(
        self: &Arc<Self>,
        request: &Arc<Message>,
        delay: Duration,
    ) -> JoinHandle<Option<Vec<u8>>> {
        let (shared, request) = (Arc::clone(self), Arc::clone(request));
        self.forwards.spawn(async move {
            tokio::time::sleep(delay).await;
            let mut stream = TcpStream::connect(&shared.upstream).await.ok()?;
            stream.write_all(&request.bytes()).await.ok()?;
            Some(read_message(&mut stream, &mut Vec::new()).await?.bytes())
        })
    }
}

/// A request or response with a `content-length`.
struct Message {
    head: String,
    body: Vec<u8>,
}

impl Message {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), b"\r\n\r\n", &self.body].concat()
    }
}

/// The next message; none once the connection has ended. What was read beyond it stays in the buffer.
async fn read_message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Message> {
    loop {
        let end = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(buffer[..end].to_vec()).ok()?;
            let mut message = Message { head, body: Vec::new() };
            let length: usize = message.header("content-length").map_or(0, |n| n.parse().unwrap());
            if buffer.len() >= end + 4 + length {
                message.body = buffer.drain(..end + 4 + length).skip(end + 4).collect();
                return Some(message);
            }
        }
        stream.read_buf(buffer).await.ok().filter(|n| *n > 0)?;
    }
}
