//! An API that fails below HTTP: connections that break, bodies that are cut, answers that never come.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

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
pub struct Seen {
    /// `Idempotency-Key`.
    pub key: Option<String>,
}

/// Does one thing after the other, the last one from then on. Stops when it is dropped.
pub struct Faulty {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// How many requests that hang have been given up by the caller.
    given_up: Arc<Mutex<usize>>,
    task: JoinHandle<()>,
}

impl Faulty {
    pub async fn start(script: Vec<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, given_up) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<Mutex<usize>>::default());
        let (noted, ended) = (Arc::clone(&seen), Arc::clone(&given_up));
        let task = tokio::spawn(async move {
            let mut turn = 0;
            loop {
                let (peer, _) = listener.accept().await.unwrap();
                let fault = script[turn.min(script.len() - 1)].clone();
                turn += 1;
                tokio::spawn(serve(peer, fault, Arc::clone(&noted), Arc::clone(&ended)));
            }
        });
        Self { url, seen, given_up, task }
    }

    /// The requests that were read.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until `count` requests were read.
    pub async fn asked(&self, count: usize) {
        while self.seen().len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the caller has given up `count` requests that hang.
    pub async fn given_up(&self, count: usize) {
        while *self.given_up.lock().unwrap() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut peer: TcpStream,
    fault: Fault,
    seen: Arc<Mutex<Vec<Seen>>>,
    given_up: Arc<Mutex<usize>>,
) {
    if matches!(fault, Fault::ResetBefore) {
        return peer.set_zero_linger().unwrap();
    }
    let Some(request) = read(&mut peer).await else { return };
    seen.lock().unwrap().push(request);
    let (status, headers, body) = match fault {
        Fault::ResetBefore | Fault::ResetAfter => return peer.set_zero_linger().unwrap(),
        Fault::Hang => {
            let _ = peer.read(&mut [0; 16]).await;
            *given_up.lock().unwrap() += 1;
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
    let _ = peer.write_all(answer.as_bytes()).await;
}

/// Reads a request to its end.
async fn read(peer: &mut TcpStream) -> Option<Seen> {
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
        return Some(Seen { key: header("idempotency-key") });
    }
}
