//! Limits on what is in flight and on the size of arguments: a peer that sends too much gets an error, and takes little
//! memory.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::{Launch, Server, Session, Stub, UNKNOWN_ID, next_text, send_text};

/// More calls than may be in flight.
const CALLS: usize = 3_000;
const MAX_CALLS: usize = 1_000;
const MEBIBYTE: u64 = 1 << 10;

/// A service that does not respond while a test runs.
async fn hung() -> Stub {
    Stub::slow(Duration::from_secs(600)).await
}

fn call(id: usize) -> Value {
    let params = json!({"name": "get_model", "arguments": {"model_id": UNKNOWN_ID}});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

fn assert_busy(error: &Value) {
    assert_eq!(error["code"], "rate_limited", "{error}");
    assert_eq!(error["retryable"], true, "{error}");
    assert_eq!(error["outcome"], "not_sent", "{error}");
    assert_eq!(error["details"]["max_calls_in_flight"], MAX_CALLS, "{error}");
}

#[tokio::test]
async fn mcp_refuses_calls_beyond_the_limit_at_once_and_still_reads_cancellations() {
    let stub = hung().await;
    let launch = Launch::against(&stub.url()).variable("POLYTOMIC_DRAIN_SECONDS", "0");
    let mut session = Session::open(&launch).await;
    let before = session.peak_memory_kib();
    let lines: String = (0..CALLS).map(|id| format!("{}\n", call(id))).collect();
    let mut input = session.take_input();
    let sender = tokio::spawn(async move {
        input.write_all(lines.as_bytes()).await.unwrap();
        input
    });
    for _ in MAX_CALLS..CALLS {
        let response = session.next().await;
        assert!(response["id"].as_u64().unwrap() >= MAX_CALLS as u64, "{response}");
        assert_busy(&session.expect_error(&response));
    }
    session.put_input(sender.await.unwrap());
    let taken = session.peak_memory_kib() - before;
    assert!(taken < 64 * MEBIBYTE, "{taken} KiB");
    // Other requests are served, and a cancelled call frees the place of one.
    session.expect_silence().await;
    let refused = session.start_call("get_model", json!({"model_id": UNKNOWN_ID})).await;
    let response = session.next().await;
    assert_eq!(response["id"], refused);
    assert_busy(&session.expect_error(&response));
    session.cancel(7).await;
    session.expect_silence().await;
    session.start_call("get_model", json!({"model_id": UNKNOWN_ID})).await;
    session.expect_silence().await;
    let ended = session.close().await;
    assert_eq!((ended.status, ended.rest), (Some(0), Vec::new()));
}

#[tokio::test]
async fn batches_of_a_websocket_are_refused_beyond_the_limit() {
    let stub = hung().await;
    let server = Server::start(Launch::against(&stub.url())).await;
    let mut sockets: Vec<_> = (0..2).map(|_| server.websocket()).collect();
    // 64 requests of a batch run at once, and each of them that is refused is followed by the next one.
    let request = |id: usize| json!({"jsonrpc": "2.0", "id": id, "method": "get_model", "params": {"model_id": UNKNOWN_ID}});
    let batch = json!((0..256).map(request).collect::<Vec<_>>()).to_string();
    for _ in 0..16 {
        send_text(&mut sockets[0], &batch);
    }
    stub.wait_for_requests(1).await;
    // The last batch has 24 requests too many, and waits for the others; a single request is refused at once.
    let mut refused = Value::Null;
    while refused.is_null() {
        send_text(&mut sockets[1], &request(1).to_string());
        send_text(
            &mut sockets[1],
            &json!({"jsonrpc": "2.0", "id": 2, "method": "nothing"}).to_string(),
        );
        let response: Value = serde_json::from_str(&next_text(&mut sockets[1])).unwrap();
        if response["id"] == 1 {
            refused = response;
        }
    }
    assert_eq!(refused["error"]["code"], 7, "{refused}");
    assert_busy(&refused["error"]["data"]);
}

#[tokio::test]
async fn rpc_reads_no_more_than_it_may_have_in_flight() {
    let stub = hung().await;
    let launch = Launch::against(&stub.url()).flag("rpc");
    let mut session = Session::start(&launch);
    let mut lines = String::new();
    for id in 0..100_000 {
        let params = json!({"model_id": UNKNOWN_ID});
        lines += &json!({"jsonrpc": "2.0", "id": id, "method": "get_model", "params": params})
            .to_string();
        lines.push('\n');
    }
    let mut input = session.take_input();
    let sending = async { input.write_all(lines.as_bytes()).await };
    let sent = tokio::time::timeout(Duration::from_secs(3), sending).await;
    assert!(sent.is_err(), "everything was read");
    let peak = session.peak_memory_kib();
    assert!(peak < 96 * MEBIBYTE, "{peak} KiB");
}

/// Arguments that are refused for their size, and what the error says.
fn large_arguments() -> Vec<(&'static str, &'static str, String, &'static str)> {
    let id = UNKNOWN_ID;
    let repeated = |item: &str, bytes: usize| vec![item; bytes / (item.len() + 1)].join(",");
    let model = |rest: String| format!(r#"{{"connection_id":"{id}","name":"a",{rest}}}"#);
    let (mib, all) = (1 << 20, 12 << 20);
    let text = "x".repeat(mib);
    let names: String = (0..all / 12).map(|n| format!(r#","{n:07}":0"#)).collect();
    let (too_many, one) = ("arguments: expected at most 8388608 bytes", "expected at most 1048576");
    vec![
        (
            "fields",
            "create_model",
            model(format!(r#""configuration":{{}},"fields":[{}]"#, repeated("\"a\"", 30 << 20))),
            too_many,
        ),
        ("numbers", "get_model", format!(r#"{{"x":[{}]}}"#, repeated("0", all)), too_many),
        ("lists", "get_model", format!(r#"{{"x":[{}]}}"#, repeated("[]", all)), too_many),
        ("names", "get_model", format!(r#"{{"model_id":"{id}"{names}}}"#), too_many),
        (
            "a query",
            "preview_model",
            model(format!(r#""configuration":{{"query":"{}"}}"#, "x".repeat(all))),
            too_many,
        ),
        (
            "configuration as text",
            "preview_model",
            model(format!(r#""configuration":"{}""#, " ".repeat(all))),
            too_many,
        ),
        ("arguments as text", "get_model", json!("[".repeat(all)).to_string(), too_many),
        ("a name", "create_model", format!(r#"{{"name":"{text}"}}"#), one),
        ("an id", "get_model", format!(r#"{{"model_id":"{text}"}}"#), one),
        ("a cursor", "list_models", format!(r#"{{"cursor":"{text}"}}"#), one),
        (
            "a list of 1 MiB",
            "create_model",
            model(format!(r#""fields":[{}]"#, repeated("\"a\"", mib + 99))),
            one,
        ),
        (
            "an enricher",
            "create_model",
            model(format!(r#""enricher":{{"fields":[{}]}}"#, repeated("{}", mib + 99))),
            one,
        ),
        (
            "the text of an enricher beside its configuration",
            "create_model",
            model(format!(r#""enricher":{{"configuration":{{}},"connection_id":"{text}"}}"#)),
            one,
        ),
        (
            "numbers in the configuration of an enricher",
            "create_model",
            model(format!(
                r#""enricher":{{"configuration":{{"a":[{}]}}}}"#,
                repeated("0", 2 * mib)
            )),
            one,
        ),
        (
            "numbers in configuration",
            "create_model",
            model(format!(r#""configuration":{{"a":[{}]}}"#, repeated("0", 2 * mib))),
            "expected at most 1048576",
        ),
        ("an unknown one", "get_model", format!(r#"{{"x":"{text}"}}"#), one),
    ]
}

#[tokio::test]
async fn arguments_are_refused_by_size_before_they_are_built() {
    let stub = Stub::start().await;
    for (label, tool, arguments, expected) in large_arguments() {
        let mut mcp = Session::open(&Launch::against(&stub.url())).await;
        let mut rpc = Session::start(&Launch::against(&stub.url()).flag("rpc"));
        let message = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
        );
        mcp.send_raw(format!("{message}\n").as_bytes()).await;
        let response = mcp.next().await;
        let over_mcp = mcp.expect_error(&response);
        let message =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{tool}","params":{arguments}}}"#);
        rpc.send_raw(format!("{message}\n").as_bytes()).await;
        let over_rpc = rpc.next().await["error"]["data"].clone();
        for (error, session) in [(over_mcp, &mcp), (over_rpc, &rpc)] {
            assert_eq!(error["code"], "invalid_argument", "{label}: {error}");
            assert_eq!(error["outcome"], "not_sent", "{label}: {error}");
            let text = error["message"].as_str().unwrap().replace("params:", "arguments:");
            assert!(text.contains(expected), "{label}: {error}");
            let peak = session.peak_memory_kib();
            assert!(peak < 150 * MEBIBYTE, "{label}: {peak} KiB");
        }
    }
    assert_eq!(stub.lines().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_long_query_is_sent() {
    let stub = Stub::start().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let query = format!("SELECT '{}'", "x".repeat(2 << 20));
    let arguments = json!({"connection_id": UNKNOWN_ID, "configuration": {"query": query}});
    session.call_err("preview_model", arguments).await;
    let sent: Value = stub.requests().await[0].body_json().unwrap();
    assert_eq!(sent["configuration"]["query"], query);
}

#[tokio::test]
async fn long_texts_in_the_configuration_of_an_enricher_are_sent() {
    let stub = Stub::start().await;
    let text = "é\n\"".repeat(1 << 18);
    let enricher = json!({"connection_id": UNKNOWN_ID, "configuration": {"query": text, "deep": [{"a": text}]}});
    for passed in [enricher.clone(), json!(enricher.to_string())] {
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let arguments = json!({"connection_id": UNKNOWN_ID, "name": "a", "configuration": {}, "enricher": passed});
        let error = session.call_err("create_model", arguments).await;
        assert_eq!(error["code"], "not_found", "{error}");
        let sent: Value = stub.requests().await.last().unwrap().body_json().unwrap();
        assert_eq!(sent["enricher"], enricher);
    }
}

#[tokio::test]
async fn a_batch_of_any_length_takes_little_memory() {
    let mut session = Session::start(&Launch::bare().flag("rpc"));
    let batch = format!("[{}0]\n", "0,".repeat(15_000_000));
    session.send_raw(batch.as_bytes()).await;
    assert_eq!(session.next().await["error"]["code"], -32600);
    let peak = session.peak_memory_kib();
    assert!(peak < 150 * MEBIBYTE, "{peak} KiB");
}

#[tokio::test]
async fn a_long_id_is_refused() {
    let id = |bytes: usize| "x".repeat(bytes - 2);
    for (launch, method) in [(Launch::bare(), "ping"), (Launch::bare().flag("rpc"), "get_identity")]
    {
        let mut session = Session::start(&launch);
        for (bytes, is_id) in [(64 << 10, true), ((64 << 10) + 1, false)] {
            let id = id(bytes);
            session.send(json!({"jsonrpc": "2.0", "id": id, "method": method})).await;
            let response = session.next().await;
            assert_eq!(response["id"] == id, is_id, "{method} {bytes}");
            assert_eq!(response["error"]["code"] == -32600, !is_id, "{method} {bytes}");
        }
    }
}
