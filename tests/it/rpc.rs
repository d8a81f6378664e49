//! JSON-RPC on stdin and stdout.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::{CONNECTION, Launch, Session, Stub, UNKNOWN_ID};

fn sandbox() -> Session {
    Session::start(&Launch::sandbox().flag("rpc"))
}

fn against(stub: &Stub) -> Session {
    Session::start(&Launch::against(&stub.url()).flag("rpc"))
}

fn call(id: Value, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

#[tokio::test]
async fn a_method_returns_the_structured_content_of_its_tool() {
    let mut session = sandbox();
    let response = session.request("list_connections", json!({})).await;
    assert_eq!(response["result"]["connections"][0]["id"], CONNECTION);
    let params = json!({
        "connection_id": CONNECTION, "name": "Users", "configuration": {"table": "public.users"},
    });
    let created = session.request("create_model", params).await;
    assert_eq!(created["result"]["job"]["status"], "done", "{created}");
    let id = &created["result"]["model"]["id"];
    let deleted = session.request("delete_model", json!({"model_id": id})).await;
    assert_eq!(deleted["result"], json!({"deleted": true, "model_id": id}));
    assert_eq!(session.close().await.status, Some(0));
}

#[tokio::test]
async fn errors_have_the_codes_of_the_specification_or_the_number_of_their_code() {
    let mut session = sandbox();
    for (method, params, code, word) in [
        ("get_model", json!({}), -32602, "invalid_argument"),
        ("get_model", json!({"model_id": "x"}), -32602, "invalid_argument"),
        ("get_model", json!([UNKNOWN_ID]), -32602, "invalid_argument"),
        ("get_model", json!("x"), -32602, "invalid_argument"),
        ("get_job", json!({"type": "..", "job_id": UNKNOWN_ID}), -32602, "invalid_argument"),
        ("get_model", json!({"model_id": UNKNOWN_ID}), 4, "not_found"),
        (
            "preview_model",
            json!({"connection_id": CONNECTION, "configuration": {"query": "SELEKT"}}),
            5,
            "invalid_argument",
        ),
        (
            "create_model",
            json!({"connection_id": CONNECTION, "name": "a", "async": true, "configuration": {"table": "x"}}),
            12,
            "job_failed",
        ),
    ] {
        let response = session.request(method, params.clone()).await;
        assert_eq!(response["error"]["code"], code, "{method} {params}: {response}");
        let data = &response["error"]["data"];
        assert_eq!(data["code"], word, "{method} {params}: {response}");
        assert_eq!(data["message"], response["error"]["message"], "{response}");
        assert!(data["hint"].is_string() && data["outcome"].is_string(), "{response}");
    }
    let response = session.request("get_model", json!({"modelid": UNKNOWN_ID})).await;
    assert_eq!(response["error"]["data"]["details"]["argument"], "modelid", "{response}");
    let response = session.request("get_modle", json!({})).await;
    assert_eq!(response["error"]["code"], -32601);
    assert!(response["error"]["message"].as_str().unwrap().contains("\"get_model\""), "{response}");

    for method in ["initialize", "tools/list"] {
        let response = session.request(method, json!({})).await;
        assert_eq!(response["error"]["code"], -32601);
        let message = response["error"]["message"].as_str().unwrap();
        assert!(message.contains("polytomic-mcp without a command serves MCP"), "{response}");
    }

    let mut session = Session::start(&Launch::bare().flag("rpc"));
    let response = session.request("list_models", json!({})).await;
    assert_eq!(response["error"]["code"], 1, "{response}");
}

/// The examples of the specification's section 7, with our methods in place of its own.
#[tokio::test]
async fn the_examples_of_the_specification_get_its_responses() {
    let mut session = Session::start(&Launch::bare().flag("rpc"));
    let not_configured = |id: Value| json!({"id": id, "code": 1});
    let error_response = |id: Value, code: i32| json!({"id": id, "code": code});
    for (label, line, expected) in [
        (
            "positional parameters",
            r#"{"jsonrpc": "2.0", "method": "get_model", "params": [42, 23], "id": 1}"#,
            Some(error_response(json!(1), -32602)),
        ),
        (
            "named parameters",
            r#"{"jsonrpc": "2.0", "method": "list_models", "params": {"limit": 1}, "id": 3}"#,
            Some(not_configured(json!(3))),
        ),
        ("a notification", r#"{"jsonrpc": "2.0", "method": "list_models", "params": {}}"#, None),
        ("a notification of an unknown method", r#"{"jsonrpc": "2.0", "method": "foobar"}"#, None),
        (
            "an unknown method",
            r#"{"jsonrpc": "2.0", "method": "foobar", "id": "1"}"#,
            Some(error_response(json!("1"), -32601)),
        ),
        (
            "invalid JSON",
            r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#,
            Some(error_response(Value::Null, -32700)),
        ),
        (
            "an invalid request",
            r#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#,
            Some(error_response(Value::Null, -32600)),
        ),
        (
            "a batch of invalid JSON",
            r#"[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", "method"]"#,
            Some(error_response(Value::Null, -32700)),
        ),
        ("an empty array", "[]", Some(error_response(Value::Null, -32600))),
        ("an invalid batch", "[1]", Some(json!([error_response(Value::Null, -32600)]))),
        (
            "three invalid ones",
            "[1,2,3]",
            Some(json!([
                error_response(Value::Null, -32600),
                error_response(Value::Null, -32600),
                error_response(Value::Null, -32600)
            ])),
        ),
        (
            "a mixed batch",
            r#"[{"jsonrpc": "2.0", "method": "list_models", "id": "1"},{"jsonrpc": "2.0", "method": "list_models"},{"jsonrpc": "2.0", "method": "get_model", "params": [42,23], "id": "2"},{"foo": "boo"},{"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},{"jsonrpc": "2.0", "method": "list_connections", "id": "9"}]"#,
            Some(json!([
                not_configured(json!("1")),
                error_response(json!("2"), -32602),
                error_response(Value::Null, -32600),
                error_response(json!("5"), -32601),
                not_configured(json!("9"))
            ])),
        ),
        (
            "a batch of notifications",
            r#"[{"jsonrpc": "2.0", "method": "list_models"},{"jsonrpc": "2.0", "method": "list_models"}]"#,
            None,
        ),
    ] {
        session.send_raw(format!("{line}\n").as_bytes()).await;
        // Its response comes last, so everything before it belongs to the line above.
        let expected = match expected {
            Some(expected) => {
                let response = session.next().await;
                assert_eq!(codes(&response), expected, "{label}: {response}");
                continue;
            }
            None => json!({"id": "silent?", "code": -32601}),
        };
        session.send(call(json!("silent?"), "nothing", json!({}))).await;
        let response = session.next().await;
        assert_eq!(codes(&response), expected, "{label}: {response}");
    }
}

/// Ids and error codes of a response or a batch of responses.
pub fn codes(response: &Value) -> Value {
    match response {
        Value::Array(responses) => responses.iter().map(codes).collect(),
        one => {
            assert_eq!(one["jsonrpc"], "2.0", "{one}");
            json!({"id": one["id"], "code": one["error"]["code"]})
        }
    }
}

#[tokio::test]
async fn invalid_messages_get_an_error_with_the_id_if_it_can_be_read() {
    let mut session = Session::start(&Launch::bare().flag("rpc"));
    for (label, line, code, id) in [
        ("no UTF-8", &b"\xff\n"[..], -32700, Value::Null),
        ("no version", b"{\"id\":7,\"method\":\"list_models\"}\n", -32600, json!(7)),
        ("no method", b"{\"jsonrpc\":\"2.0\",\"id\":\"a\"}\n", -32600, json!("a")),
        (
            "id an object",
            b"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"list_models\"}\n",
            -32600,
            Value::Null,
        ),
        ("a number", b"5\n", -32600, Value::Null),
        (
            "a method that is a number, and a number that is too big",
            b"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":5,\"params\":[1e999]}\n",
            -32600,
            json!(8),
        ),
    ] {
        let response = session.exchange(line).await;
        assert_eq!(
            (&response["error"]["code"], &response["id"]),
            (&json!(code), &id),
            "{label}: {response}"
        );
    }
    for line in [
        &b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"[..],
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"x\"}}\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"x\"}}\n",
        b"[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"result\":2}\n",
        b"\n",
    ] {
        session.send_raw(line).await;
    }
    let response = session.request("nothing", json!({})).await;
    assert_eq!(response["error"]["code"], -32601);
}

#[tokio::test]
async fn a_batch_over_the_limit_is_rejected() {
    let mut session = Session::start(&Launch::bare().flag("rpc"));
    let entry = r#"{"jsonrpc":"2.0","id":1,"method":"nothing"}"#;
    let batch = |count| format!("[{}]\n", vec![entry; count].join(","));
    let response = session.exchange(batch(10_001).as_bytes()).await;
    assert_eq!((&response["error"]["code"], &response["id"]), (&json!(-32600), &Value::Null));
    let response = session.exchange(batch(10_000).as_bytes()).await;
    assert_eq!(response.as_array().map(Vec::len), Some(10_000));
}

#[tokio::test]
async fn a_line_over_the_limit_gets_an_error() {
    let launch = Launch::bare().flag("--max-line-bytes").flag("2000").flag("rpc");
    let mut session = Session::start(&launch);
    let response = session.exchange(&[vec![b'x'; 100_000], b"\n".to_vec()].concat()).await;
    assert_eq!((&response["error"]["code"], &response["id"]), (&json!(-32600), &Value::Null));
    assert!(response["error"]["message"].as_str().unwrap().contains("2000"), "{response}");
    assert_eq!(session.request("nothing", json!({})).await["error"]["code"], -32601);
}

#[tokio::test]
async fn requests_run_concurrently_and_responses_are_written_when_ready() {
    let stub = Stub::slow(Duration::from_millis(500)).await;
    let mut session = against(&stub);
    session.send(call(json!("slow"), "get_model", json!({"model_id": UNKNOWN_ID}))).await;
    session.send(call(json!("quick"), "get_model", json!({}))).await;
    assert_eq!(session.next().await["id"], "quick");
    assert_eq!(session.next().await["id"], "slow");
    // A batch is one array when all of it is done, its requests at once.
    let started = Instant::now();
    let batch: Vec<Value> =
        (0..4).map(|n| call(json!(n), "get_model", json!({"model_id": UNKNOWN_ID}))).collect();
    session.send(json!(batch)).await;
    let response = session.next().await;
    assert_eq!(response.as_array().map(Vec::len), Some(4), "{response}");
    assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_notification_runs() {
    let stub = Stub::slow(Duration::ZERO).await;
    let mut session = against(&stub);
    let params = json!({"connection_id": CONNECTION, "name": "a", "configuration": {}});
    session.send(json!({"jsonrpc": "2.0", "method": "create_model", "params": params})).await;
    let ended = session.close().await;
    assert_eq!((ended.status, ended.rest), (Some(0), vec![]));
    assert_eq!(stub.lines().await, ["POST /api/models"]);
}

#[tokio::test]
async fn notifications_do_not_use_up_the_capacity_for_requests() {
    let mut session = Session::start(&Launch::bare().flag("rpc"));
    let notification = "{\"jsonrpc\":\"2.0\",\"method\":\"list_models\"}";
    let batch = format!("[{notification},{notification}]");
    for line in [notification, &batch] {
        session.send_raw(format!("{line}\n").repeat(1_200).as_bytes()).await;
        let response = session.request("nothing", json!({})).await;
        assert_eq!(response["error"]["code"], -32601, "{response}");
    }
    assert_eq!(session.close().await.status, Some(0));
}

#[tokio::test]
async fn every_request_gets_its_response_before_the_process_exits() {
    // Longer than the MCP server would wait.
    let stub = Stub::slow(Duration::from_millis(1_500)).await;
    let launch = Launch::against(&stub.url()).variable("POLYTOMIC_DRAIN_SECONDS", "0").flag("rpc");
    let mut session = Session::start(&launch);
    session.send(call(json!(1), "get_model", json!({"model_id": UNKNOWN_ID}))).await;
    session.send_raw(br#"{"jsonrpc":"2.0","id":2,"method":"nothing"}"#).await;
    let ended = session.close().await;
    let ids: Vec<&Value> = ended.rest.iter().map(|response| &response["id"]).collect();
    assert_eq!(ids, [&json!(2), &json!(1)]);
    assert_eq!(ended.status, Some(0));
}

#[tokio::test]
async fn a_signal_ends_reads_and_lets_writes_finish() {
    for signal in ["-TERM", "-INT"] {
        let stub = Stub::slow(Duration::from_millis(700)).await;
        let mut session = against(&stub);
        let params = json!({"connection_id": CONNECTION, "name": "a", "configuration": {}});
        session.send(call(json!("read"), "get_model", json!({"model_id": UNKNOWN_ID}))).await;
        session.send(call(json!("write"), "create_model", params)).await;
        stub.wait_for_requests(2).await;
        let started = Instant::now();
        session.signal(signal);
        let ended = session.wait().await;
        assert!(started.elapsed() < Duration::from_secs(10), "{signal}: {:?}", started.elapsed());
        let of = |id: &str| ended.rest.iter().find(|response| response["id"] == id).unwrap();
        assert_eq!(of("read")["error"]["code"], 16, "{signal}: {ended:?}");
        assert_eq!(of("write")["result"]["model"]["name"], "Users", "{signal}: {ended:?}");
        assert_eq!(ended.status, Some(0), "{signal}");
    }
}

#[tokio::test]
async fn a_closed_stdout_ends_the_process_quietly() {
    let stub = Stub::slow(Duration::from_millis(50)).await;
    let mut session = against(&stub);
    session.close_output();
    session.send(call(json!(1), "get_model", json!({"model_id": UNKNOWN_ID}))).await;
    let ended = session.wait().await;
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn responses_that_cannot_be_written_are_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let launch = Launch::bare().flag("rpc");
    let mut child =
        launch.command().stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\"}\n")
        .await
        .unwrap();
    let (status, _, stderr) = launch.completed(child).await;
    assert_eq!(status, 1, "{stderr}");
    assert!(stderr.contains("No space left"), "{stderr}");
}

#[tokio::test]
async fn ten_thousand_concurrent_requests_get_one_response_each_in_little_memory() {
    for pause in [Duration::ZERO, Duration::from_secs(5)] {
        let stub = Stub::slow(Duration::ZERO).await;
        let mut session = against(&stub);
        let count = 10_000;
        let mut lines = Vec::new();
        for n in 0..count {
            let request = call(json!(n), "get_model", json!({"model_id": UNKNOWN_ID}));
            lines.extend_from_slice(format!("{request}\n").as_bytes());
        }
        let mut input = session.take_input();
        let sender = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            input.write_all(&lines).await.unwrap();
            // Kept open: at its end the server exits, and its memory cannot be read any more.
            input
        });
        tokio::time::sleep(pause).await;
        let mut responded = vec![false; count];
        for _ in 0..count {
            let response = session.next().await;
            assert_eq!(response["result"]["model"]["name"], "Users", "{response}");
            let n = usize::try_from(response["id"].as_u64().unwrap()).unwrap();
            assert!(!std::mem::replace(&mut responded[n], true), "two responses for {n}");
        }
        let peak = session.peak_memory_kib();
        assert!(peak <= 96 << 10, "{peak} KiB");
        drop(sender.await.unwrap());
        assert_eq!(session.wait().await.status, Some(0));
    }
}

#[tokio::test]
async fn calls_are_queued_at_the_limit_of_requests_in_flight() {
    const OTHER: &str = "11111111-1111-4111-8111-111111111111";
    let stub = Stub::slow(Duration::from_millis(1_500)).await;
    let launch = Launch::against(&stub.url())
        .variable("POLYTOMIC_MAX_IN_FLIGHT", "1")
        .variable("POLYTOMIC_TIMEOUT_SECONDS", "1")
        .flag("rpc");
    let mut session = Session::start(&launch);
    for (id, model) in [("first", UNKNOWN_ID), ("second", OTHER)] {
        session.send(call(json!(id), "get_model", json!({"model_id": model}))).await;
    }
    let (first, second) = (session.next().await, session.next().await);
    let of = |id: &str| if first["id"] == id { &first } else { &second };
    assert_eq!(of("first")["error"]["data"]["outcome"], "unknown", "{first}");
    assert_eq!(of("second")["error"]["data"]["code"], "timeout", "{second}");
    assert_eq!(of("second")["error"]["data"]["outcome"], "not_sent", "{second}");
    let hint = of("second")["error"]["data"]["hint"].as_str().unwrap();
    assert!(hint.contains("POLYTOMIC_MAX_IN_FLIGHT"), "{second}");
    let lines = stub.lines().await;
    assert!(!lines.iter().any(|line| line.contains(OTHER)), "the second was sent: {lines:?}");
}
