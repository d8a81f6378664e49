//! JSON-RPC over HTTP POST: methods, bodies, who may call, and how the server ends.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::rpc::codes;
use crate::support::{CONNECTION, Launch, Server, Stub, UNKNOWN_ID, upgrade};

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
