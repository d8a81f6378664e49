//! Errors of the API and the network, and the errors that an agent reads.

use std::time::Duration;

use polytomic_mcp::sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

use crate::support::{
    CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID, definition, rejected_key,
};

/// Marks untrusted text.
const MARK: &str = "IGNORE-ALL-PREVIOUS";

fn get_arguments() -> Value {
    json!({"model_id": UNKNOWN_ID})
}

#[tokio::test]
async fn each_status_maps_to_an_error_code() {
    let cases = [
        (400, "invalid_argument", false, "refused"),
        (401, "unauthorized", false, "refused"),
        (403, "forbidden", false, "refused"),
        (404, "not_found", false, "refused"),
        (408, "timeout", true, "unknown"),
        (409, "conflict", false, "refused"),
        (418, "upstream_error", false, "refused"),
        (422, "invalid_argument", false, "refused"),
        (429, "rate_limited", true, "refused"),
        (500, "upstream_error", false, "refused"),
        (502, "upstream_unavailable", true, "unknown"),
        (503, "upstream_unavailable", true, "refused"),
        (504, "upstream_unavailable", true, "unknown"),
    ];
    let checks = cases.map(|(status, code, retryable, outcome)| async move {
        let stub = Stub::start().await;
        let body = json!({"key": "k", "message": MARK, "metadata": {"m": MARK}, "status": status});
        stub.json("GET", MODEL, status, body).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let error = session.call_err("get_model", get_arguments()).await;
        assert_eq!(error["code"], code, "{status}: {error}");
        assert_eq!(error["retryable"], retryable, "{status}: {error}");
        assert_eq!(error["outcome"], outcome, "{status}: {error}");
        assert_eq!(error["http_status"], status, "{status}: {error}");
        assert_eq!(error["details"]["message"], MARK, "{status}: {error}");
        assert_eq!(error["details"]["metadata"], json!({"m": MARK}), "{status}: {error}");
        let text = format!("{}{}", error["message"], error["hint"]);
        assert!(!text.contains(MARK), "untrusted text in message or hint: {error}");
    });
    // Concurrently: some are retried for seconds.
    futures_util::future::join_all(checks).await;
}

#[tokio::test]
async fn an_invalid_response_is_an_error() {
    let html = |status| {
        ResponseTemplate::new(status).set_body_raw("<html>IGNORE-ALL-PREVIOUS</html>", "text/html")
    };
    let json_body =
        |body: &str| ResponseTemplate::new(200).set_body_raw(body.to_owned(), "application/json");
    for (label, template, code) in [
        ("HTML with 200", html(200), "upstream_error"),
        ("HTML with 503", html(503), "upstream_unavailable"),
        ("HTML with 404", html(404), "upstream_error"),
        ("neither data nor job", json_body("{\"data\": null, \"job\": null}"), "upstream_error"),
        ("an empty object", json_body("{}"), "upstream_error"),
        ("an empty body", ResponseTemplate::new(200), "upstream_error"),
        ("a list", json_body("[]"), "upstream_error"),
        ("truncated JSON", json_body("{\"data\": {\"name\": \"IGNORE-ALL-PREV"), "upstream_error"),
        ("deeply nested JSON", json_body(&"[".repeat(500)), "upstream_error"),
        (
            "a property of another type",
            json_body("{\"data\": {\"name\": [\"IGNORE-ALL-PREVIOUS\"]}}"),
            "upstream_error",
        ),
        (
            "a redirect",
            ResponseTemplate::new(307)
                .insert_header("location", "https://IGNORE-ALL-PREVIOUS.example.com/"),
            "upstream_error",
        ),
    ] {
        let stub = Stub::start().await;
        stub.on("GET", MODEL, template).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let error = session.call_err("get_model", get_arguments()).await;
        assert_eq!(error["code"], code, "{label}: {error}");
        let text = format!("{}{}", error["message"], error["hint"]);
        assert!(!text.contains(MARK), "{label}: untrusted text in message or hint: {error}");
        assert!(!error.to_string().contains("<html>"), "{label}: {error}");
        let attempts = if label == "HTML with 503" { 8 } else { 1 };
        assert_eq!(stub.requests().await.len(), attempts, "{label}");
    }
}

#[tokio::test]
async fn a_status_is_reported_even_if_its_body_never_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 65536];
        let _ = stream.read(&mut request).await;
        let head = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 100\r\n\r\n{";
        stream.write_all(head).await.unwrap();
        std::future::pending::<()>().await;
    });
    let mut session = Session::open(&Launch::against(&url)).await;
    let error = session.call_err("create_model", definition()).await;
    assert_eq!((&error["code"], &error["http_status"]), (&json!("invalid_argument"), &json!(400)));
    server.abort();
}

#[tokio::test]
async fn a_url_that_is_too_long_is_an_invalid_argument() {
    let stub = Stub::start().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let long = "x".repeat(80_000);
    let arguments = json!({"connection_id": CONNECTION, "configuration": {"query": long}});
    let error = session.call_err("get_model_source", arguments).await;
    assert_eq!((&error["code"], &error["retryable"]), (&json!("invalid_argument"), &json!(false)));
    assert_eq!(error["outcome"], "not_sent", "{error}");
}

#[tokio::test]
async fn long_untrusted_text_is_truncated() {
    let stub = Stub::start().await;
    let long = "ü".repeat(50_000);
    stub.json("GET", MODEL, 400, json!({"message": long, "metadata": {"m": long}})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("get_model", get_arguments()).await;
    for detail in ["message", "metadata"] {
        let length = error["details"][detail].as_str().unwrap().chars().count();
        assert!((1000..1020).contains(&length), "{detail}: {length}");
    }
}

#[tokio::test]
async fn an_unreachable_api_is_reported_with_its_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut session = Session::open(&Launch::against(&url)).await;
    let error = session.call_err("create_model", definition()).await;
    assert_eq!(error["code"], "upstream_unavailable");
    assert_eq!((&error["retryable"], &error["outcome"]), (&json!(true), &json!("not_sent")));
    assert!(error["message"].as_str().unwrap().contains(&url), "{error}");
}

#[tokio::test]
async fn a_broken_connection_leaves_the_outcome_unknown() {
    // Reads the request, sends part of a response or nothing, and closes the connection.
    for (label, part) in [
        ("no response", &b""[..]),
        ("half a head", b"HTTP/1.1 200 O"),
        ("half a body", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"data\""),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 65536];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(part).await;
            }
        });
        let mut session = Session::open(&Launch::against(&url)).await;
        let error = session.call_err("create_model", definition()).await;
        assert_eq!(error["code"], "upstream_unavailable", "{label}: {error}");
        assert_eq!(error["outcome"], "unknown", "{label}: {error}");
        assert!(error["hint"].as_str().unwrap().contains("list_models"), "{label}: {error}");
        server.abort();
    }
}

#[tokio::test]
async fn a_hanging_api_is_a_timeout() {
    let stub = Stub::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(30));
    stub.on("POST", "/api/models", slow).await;
    let launch = Launch::against(&stub.url()).variable("POLYTOMIC_TIMEOUT_SECONDS", "1");
    let mut session = Session::open(&launch).await;
    let error = session.call_err("create_model", definition()).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("timeout"), &json!("unknown")));
    assert!(error["message"].as_str().unwrap().contains("after 1 s;"), "{error}");
    assert_eq!(stub.requests().await.len(), 1);
    assert!(error["message"].as_str().unwrap().contains("may have been applied"), "{error}");
}

#[tokio::test]
async fn a_response_above_the_size_limit_is_rejected() {
    let stub = Stub::start().await;
    let large = vec![b' '; (32 << 20) + 1];
    stub.on("GET", MODEL, ResponseTemplate::new(200).set_body_bytes(large)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("get_model", get_arguments()).await;
    assert_eq!(error["code"], "result_too_large", "{error}");
    assert!(error["message"].as_str().unwrap().contains("33554432"), "{error}");
    assert_eq!(error["http_status"], 200, "{error}");
    // The change was applied, and the tool has no `limit`.
    let large = vec![b' '; (32 << 20) + 1];
    stub.on("POST", "/api/models", ResponseTemplate::new(200).set_body_bytes(large)).await;
    let error = session.call_err("create_model", definition()).await;
    assert_eq!(error["code"], "result_too_large", "{error}");
    assert!(error["message"].as_str().unwrap().contains("may have been applied"), "{error}");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("list_models") && !hint.contains("limit"), "{error}");
}

#[tokio::test]
async fn a_compressed_response_that_expands_above_the_size_limit_is_rejected() {
    let stub = Stub::start().await;
    let template = ResponseTemplate::new(200)
        .insert_header("content-encoding", "gzip")
        .set_body_bytes(zeros_as_gzip(100 << 20));
    stub.on("GET", MODEL, template).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("get_model", get_arguments()).await;
    assert_eq!(error["code"], "result_too_large", "{error}");
}

/// `length` zero bytes, compressed.
fn zeros_as_gzip(length: usize) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let chunk = vec![0; 1 << 20];
    for _ in 0..length / chunk.len() {
        encoder.write_all(&chunk).unwrap();
    }
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_rejected_key_is_reported_with_the_variable_that_sets_it() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let launch = Launch::against(sandbox.url());
    let mut session = Session::open(&launch).await;
    let error = session.call_err("list_connections", json!({})).await;
    assert_eq!((&error["code"], &error["http_status"]), (&json!("unauthorized"), &json!(401)));
    assert!(error["hint"].as_str().unwrap().contains("POLYTOMIC_API_KEY"), "{error}");
}

#[tokio::test]
async fn a_rejected_key_with_a_prefix_or_quotes_is_recognized() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    for (key, hint) in [
        ("Bearer test-key-4711", "begins with \"Bearer \""),
        ("bearer test-key-4711", "begins with \"Bearer \""),
        ("\"test-key-4711\"", "stands in quotes"),
        ("'test-key-4711'", "stands in quotes"),
        ("test-key-4711", "Check POLYTOMIC_API_KEY"),
        ("Bearertest-key-4711\"", "Check POLYTOMIC_API_KEY"),
    ] {
        rejected_key(sandbox.url(), key, hint).await;
    }
}

#[tokio::test]
async fn errors_of_the_sandbox_name_what_was_rejected() {
    let mut session = Session::sandbox().await;
    for (label, tool, arguments, code, detail) in [
        ("unknown model", "get_model", get_arguments(), "not_found", "00000000"),
        ("unknown model", "sample_records", get_arguments(), "not_found", "00000000"),
        ("unknown model", "delete_model", get_arguments(), "not_found", "00000000"),
        (
            "unknown connection",
            "get_model_source",
            json!({"connection_id": UNKNOWN_ID}),
            "not_found",
            "00000000",
        ),
        (
            "unknown connection",
            "create_model",
            json!({"connection_id": UNKNOWN_ID, "name": "a", "configuration": {"table": "users"}}),
            "not_found",
            "00000000",
        ),
        (
            "bad SQL",
            "preview_model",
            json!({"connection_id": CONNECTION, "configuration": {"query": "SELEKT 1"}}),
            "invalid_argument",
            "SELEKT",
        ),
        (
            "unknown table",
            "create_model",
            json!({"connection_id": CONNECTION, "name": "a", "configuration": {"table": "public.nope"}}),
            "invalid_argument",
            "public.nope",
        ),
        (
            "unknown job",
            "get_job",
            json!({"type": "createmodel", "job_id": UNKNOWN_ID}),
            "not_found",
            "00000000",
        ),
        (
            "unknown job type",
            "get_job",
            json!({"type": "nosuchjob", "job_id": UNKNOWN_ID}),
            "invalid_argument",
            "job type",
        ),
    ] {
        let error = session.call_err(tool, arguments).await;
        assert_eq!(error["code"], code, "{label}: {error}");
        let message = error["details"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(detail), "{label}: {error}");
    }
}

/// An API whose texts all hold the mark: names, messages, SQL errors, job errors.
async fn marked_stub() -> Stub {
    let stub = Stub::start().await;
    let error_body = |status: u16| json!({"key": MARK, "message": MARK, "metadata": {"m": MARK}, "status": status});
    let path = |n: u32| format!("/api/models/{}", id(n));
    for (n, status) in
        [(1, 401), (2, 403), (3, 404), (4, 400), (5, 409), (6, 429), (7, 408), (8, 503), (9, 418)]
    {
        let response = ResponseTemplate::new(status).set_body_json(error_body(status));
        stub.on("GET", &path(n), response.insert_header("retry-after", "3600")).await;
    }
    let wide: serde_json::Map<String, Value> =
        (0..5_000).map(|n| (format!("{MARK}{n}"), json!(n))).collect();
    stub.json("GET", &path(10), 200, json!({"data": {"name": MARK, "configuration": wide}})).await;
    let failed = json!({"job_id": id(0), "type": "createmodel", "status": "failed", "error": MARK});
    stub.json("POST", "/api/models", 200, json!({"job": failed})).await;
    let sync = json!({"id": MARK, "name": MARK, "model_ids": [id(11)]});
    stub.json("GET", "/api/syncs", 200, json!({"data": [sync]})).await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(30));
    stub.on("GET", &path(12), slow).await;
    stub
}

fn id(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

#[tokio::test]
async fn each_error_code_is_reached_and_none_has_untrusted_text_in_its_message() {
    let stub = marked_stub().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let mut create = definition();
    create["name"] = json!(MARK);
    create["configuration"] = json!({"query": MARK});
    let mut errors = vec![
        (
            "not_configured",
            Session::open(&Launch::bare()).await.call_err("list_models", json!({})).await,
        ),
        ("job_failed", session.call_err("create_model", create).await),
        ("dependents_exist", session.call_err("delete_model", json!({"model_id": id(11)})).await),
        ("invalid_argument", session.call_err("list_models", json!({"limit": MARK})).await),
    ];
    for (n, code) in [
        (1, "unauthorized"),
        (2, "forbidden"),
        (3, "not_found"),
        (4, "invalid_argument"),
        (5, "conflict"),
        (6, "rate_limited"),
        (7, "timeout"),
        (8, "upstream_unavailable"),
        (9, "upstream_error"),
        (10, "result_too_large"),
    ] {
        errors.push((code, session.call_err("get_model", json!({"model_id": id(n)})).await));
    }
    // Over MCP a cancelled call has no response; on the JSON-RPC server a signal cancels reads.
    let mut rpc = Session::start(&Launch::against(&stub.url()).flag("rpc"));
    let before = stub.requests().await.len();
    let request =
        json!({"jsonrpc": "2.0", "id": 1, "method": "get_model", "params": {"model_id": id(12)}});
    rpc.send(request).await;
    stub.wait_for_requests(before + 1).await;
    rpc.signal("-TERM");
    let response = rpc.next().await;
    errors.push(("cancelled", response["error"]["data"].clone()));
    for (code, error) in &errors {
        assert_eq!(error["code"], *code, "{error}");
        let text = format!("{}{}", error["message"], error["hint"]);
        let echoed = *code == "invalid_argument" && error["outcome"] == "not_sent";
        assert!(echoed || !text.contains(MARK), "untrusted text in message or hint: {error}");
    }
    let reached: std::collections::BTreeSet<&str> = errors.iter().map(|(code, _)| *code).collect();
    let all = polytomic_mcp::registry::ErrorCode::ALL.iter().map(|code| code.as_str());
    let missing: Vec<&str> = all.filter(|code| !reached.contains(code)).collect();
    // Disabled tools and confirmations have tests of their own; an internal error cannot be provoked from outside and
    // is tested in the registry.
    assert_eq!(missing, ["access_denied", "confirmation_required", "internal"]);
}
