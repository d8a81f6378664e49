//! An API that fails below HTTP: connections that break, bodies that are cut, answers that never come.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::wait_until;

/// What becomes of one request, each on a connection of its own.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection is reset before the request is read.
    ResetBefore,
    /// The connection is reset once the request was read.
    ResetAfter,
    /// A 200 whose body is shorter than it says.
    CutBody,
    /// A 200 without a length, whose body ends in the middle.
    OpenBody,
    /// No answer; the connection stays open.
    Hang,
    /// An answer: status, further header lines, body.
    Answer(u16, &'static str, Value),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    /// `Idempotency-Key`.
    pub key: Option<String>,
}

/// Does one thing after the other, the last one from then on. Stops when it is dropped.
pub struct FaultyServer {
    pub url: String,
    noted: Arc<Mutex<Noted>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Noted {
    seen: Vec<ReceivedRequest>,
    /// How many requests that hang have been given up by the caller.
    given_up: usize,
    /// How many are being answered, and how many at once at most.
    answering: usize,
    busiest: usize,
}

impl FaultyServer {
    pub async fn start(script: Vec<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let noted = Arc::<Mutex<Noted>>::default();
        let shared = Arc::clone(&noted);
        let task = tokio::spawn(async move {
            let mut turn = 0;
            loop {
                let (peer, _) = listener.accept().await.unwrap();
                let fault = script[turn.min(script.len() - 1)].clone();
                turn += 1;
                tokio::spawn(serve(peer, fault, Arc::clone(&shared)));
            }
        });
        Self { url, noted, task }
    }

    /// The requests that were read.
    pub fn received(&self) -> Vec<ReceivedRequest> {
        self.noted.lock().unwrap().seen.clone()
    }

    /// The most requests that were being answered at once.
    pub fn max_concurrent(&self) -> usize {
        self.noted.lock().unwrap().busiest
    }

    /// Waits until `count` requests were read.
    pub async fn wait_for_requests(&self, count: usize) {
        wait_until(&format!("{count} requests"), async || self.received().len() >= count).await;
    }

    /// Waits until the caller has given up `count` requests that hang.
    pub async fn wait_for_disconnects(&self, count: usize) {
        let given_up = async || self.noted.lock().unwrap().given_up >= count;
        wait_until(&format!("{count} requests given up"), given_up).await;
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut peer: TcpStream, fault: Fault, noted: Arc<Mutex<Noted>>) {
    if matches!(fault, Fault::ResetBefore) {
        return peer.set_zero_linger().unwrap();
    }
    let Some(request) = read(&mut peer).await else { return };
    noted.lock().unwrap().seen.push(request);
    let (status, headers, body) = match fault {
        Fault::ResetBefore | Fault::ResetAfter => return peer.set_zero_linger().unwrap(),
        Fault::Hang => {
            let _ = peer.read(&mut [0; 16]).await;
            noted.lock().unwrap().given_up += 1;
            return;
        }
        Fault::CutBody => (200, "content-length: 500\r\n", "{\"data\": {".to_owned()),
        Fault::OpenBody => (200, "x-no-length: 1\r\n", "{\"data\": {".to_owned()),
        Fault::Answer(status, headers, body) => (status, headers, body.to_string()),
    };
    let length = match headers.contains("-length") {
        true => String::new(),
        false => format!("content-length: {}\r\n", body.len()),
    };
    let answer = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}{length}\r\n{body}"
    );
    {
        let mut noted = noted.lock().unwrap();
        noted.answering += 1;
        noted.busiest = noted.busiest.max(noted.answering);
    }
    // Long enough for another request to be seen beside it.
    tokio::time::sleep(Duration::from_millis(10)).await;
    noted.lock().unwrap().answering -= 1;
    let _ = peer.write_all(answer.as_bytes()).await;
}

/// Reads a request to its end.
async fn read(peer: &mut TcpStream) -> Option<ReceivedRequest> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 8192];
        let n = peer.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
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
