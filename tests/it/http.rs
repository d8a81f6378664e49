//! JSON-RPC over HTTP POST and WebSocket: `rpc --listen`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use wiremock::ResponseTemplate;

use crate::rpc::codes;
use crate::support::{CONNECTION, Launch, MODEL, Stub, UNKNOWN_ID, client};

/// `rpc --listen` as a process, and a client for it.
pub struct Server {
    child: Child,
    pub url: String,
    client: reqwest::Client,
}

impl Server {
    pub async fn start(launch: Launch) -> Self {
        Self::start_with_stderr(launch, Stdio::null()).await
    }

    pub async fn start_with_stderr(launch: Launch, stderr: Stdio) -> Self {
        let launch = launch.flag("rpc").flag("--listen").flag("127.0.0.1:0");
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
        Self { child, url, client: client() }
    }

    pub fn post(&self, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.client.post(&self.url).header("content-type", "application/json").body(body)
    }

    /// Status and body of a response.
    async fn send(&self, body: &str) -> (StatusCode, Value) {
        let response = self.post(body.to_owned()).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    pub async fn call(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (status, response) = self.send(&body.to_string()).await;
        assert_eq!((status, &response["id"]), (StatusCode::OK, &json!(1)), "{response}");
        response
    }

    fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// The status line of a raw request.
    fn raw(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(head.replace('\n', "\r\n").as_bytes()).unwrap();
        let mut response = vec![0; 4096];
        let length = stream.read(&mut response).unwrap();
        String::from_utf8_lossy(&response[..length]).lines().next().unwrap_or_default().to_owned()
    }

    /// A WebSocket, with its handshake done.
    pub fn websocket(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(upgrade(self.address(), "").replace('\n', "\r\n").as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        stream
    }

    fn signal(&self) {
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

fn upgrade(host: &str, origin: &str) -> String {
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
fn next_message(stream: &mut TcpStream) -> Value {
    serde_json::from_str(&next_text(stream)).unwrap()
}

/// The next message of a WebSocket as it was sent.
pub fn next_text(stream: &mut TcpStream) -> String {
    let (code, text) = next_frame(stream);
    assert_eq!(code, 1, "a text");
    String::from_utf8(text).unwrap()
}

/// Code and payload of the next frame of a WebSocket.
fn next_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
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

#[tokio::test]
async fn a_post_calls_a_method() {
    let server = Server::start(Launch::sandbox()).await;
    let response = server.call("list_connections", json!({})).await;
    assert_eq!(response["result"]["connections"][0]["id"], CONNECTION);
    let response = server.call("get_model", json!({"model_id": UNKNOWN_ID})).await;
    assert_eq!(response["error"]["code"], 4, "{response}");
    let response = server.call("get_modle", json!({})).await;
    assert_eq!(response["error"]["code"], -32601, "{response}");
    assert!(response["error"]["message"].as_str().unwrap().contains("get_model"), "{response}");
}

#[tokio::test]
async fn a_byte_order_mark_before_a_body_is_skipped() {
    let server = Server::start(Launch::sandbox()).await;
    let (status, response) =
        server.send("\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"get_identity\"}").await;
    assert_eq!((status, response["result"].is_object()), (StatusCode::OK, true), "{response}");
}

#[tokio::test]
async fn the_examples_of_the_specification_get_its_responses() {
    let server = Server::start(Launch::bare()).await;
    let error_response = |id: Value, code: i32| json!({"id": id, "code": code});
    let null = Value::Null;
    for (label, body, expected) in [
        (
            "positional parameters",
            r#"{"jsonrpc": "2.0", "method": "get_model", "params": [42, 23], "id": 1}"#,
            error_response(json!(1), -32602),
        ),
        (
            "an unknown method",
            r#"{"jsonrpc": "2.0", "method": "foobar", "id": "1"}"#,
            error_response(json!("1"), -32601),
        ),
        (
            "invalid JSON",
            r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#,
            error_response(null.clone(), -32700),
        ),
        (
            "an invalid request",
            r#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#,
            error_response(null.clone(), -32600),
        ),
        (
            "a batch of invalid JSON",
            r#"[{"jsonrpc": "2.0", "method": "sum", "id": "1"},{"jsonrpc": "2.0", "method"]"#,
            error_response(null.clone(), -32700),
        ),
        ("an empty array", "[]", error_response(null.clone(), -32600)),
        ("an invalid batch", "[1]", json!([error_response(null.clone(), -32600)])),
        (
            "three invalid ones",
            "[1,2,3]",
            json!([
                error_response(null.clone(), -32600),
                error_response(null.clone(), -32600),
                error_response(null.clone(), -32600)
            ]),
        ),
        (
            "a mixed batch",
            r#"[{"jsonrpc": "2.0", "method": "list_models", "id": "1"},{"jsonrpc": "2.0", "method": "list_models"},{"jsonrpc": "2.0", "method": "get_model", "params": [42,23], "id": "2"},{"foo": "boo"},{"jsonrpc": "2.0", "method": "foo.get", "id": "5"},{"jsonrpc": "2.0", "method": "list_models", "id": {}}]"#,
            json!([
                error_response(json!("1"), 1),
                error_response(json!("2"), -32602),
                error_response(null.clone(), -32600),
                error_response(json!("5"), -32601),
                error_response(null.clone(), -32600)
            ]),
        ),
        (
            "an id that is an object",
            r#"{"jsonrpc": "2.0", "method": "list_models", "id": {}}"#,
            error_response(null, -32600),
        ),
    ] {
        let (status, response) = server.send(body).await;
        assert_eq!((status, codes(&response)), (StatusCode::OK, expected), "{label}: {response}");
    }
    for (label, body) in [
        ("a notification", r#"{"jsonrpc": "2.0", "method": "list_models"}"#),
        (
            "a batch of notifications",
            r#"[{"jsonrpc": "2.0", "method": "list_models"},{"jsonrpc": "2.0", "method": "foobar"}]"#,
        ),
        ("a response", r#"{"jsonrpc": "2.0", "id": 1, "result": {}}"#),
    ] {
        let response = server.post(body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT, "{label}");
        assert_eq!(response.text().await.unwrap(), "", "{label}");
    }
}

#[tokio::test]
async fn notifications_run_and_batches_run_concurrently() {
    let stub = Stub::slow(Duration::from_millis(400)).await;
    let server = Server::start(Launch::against(&stub.url())).await;
    let params = json!({"connection_id": CONNECTION, "name": "a", "configuration": {}});
    let body = json!({"jsonrpc": "2.0", "method": "create_model", "params": params});
    server.send(&body.to_string()).await;
    assert_eq!(stub.lines().await, ["POST /api/models"]);

    let started = Instant::now();
    let request = |n: u32| json!({"jsonrpc": "2.0", "id": n, "method": "get_model", "params": {"model_id": UNKNOWN_ID}});
    let batch: Vec<Value> = (0..5).map(request).collect();
    let (_, response) = server.send(&json!(batch).to_string()).await;
    assert_eq!(response.as_array().map(Vec::len), Some(5), "{response}");
    assert!(started.elapsed() < Duration::from_millis(1_990), "{:?}", started.elapsed());
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_rejected() {
    let server = Server::start(Launch::sandbox()).await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"list_models"}"#;
    let value = server.url.clone();
    for (label, header, value, expected) in [
        ("a strange Host", "host", "evil.example.com", 403),
        ("a rebound name with our port", "host", "evil.example.com:80", 403),
        ("a foreign Origin", "origin", "https://evil.example.com", 403),
        ("a null Origin", "origin", "null", 403),
        ("our own Origin", "origin", value.as_str(), 200),
        ("a form's type", "content-type", "text/plain", 415),
        ("no JSON type", "content-type", "application/x-www-form-urlencoded", 415),
        ("JSON with a charset", "content-type", "application/json; charset=utf-8", 200),
    ] {
        let mut request = server.client.post(&server.url).body(body);
        if header != "content-type" {
            request = request.header("content-type", "application/json");
        }
        let response = request.header(header, value).send().await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{label}");
    }
    let address = server.address();
    for (label, head, expected) in [
        ("a WebSocket", upgrade(address, ""), "101"),
        ("of a strange Host", upgrade("evil.example.com", ""), "403"),
        ("of a foreign Origin", upgrade(address, "Origin: https://evil.example.com\n"), "403"),
        ("of a null Origin", upgrade(address, "Origin: null\n"), "403"),
        ("a plain GET", format!("GET / HTTP/1.1\nHost: {address}\n\n"), "405"),
        (
            "two Origins",
            upgrade(
                address,
                &format!("Origin: http://{address}\nOrigin: https://evil.example.com\n"),
            ),
            "400",
        ),
        ("two Hosts", upgrade(address, "Host: evil.example.com\n"), "400"),
        ("our name in capitals", upgrade(&address.replace("127.0.0.1", "LocalHost"), ""), "101"),
    ] {
        let line = server.raw(&head);
        assert!(line.contains(expected), "{label}: {line}");
    }
}

#[tokio::test]
async fn every_request_needs_the_configured_token() {
    let launch = Launch::sandbox().variable("POLYTOMIC_RPC_TOKEN", "token-4711");
    let server = Server::start(launch).await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"list_models"}"#;
    for (label, header, expected) in [
        ("none", None, 401),
        ("another", Some("Bearer token-4712"), 401),
        ("a part of it", Some("Bearer token-471"), 401),
        ("another scheme", Some("Basic token-4711"), 401),
        ("the token", Some("Bearer token-4711"), 200),
    ] {
        let mut request = server.post(body);
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        assert_eq!(request.send().await.unwrap().status().as_u16(), expected, "{label}");
    }
    assert!(server.raw(&upgrade(server.address(), "")).contains("401"));
}

#[tokio::test]
async fn a_health_check_needs_no_token_and_other_methods_are_named() {
    let launch = Launch::bare().variable("POLYTOMIC_RPC_TOKEN", "token-4711");
    let server = Server::start(launch).await;
    let token = "Bearer token-4711";
    for (method, path, token, status, allow) in [
        ("GET", "/healthz", None, 200, None),
        ("GET", "/healthz?full=1", None, 200, None),
        ("GET", "/healthz", Some("Bearer wrong"), 200, None),
        ("HEAD", "/healthz", None, 200, None),
        ("POST", "/healthz", Some(token), 405, Some("GET, HEAD")),
        ("PUT", "/healthz", None, 405, Some("GET, HEAD")),
        ("GET", "/", None, 401, None),
        ("GET", "/healthz/x", None, 401, None),
        ("GET", "/", Some(token), 405, Some("POST")),
        ("HEAD", "/", Some(token), 405, Some("POST")),
        ("PUT", "/", Some(token), 405, Some("POST")),
        ("PATCH", "/", Some(token), 405, Some("POST")),
        ("DELETE", "/x", Some(token), 405, Some("POST")),
        ("OPTIONS", "/", Some(token), 405, Some("POST")),
    ] {
        let url = format!("{}{path}", server.url);
        let mut request = server.client.request(method.parse().unwrap(), url);
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path} {token:?}");
        let header = response.headers().get("allow").map(|value| value.to_str().unwrap());
        assert_eq!(header, allow, "{method} {path}");
        let text = response.text().await.unwrap();
        assert_eq!(text == "ok\n", status == 200 && method == "GET", "{method} {path}: {text}");
    }
    // Not even a health check is for a page of another server.
    let head = "GET /healthz HTTP/1.1\nHost: evil.example.com\n\n";
    assert!(server.raw(head).contains("403"));
}

#[tokio::test]
async fn an_address_beyond_loopback_requires_a_token() {
    let launch = Launch::sandbox().flag("rpc").flag("--listen").flag("0.0.0.0:0");
    let (status, stdout, stderr) = launch.output().await;
    assert_eq!((status, stdout.as_str()), (2, ""), "{stderr}");
    assert!(stderr.contains("POLYTOMIC_RPC_TOKEN"), "{stderr}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_rejected() {
    let launch = Launch::sandbox().variable("POLYTOMIC_MAX_LINE_BYTES", "2000");
    let server = Server::start(launch).await;
    let response = server.post(vec![b'x'; 5_000]).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 413);
    assert_eq!(server.call("list_models", json!({})).await["result"]["models"], json!([]));
}

/// A server with a request in flight that takes `delay`.
async fn in_flight(
    delay: Duration,
) -> (Stub, Server, tokio::task::JoinHandle<reqwest::Result<reqwest::Response>>) {
    let stub = Stub::slow(delay).await;
    let server = Server::start(Launch::against(&stub.url())).await;
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "get_model", "params": {"model_id": UNKNOWN_ID}});
    let response = tokio::spawn(server.post(request.to_string()).send());
    stub.wait_for_requests(1).await;
    (stub, server, response)
}

#[tokio::test]
async fn a_signal_lets_requests_in_flight_finish() {
    let (_stub, mut server, response) = in_flight(Duration::from_secs(1)).await;
    server.signal();
    let response: Value = response.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(response["result"]["model"]["name"], "Users", "{response}");
    assert_eq!(server.child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_the_server_at_once() {
    let (_stub, mut server, response) = in_flight(Duration::from_secs(20)).await;
    server.signal();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(server.child.try_wait().unwrap().is_none(), "it lets the request finish");
    server.signal();
    let ended = tokio::time::timeout(Duration::from_secs(5), server.child.wait()).await;
    assert_eq!(ended.expect("it ends").unwrap().code(), Some(0));
    assert!(response.await.unwrap().is_err(), "the request is dropped");
}

#[tokio::test]
async fn closing_the_connection_cancels_its_call() {
    let (_stub, mut server, response) = in_flight(Duration::from_secs(20)).await;
    response.abort();
    assert!(response.await.unwrap_err().is_cancelled());
    // With the call still running, the server would let it finish.
    server.signal();
    let ended = tokio::time::timeout(Duration::from_secs(5), server.child.wait()).await;
    assert_eq!(ended.expect("it ends").unwrap().code(), Some(0));
}

#[tokio::test]
async fn http_2_works() {
    let server = Server::start(Launch::sandbox()).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let body = r#"{"jsonrpc":"2.0","id":-1.50,"method":"list_models"}"#;
    let request = client.post(&server.url).header("content-type", "application/json").body(body);
    let response = request.send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    let text = response.text().await.unwrap();
    assert!(text.starts_with(r#"{"jsonrpc":"2.0","id":-1.50,"result":"#), "{text}");
}

#[tokio::test]
async fn a_websocket_behaves_like_a_post() {
    let stub = Stub::slow(Duration::from_secs(1)).await;
    let mut server = Server::start(Launch::against(&stub.url())).await;
    let mut socket = server.websocket();
    send_text(&mut socket, "[]");
    let response = next_message(&mut socket);
    assert_eq!((&response["error"]["code"], &response["id"]), (&json!(-32600), &Value::Null));
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "get_model", "params": {"model_id": UNKNOWN_ID}});
    send_text(&mut socket, &request.to_string());
    stub.wait_for_requests(1).await;
    server.signal();
    let response = tokio::task::spawn_blocking(move || next_message(&mut socket)).await.unwrap();
    assert_eq!(response["result"]["model"]["name"], "Users", "{response}");
    assert_eq!(server.child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_message_is_read_from_a_websocket_as_from_a_line() {
    let server = Server::start(Launch::bare()).await;
    let mut socket = server.websocket();
    for (text, expected) in [
        ("", json!({"id": null, "code": -32700})),
        ("hello", json!({"id": null, "code": -32700})),
        ("5", json!({"id": null, "code": -32600})),
        (r#"{"id":7,"method":"list_models"}"#, json!({"id": 7, "code": -32600})),
        (r#"{"jsonrpc":"2.0","method":5}"#, json!({"id": null, "code": -32600})),
        (r#"{"jsonrpc":"2.0","id":{},"method":"nothing"}"#, json!({"id": null, "code": -32600})),
        ("  [1]", json!([{"id": null, "code": -32600}])),
        (&format!("[{}1]", "1,".repeat(10_000)), json!({"id": null, "code": -32600})),
    ] {
        // Nothing is sent for these: the next response belongs to the text.
        send_text(&mut socket, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        send_text(&mut socket, r#"[{"jsonrpc":"2.0","method":"list_models"}]"#);
        send_text(&mut socket, text);
        let response = next_message(&mut socket);
        assert_eq!(codes(&response), expected, "{text}: {response}");
    }
}

#[tokio::test]
async fn a_message_over_the_limit_ends_its_websocket_after_the_responses() {
    let stub = Stub::slow(Duration::from_millis(500)).await;
    let launch = Launch::against(&stub.url()).variable("POLYTOMIC_MAX_LINE_BYTES", "2000");
    let server = Server::start(launch).await;
    let mut socket = server.websocket();
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "get_model", "params": {"model_id": UNKNOWN_ID}});
    send_text(&mut socket, &request.to_string());
    send_text(&mut socket, &"x".repeat(1_000_000));
    let response = next_message(&mut socket);
    assert_eq!(codes(&response), json!({"id": null, "code": -32600}), "{response}");
    assert!(response["error"]["message"].as_str().unwrap().contains("2000"), "{response}");
    let response = next_message(&mut socket);
    assert_eq!(response["result"]["model"]["name"], "Users", "{response}");
    // "Message too big", RFC 6455, section 7.4.1.
    assert_eq!(next_frame(&mut socket), (8, 1009_u16.to_be_bytes().to_vec()));
}

#[tokio::test]
async fn a_ping_gets_a_pong_and_closing_a_websocket_cancels_its_calls() {
    let stub = Stub::slow(Duration::from_secs(20)).await;
    let mut server = Server::start(Launch::against(&stub.url())).await;
    let mut socket = server.websocket();
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "get_model", "params": {"model_id": UNKNOWN_ID}});
    send_text(&mut socket, &request.to_string());
    stub.wait_for_requests(1).await;
    socket.write_all(&[0x89, 0x82, 0, 0, 0, 0, b'h', b'i']).unwrap();
    assert_eq!(next_frame(&mut socket), (10, b"hi".to_vec()));
    socket.write_all(&[0x88, 0x80, 0, 0, 0, 0]).unwrap();
    assert_eq!(next_frame(&mut socket), (8, vec![]));
    assert_eq!(socket.read(&mut [0]).unwrap(), 0, "the connection is closed");
    // With the call still running, the server would let it finish.
    server.signal();
    let ended = tokio::time::timeout(Duration::from_secs(5), server.child.wait()).await;
    assert_eq!(ended.expect("it ends").unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_websocket_that_is_not_read_pauses_its_calls() {
    let stub = Stub::start().await;
    let body = json!({"data": {"id": UNKNOWN_ID, "name": "a".repeat(100_000)}});
    let response = ResponseTemplate::new(200).set_body_json(body);
    stub.on("GET", MODEL, response).await;
    let launch = Launch::against(&stub.url()).variable("POLYTOMIC_MAX_BYTES", "2000000");
    let server = Server::start(launch).await;
    let mut socket = server.websocket();
    for id in 0..1_000 {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "get_model", "params": {"model_id": UNKNOWN_ID}});
        send_text(&mut socket, &request.to_string());
    }
    let mut last = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let requested = stub.lines().await.len();
        if requested == last && requested > 0 {
            break;
        }
        last = requested;
    }
    // Permits, queued responses, and the buffers of the socket itself.
    assert!(last < 600, "{last} of 1000 were called for a client that does not read");
    let ids =
        move || (0..1_000).map(|_| next_message(&mut socket)["id"].as_u64().unwrap()).collect();
    let mut ids: Vec<u64> = tokio::task::spawn_blocking(ids).await.unwrap();
    ids.sort_unstable();
    assert_eq!(ids, (0..1_000).collect::<Vec<u64>>(), "each gets one response");
}

#[tokio::test]
async fn a_body_gets_the_same_response_as_its_line() {
    let server = Server::start(Launch::sandbox()).await;
    let blank = " ".repeat(300);
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"list_models"}"#;
    for (body, code) in [
        ("hello", json!(-32700)),
        ("null", json!(-32600)),
        ("5", json!(-32600)),
        ("\"text\"", json!(-32600)),
        ("", json!(-32700)),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,", json!(-32700)),
        (&format!("{blank}{request}\r\n"), Value::Null),
        (&format!("{blank}[{request}]"), Value::Null),
    ] {
        let (status, response) = server.send(body).await;
        let code_seen = &response["error"]["code"];
        assert_eq!((status, code_seen), (StatusCode::OK, &code), "{body}: {response}");
    }
    let mut request = server.post(request);
    request = request.header("content-type", "application/json-rpc");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 400, "two types");
    // The older name of the type.
    let head = format!(
        "POST / HTTP/1.1\nHost: {}\nContent-Type: application/json-rpc\nContent-Length: 47\n\n\
         {{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list_models\"}}",
        server.address()
    );
    assert!(server.raw(&head).contains("200"));
}
