//! `rpc --listen` and `http` as processes, and clients for them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::{Keys, Launch, Stream, client};

/// `rpc --listen` or `http` as a process, and a client for it.
pub struct Server {
    pub child: Child,
    /// The line that it printed first.
    pub announcement: Value,
    pub url: String,
    pub client: reqwest::Client,
    stderr: Stream,
    keys: Keys,
}

impl Server {
    pub async fn start(launch: Launch) -> Self {
        Self::start_with_stderr(launch, Stdio::piped()).await
    }

    pub async fn start_with_stderr(launch: Launch, stderr: Stdio) -> Self {
        Self::run(launch.flag("rpc").flag("--listen").flag("127.0.0.1:0"), stderr).await
    }

    /// The MCP server.
    pub async fn mcp(launch: Launch) -> Self {
        Self::run(launch.flag("http"), Stdio::piped()).await
    }

    /// The server of a launch that names its command.
    pub async fn of(launch: Launch) -> Self {
        Self::run(launch, Stdio::piped()).await
    }

    async fn run(launch: Launch, stderr: Stdio) -> Self {
        let mut child = launch
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let first: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        let url = first["url"].as_str().unwrap().to_owned();
        let stderr = child.stderr.take().map(|stream| stream.into_owned_fd().unwrap());
        let stderr = Stream::read_at_once(stderr);
        Self { child, announcement: first, url, client: client(), stderr, keys: launch.keys() }
    }

    pub fn post(&self, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.client.post(&self.url).header("content-type", "application/json").body(body)
    }

    /// Status and body of a response.
    pub async fn send(&self, body: &str) -> (StatusCode, Value) {
        let response = self.post(body.to_owned()).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        self.keys.assert_not_in("a response", &text);
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    pub async fn call(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (status, response) = self.send(&body.to_string()).await;
        assert_eq!((status, &response["id"]), (StatusCode::OK, &json!(1)), "{response}");
        response
    }

    /// The URL of another path.
    pub fn url_of(&self, path: &str) -> String {
        let (scheme, _) = self.url.split_once("://").unwrap();
        format!("{scheme}://{}{path}", self.address())
    }

    pub fn address(&self) -> &str {
        let (_, rest) = self.url.split_once("://").unwrap();
        rest.split('/').next().unwrap()
    }

    /// The status line of a raw request.
    pub fn raw(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(head.replace('\n', "\r\n").as_bytes()).unwrap();
        let mut response = vec![0; 4096];
        let length = stream.read(&mut response).unwrap();
        String::from_utf8_lossy(&response[..length]).lines().next().unwrap_or_default().to_owned()
    }

    /// A WebSocket, with its handshake done.
    pub fn websocket(&self) -> TcpStream {
        self.websocket_with("")
    }

    /// The same with further headers in its handshake, each with a newline.
    pub fn websocket_with(&self, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
            .write_all(upgrade(self.address(), headers).replace('\n', "\r\n").as_bytes())
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        stream
    }

    pub fn signal(&self) {
        let id = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").arg(id).status().unwrap().success());
    }

    /// Sends SIGTERM and waits for the process to exit.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal();
        let exit = tokio::time::timeout(Duration::from_secs(20), self.child.wait());
        exit.await.expect("it ends").unwrap()
    }
}

impl Server {
    /// Ends the process, and returns what it has written to stderr.
    pub async fn stderr_to_end(mut self) -> String {
        self.signal();
        let exit = tokio::time::timeout(Duration::from_secs(20), self.child.wait());
        exit.await.expect("it ends").unwrap();
        self.stderr.text_to_end()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = self.child.start_kill();
            self.keys.assert_not_in("stderr", &self.stderr.text_to_end());
        }
    }
}

pub fn upgrade(host: &str, origin: &str) -> String {
    format!(
        "GET / HTTP/1.1\nHost: {host}\n{origin}Connection: Upgrade\nUpgrade: websocket\n\
         Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n"
    )
}

/// Sends a message over a WebSocket (RFC 6455, section 5.2), masked with zeros.
pub fn send_text(stream: &mut TcpStream, text: &str) {
    let mut frame = match u8::try_from(text.len()) {
        Ok(length @ ..126) => vec![0x81, 0x80 | length],
        _ => [&[0x81, 0x80 | 127][..], &(text.len() as u64).to_be_bytes()].concat(),
    };
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    stream.write_all(&frame).unwrap();
}

/// The next message of a WebSocket.
pub fn next_message(stream: &mut TcpStream) -> Value {
    serde_json::from_str(&next_text(stream)).unwrap()
}

/// The next message of a WebSocket as it was sent.
pub fn next_text(stream: &mut TcpStream) -> String {
    let (mut code, mut text) = next_frame(stream);
    while code == 9 {
        // A ping, with which a server asks whether anybody is there.
        (code, text) = next_frame(stream);
    }
    assert_eq!(code, 1, "a text");
    let text = String::from_utf8(text).unwrap();
    Keys::default().assert_not_in("a message", &text);
    text
}

/// Code and payload of the next frame of a WebSocket.
pub fn next_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[0] & 0xf0, 0x80, "one frame for each message");
    let code = head[0] & 0x0f;
    let mut length = usize::from(head[1]);
    if length == 126 {
        stream.read_exact(&mut head).unwrap();
        length = usize::from(u16::from_be_bytes(head));
    } else if length == 127 {
        let mut long = [0; 8];
        stream.read_exact(&mut long).unwrap();
        length = usize::try_from(u64::from_be_bytes(long)).unwrap();
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    (code, payload)
}
