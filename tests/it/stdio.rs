//! The stream: every odd line, many calls, cancelling, the end of the input, signals.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID};

fn get() -> Value {
    json!({"model_id": UNKNOWN_ID})
}

#[tokio::test]
async fn an_invalid_line_gets_an_error_and_reading_continues() {
    let mut session = Session::open(&Launch::bare()).await;
    for (label, line, code, id) in [
        ("no JSON", &b"{nope\n"[..], -32700, None),
        ("no UTF-8", b"\xff\xfe\n", -32700, None),
        ("half a surrogate", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\\ud800\"}\n", -32600, Some(json!(1))),
        ("two values", b"{} {}\n", -32700, None),
        ("batch", b"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]\n", -32600, None),
        ("empty batch", b"[]\n", -32600, None),
        ("scalar", b"5\n", -32600, None),
        ("null", b"null\n", -32600, None),
        ("text", b"\"ping\"\n", -32600, None),
        ("empty object", b"{}\n", -32600, None),
        ("wrong version", b"{\"jsonrpc\":\"1.0\",\"id\":7,\"method\":\"ping\"}\n", -32600, Some(json!(7))),
        ("no version", b"{\"id\":\"x\",\"method\":\"ping\"}\n", -32600, Some(json!("x"))),
        ("version a number", b"{\"jsonrpc\":2.0,\"id\":8,\"method\":\"ping\"}\n", -32600, Some(json!(8))),
        ("id an object", b"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}\n", -32600, None),
        ("id null", b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}\n", -32600, None),
        ("id a truth", b"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"ping\"}\n", -32600, None),
        ("method a number", b"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":5}\n", -32600, Some(json!("a"))),
        ("no method", b"{\"jsonrpc\":\"2.0\",\"id\":3}\n", -32600, Some(json!(3))),
        ("call without name", b"{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{}}\n", -32602, Some(json!(4))),
        ("call without params", b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\"}\n", -32602, Some(json!(5))),
        ("params a list", b"{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"tools/call\",\"params\":[1]}\n", -32602, Some(json!(6))),
        (
            "arguments a list",
            b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"get_model\",\"arguments\":[1]}}\n",
            -32602,
            Some(json!(7)),
        ),
        (
            "unknown tool",
            b"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"tools/call\",\"params\":{\"name\":\"get_modell\"}}\n",
            -32602,
            Some(json!(8)),
        ),
        ("initialize without a version", b"{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"initialize\",\"params\":{\"capabilities\":{}}}\n", -32602, Some(json!(9))),
        ("unknown method", b"{\"jsonrpc\":\"2.0\",\"id\":10,\"method\":\"models/get\"}\n", -32601, Some(json!(10))),
        ("a method of nobody's", b"{\"jsonrpc\":\"2.0\",\"id\":11,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"x\"}}\n", -32601, Some(json!(11))),
        ("ping with a list", b"{\"jsonrpc\":\"2.0\",\"id\":13,\"method\":\"ping\",\"params\":[1]}\n", -32602, Some(json!(13))),
        ("an unknown method with a list", b"{\"jsonrpc\":\"2.0\",\"id\":14,\"method\":\"models/get\",\"params\":[1]}\n", -32601, Some(json!(14))),
        ("meta a number", b"{\"jsonrpc\":\"2.0\",\"id\":12,\"method\":\"tools/list\",\"params\":{\"_meta\":5}}\n", -32602, Some(json!(12))),
    ] {
        let response = session.exchange(line).await;
        assert_eq!(response["error"]["code"], code, "{label}: {response}");
        assert_eq!(response.get("id").cloned(), id, "{label}: {response}");
        let message = response["error"]["message"].as_str().unwrap();
        assert!(message.len() > 15 && message.contains(' '), "{label}: no sentence: {message}");
    }
    let response = session.exchange(b"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"tools/call\",\"params\":{\"name\":\"get_modell\"}}\n").await;
    assert!(response["error"]["message"].as_str().unwrap().contains("\"get_model\""), "{response}");
}

#[tokio::test]
async fn a_message_that_is_not_a_request_gets_no_response() {
    let mut session = Session::start(&Launch::bare());
    for line in [
        &b"\n"[..],
        b"  \r\n",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/unheard_of\",\"params\":{}}\n",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"tools/list\"}\n",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}\n",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"nobody\"}}\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":1,\"message\":\"x\"}}\n",
        b"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"x\"}}\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"x\"}}\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"odd\"}\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":5}\n",
    ] {
        session.send_raw(line).await;
    }
    session.expect_silence().await;
    session.initialize("2025-11-25").await;
}

#[tokio::test]
async fn a_valid_initialize_works_after_an_invalid_one() {
    let mut session = Session::start(&Launch::bare());
    let bad = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}\n";
    assert_eq!(session.exchange(bad).await["error"]["code"], -32602);
    let result = session.initialize("2025-06-18").await;
    assert_eq!(result["protocolVersion"], "2025-06-18");
}

#[tokio::test]
async fn a_line_over_the_limit_is_rejected_and_reading_continues() {
    let launch = Launch::bare().flag("--max-line-bytes").flag("100000");
    let mut session = Session::open(&launch).await;
    let long = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{}\"}}\n", "x".repeat(3 << 20));
    let response = session.exchange(long.as_bytes()).await;
    assert_eq!(response["error"]["code"], -32600, "{response}");
    assert!(response["error"]["message"].as_str().unwrap().contains("100000"), "{response}");
    session.expect_silence().await;
}

#[tokio::test]
async fn deep_nesting_and_long_names_get_a_response() {
    let mut session = Session::open(&Launch::bare()).await;
    let response = session.exchange(format!("{}\n", "[".repeat(200_000)).as_bytes()).await;
    assert_eq!(response["error"]["code"], -32700, "{response}");
    let deep = format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    let line = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"get_model\",\"arguments\":{deep}}}}}\n"
    );
    let response = session.exchange(line.as_bytes()).await;
    assert_eq!(response["error"]["code"], -32602, "{response}");
    let long = "x".repeat(1 << 20);
    let error = session.call_err("get_model", json!({long.as_str(): 1})).await;
    assert!(error["message"].as_str().unwrap().len() < 400, "the name is echoed whole");
    for params in [json!({}), json!([1]), json!(long)] {
        let response = session.request(&long, params).await;
        assert!(response.to_string().len() < 600, "the method is echoed whole");
    }
    let response = session.request("tools/call", json!({"name": "x", "arguments": long})).await;
    assert!(response.to_string().len() < 600, "the arguments are echoed whole");
}

#[tokio::test]
async fn two_requests_with_one_id_get_a_response_each_and_the_second_is_rejected() {
    let stub = Stub::slow(Duration::from_millis(500)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let id = session.start_call("get_model", get()).await;
    session.send(json!({"jsonrpc": "2.0", "id": id, "method": "ping"})).await;
    let rejected = session.next().await;
    assert_eq!((&rejected["id"], &rejected["error"]["code"]), (&json!(id), &json!(-32600)));
    let response = session.next().await;
    assert_eq!(response["id"], id);
    session.expect_result("get_model", &response);
    // The id is free again after the response.
    session.send(json!({"jsonrpc": "2.0", "id": id, "method": "ping"})).await;
    assert_eq!(session.next().await["result"], json!({}));
}

#[tokio::test]
async fn a_cancelled_call_gets_no_response_and_its_request_is_dropped() {
    let stub = Stub::slow(Duration::from_secs(20)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let id = session
        .start_call(
            "create_model",
            json!({
                "connection_id": CONNECTION, "name": "a", "configuration": {"table": "users"},
            }),
        )
        .await;
    stub.wait_for_requests(1).await;
    let started = Instant::now();
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
    session.send(cancel).await;
    session.expect_silence().await;
    // Exit, so that the id is free and the end of the input is not held up.
    session.send(json!({"jsonrpc": "2.0", "id": id, "method": "ping"})).await;
    assert_eq!(session.next().await["id"], id);
    let ended = session.close().await;
    assert_eq!((ended.status, ended.rest), (Some(0), vec![]));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn every_request_gets_its_response_before_the_server_exits() {
    let stub = Stub::slow(Duration::from_millis(300)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let mut requested = Vec::new();
    for _ in 0..50 {
        requested.push(json!(session.start_call("get_model", get()).await));
    }
    // The last line has no newline.
    session.send_raw(b"{\"jsonrpc\":\"2.0\",\"id\":\"last\",\"method\":\"ping\"}").await;
    requested.push(json!("last"));
    let ended = session.close().await;
    let mut responded: Vec<Value> = ended.rest.iter().map(|m| m["id"].clone()).collect();
    responded.sort_by_key(|id| requested.iter().position(|a| a == id));
    assert_eq!(responded, requested);
    assert_eq!(ended.status, Some(0));
}

#[tokio::test]
async fn calls_that_exceed_the_grace_period_are_dropped() {
    let stub = Stub::slow(Duration::from_secs(20)).await;
    let launch = Launch::against(&stub.url()).variable("POLYTOMIC_DRAIN_SECONDS", "1");
    let mut session = Session::open(&launch).await;
    session.start_call("get_model", get()).await;
    let started = Instant::now();
    let ended = session.close().await;
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let took = started.elapsed();
    assert!((Duration::from_millis(400)..Duration::from_secs(5)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_signal_drops_reads_and_lets_writes_finish() {
    for signal in ["-TERM", "-INT"] {
        let stub = Stub::slow(Duration::from_millis(700)).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let read = session.start_call("get_model", get()).await;
        let write = session
            .start_call(
                "create_model",
                json!({
                    "connection_id": CONNECTION, "name": "a", "configuration": {"table": "users"},
                }),
            )
            .await;
        stub.wait_for_requests(2).await;
        let started = Instant::now();
        session.signal(signal);
        let ended = session.wait().await;
        assert!(started.elapsed() < Duration::from_secs(10), "{signal}: {:?}", started.elapsed());
        assert_eq!(ended.status, Some(0), "{signal}: {}", ended.stderr);
        let of = |id: i64| ended.rest.iter().find(|message| message["id"] == id);
        assert_eq!(
            of(write).map(|m| m["result"]["isError"] == json!(false)),
            Some(true),
            "{ended:?}"
        );
        assert!(of(read).is_none_or(|m| m["result"]["isError"] == json!(true)), "{ended:?}");
    }
}

#[tokio::test]
async fn an_idle_server_ends_at_once_on_a_signal() {
    let mut session = Session::open(&Launch::sandbox()).await;
    let started = Instant::now();
    session.signal("-TERM");
    assert_eq!(session.wait().await.status, Some(0));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn many_calls_of_a_client_that_does_not_read_all_get_a_response() {
    let stub = Stub::slow(Duration::ZERO).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    // As many as may be in flight.
    let (first, count) = (100_000, 1_000);
    let mut lines = Vec::new();
    for n in 0..count {
        let params = json!({"name": "get_model", "arguments": get()});
        let call =
            json!({"jsonrpc": "2.0", "id": first + n, "method": "tools/call", "params": params});
        lines.extend_from_slice(format!("{call}\n").as_bytes());
    }
    // Sent whole before anything is read: neither side may block for good, so it goes in the background.
    let mut input = session.take_input();
    let sender = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        input.write_all(&lines).await.unwrap();
        input
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut responded = vec![false; count];
    for _ in 0..count {
        let response = session.next().await;
        assert!(response["result"]["structuredContent"]["model"].is_object(), "{response}");
        let n = usize::try_from(response["id"].as_u64().unwrap()).unwrap() - first;
        assert!(!std::mem::replace(&mut responded[n], true), "two responses for {n}");
    }
    session.put_input(sender.await.unwrap());
    assert_eq!(session.close().await.rest, Vec::<Value>::new());
}

#[tokio::test]
async fn reading_pauses_while_the_client_does_not_read_and_the_end_is_still_noticed() {
    let stub = Stub::start().await;
    let wide = json!({"data": {"id": UNKNOWN_ID, "name": "x".repeat(500_000)}});
    stub.json("GET", MODEL, 200, wide).await;
    let launch = Launch::against(&stub.url())
        .variable("POLYTOMIC_DRAIN_SECONDS", "2")
        .variable("POLYTOMIC_MAX_BYTES", "2000000");
    let mut session = Session::open(&launch).await;
    for _ in 0..400 {
        session.start_call("get_model", get()).await;
    }
    // Until it has stopped taking more.
    let called = stub.wait_until_steady().await;
    assert!(called < 300, "{called} of 400 were called for a client that does not read");
    let peak = session.peak_memory_kib();
    assert!(peak < 200 << 10, "{peak} KiB");
    // The input ends, and what nobody reads is given up when the time to drain is over.
    drop(session.take_input());
    let started = Instant::now();
    let status = session.exit_status().await;
    assert_eq!(status, Some(0));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_server_exits_quietly_when_the_client_is_gone() {
    let stub = Stub::slow(Duration::from_millis(50)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    session.close_output();
    session.start_call("get_model", get()).await;
    let ended = session.wait().await;
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn files_and_sockets_work_as_streams() {
    use std::process::Stdio;
    let directory = tempfile::tempdir().unwrap();
    let (input, output) = (directory.path().join("in"), directory.path().join("out"));
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
    }});
    std::fs::write(&input, format!("{initialize}\n")).unwrap();
    let status = Launch::bare()
        .command()
        .stdin(std::fs::File::open(&input).unwrap())
        .stdout(std::fs::File::create(&output).unwrap())
        .stderr(Stdio::null())
        .status()
        .await
        .unwrap();
    assert_eq!(status.code(), Some(0));
    let response: Value = serde_json::from_str(&std::fs::read_to_string(&output).unwrap()).unwrap();
    assert_eq!(response["result"]["serverInfo"]["name"], "polytomic-mcp");

    // Node starts servers over sockets.
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let stdin = std::os::fd::OwnedFd::from(theirs.try_clone().unwrap());
    let mut child = Launch::bare()
        .command()
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let response = tokio::task::spawn_blocking(move || {
        use std::io::{BufRead, Write};
        (&ours).write_all(format!("{initialize}\n").as_bytes()).unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let mut line = String::new();
        std::io::BufReader::new(&ours).read_line(&mut line).unwrap();
        line
    });
    assert!(response.await.unwrap().contains("serverInfo"));
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}
