//! An API that fails below HTTP: connections that break, bodies that end early, responses that never come.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::wait_until;

/// What happens to one request. Every request has its own connection.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection is reset before the request is read.
    ResetBeforeRead,
    /// The connection is reset after the request was read.
    ResetAfterRead,
    /// A 200 whose body is shorter than its `content-length`.
    TruncatedBody,
    /// A 200 without a `content-length`, whose body ends in the middle.
    UnsizedBody,
    /// No response; the connection stays open.
    Hang,
    /// A response: status, additional header lines, body.
    Response(u16, &'static str, Value),
    /// The page of a gateway: status.
    Page(u16),
}

/// A request that was read.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    /// `Idempotency-Key`.
    pub key: Option<String>,
}

/// Applies one fault after the other to the requests, and the last one to all that follow. Stops when it is
/// dropped.
pub struct FaultyServer {
    pub url: String,
    log: Arc<Mutex<Log>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Log {
    received: Vec<ReceivedRequest>,
    /// Hanging requests whose client has disconnected.
    disconnects: usize,
    /// Responses in flight, and their maximum so far.
    in_flight: usize,
    max_in_flight: usize,
}

impl FaultyServer {
    pub async fn start(script: Vec<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::<Mutex<Log>>::default();
        let shared = Arc::clone(&log);
        let task = tokio::spawn(async move {
            let mut index = 0;
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let fault = script[index.min(script.len() - 1)].clone();
                index += 1;
                tokio::spawn(serve(stream, fault, Arc::clone(&shared)));
            }
        });
        Self { url, log, task }
    }

    /// The requests that were read.
    pub fn received(&self) -> Vec<ReceivedRequest> {
        self.log.lock().unwrap().received.clone()
    }

    /// Maximum number of concurrent requests so far.
    pub fn max_concurrent(&self) -> usize {
        self.log.lock().unwrap().max_in_flight
    }

    /// Waits until `count` requests were read.
    pub async fn wait_for_requests(&self, count: usize) {
        wait_until(&format!("{count} requests"), async || self.received().len() >= count).await;
    }

    /// Waits until the client has disconnected from `count` hanging requests.
    pub async fn wait_for_disconnects(&self, count: usize) {
        let disconnected = async || self.log.lock().unwrap().disconnects >= count;
        wait_until(&format!("{count} disconnects"), disconnected).await;
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, fault: Fault, log: Arc<Mutex<Log>>) {
    if matches!(fault, Fault::ResetBeforeRead) {
        return stream.set_zero_linger().unwrap();
    }
    let Some(request) = read_request(&mut stream).await else { return };
    log.lock().unwrap().received.push(request);
    let (status, headers, body) = match fault {
        Fault::ResetBeforeRead | Fault::ResetAfterRead => return stream.set_zero_linger().unwrap(),
        Fault::Hang => {
            let _ = stream.read(&mut [0; 16]).await;
            log.lock().unwrap().disconnects += 1;
            return;
        }
        Fault::TruncatedBody => (200, "content-length: 500\r\n", "{\"data\": {".to_owned()),
        Fault::UnsizedBody => (200, "x-no-length: 1\r\n", "{\"data\": {".to_owned()),
        Fault::Response(status, headers, body) => (status, headers, body.to_string()),
        Fault::Page(status) => (status, "", "<html>gateway</html>".to_owned()),
    };
    let length = match headers.contains("-length") {
        true => String::new(),
        false => format!("content-length: {}\r\n", body.len()),
    };
    let response = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}{length}\r\n{body}"
    );
    {
        let mut log = log.lock().unwrap();
        log.in_flight += 1;
        log.max_in_flight = log.max_in_flight.max(log.in_flight);
    }
    // Long enough for concurrent requests to overlap.
    tokio::time::sleep(Duration::from_millis(10)).await;
    log.lock().unwrap().in_flight -= 1;
    let _ = stream.write_all(response.as_bytes()).await;
}

/// Reads a complete request.
async fn read_request(stream: &mut TcpStream) -> Option<ReceivedRequest> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 8192];
        let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines
                .into_iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, v)| v.to_owned())
        };
        let length = header("content-length").map_or(0, |n| n.parse().unwrap());
        if body.len() < length {
            continue;
        }
        return Some(ReceivedRequest { key: header("idempotency-key") });
    }
}
