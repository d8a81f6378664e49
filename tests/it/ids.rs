//! Ids: every string and number comes back exactly as it was sent, on every transport.

use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::{Launch, Server, Session, Stub, UNKNOWN_ID, next_text, send_text};

/// Ids of which no two are equal, as a JSON library may write them.
const IDS: [&str; 21] = [
    "0",
    "-0",
    "1",
    "1.0",
    "-1",
    "1.5",
    "1e3",
    "1E+3",
    "-2.50e-10",
    "1e999",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551616",
    "123456789012345678901234567890.123456789",
    r#""""#,
    r#""1""#,
    r#""null""#,
    r#""\u0061\/\n""#,
    r#""é \ud83d\ude00 😀""#,
    r#""half a pair \ud83d""#,
    r#""{\"id\":1}""#,
];
const NO_IDS: [&str; 4] = ["{}", "[1]", "true", "false"];

fn request(id: &str, method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#)
}

/// Asserts that a message is a response to `id`, with `member`.
fn expect_response(response: &str, id: &str, member: &str) {
    let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"{member}":"#);
    assert!(response.starts_with(&expected), "{id}: {response}");
    serde_json::from_str::<&RawValue>(response).unwrap();
}

/// Requests with a result, with an error, and without a version, which are all responded to with their id.
fn requests(id: &str, method: &str) -> [(String, &'static str); 3] {
    let no_version = format!(r#"{{"id":{id},"method":"{method}"}}"#);
    [(request(id, method), "result"), (request(id, "nothing"), "error"), (no_version, "error")]
}

/// A batch of them, and what is responded to each.
fn batch() -> (String, Vec<(&'static str, &'static str)>) {
    let of = |id| requests(id, "list_models").map(|(request, member)| (request, (id, member)));
    let (requests, expected): (Vec<String>, _) = IDS.into_iter().flat_map(of).unzip();
    (format!("[{}]", requests.join(",")), expected)
}

fn expect_batch(response: &str, expected: &[(&str, &str)]) {
    let responses: Vec<&RawValue> = serde_json::from_str(response).unwrap();
    assert_eq!(responses.len(), expected.len());
    for (response, (id, member)) in responses.into_iter().zip(expected) {
        expect_response(response.get(), id, member);
    }
}

#[tokio::test]
async fn mcp_repeats_an_id_as_it_was_sent() {
    let mut session = Session::start(&Launch::bare());
    for id in IDS {
        for (request, member) in requests(id, "ping") {
            session.send_raw(format!("{request}\n").as_bytes()).await;
            expect_response(&session.next_line().await, id, member);
        }
    }
    for id in NO_IDS.into_iter().chain(["null"]) {
        let response = session.exchange(format!("{}\n", request(id, "ping")).as_bytes()).await;
        assert_eq!(
            (&response["error"]["code"], response.get("id")),
            (&json!(-32600), None),
            "{id}"
        );
    }
}

#[tokio::test]
async fn json_rpc_repeats_an_id_as_it_was_sent() {
    let mut session = Session::start(&Launch::sandbox().flag("rpc"));
    let server = Server::start(Launch::sandbox()).await;
    let mut socket = server.websocket();
    for id in IDS.into_iter().chain(["null"]) {
        for (request, member) in requests(id, "list_models") {
            session.send_raw(format!("{request}\n").as_bytes()).await;
            expect_response(&session.next_line().await, id, member);
            let response = server.post(request.clone()).send().await.unwrap();
            expect_response(&response.text().await.unwrap(), id, member);
            send_text(&mut socket, &request);
            expect_response(&next_text(&mut socket), id, member);
        }
    }
    let (requests, expected) = batch();
    session.send_raw(format!("{requests}\n").as_bytes()).await;
    expect_batch(&session.next_line().await, &expected);
    let response = server.post(requests.clone()).send().await.unwrap();
    expect_batch(&response.text().await.unwrap(), &expected);
    send_text(&mut socket, &requests);
    expect_batch(&next_text(&mut socket), &expected);
    for id in NO_IDS {
        let request = request(id, "list_models");
        session.send_raw(format!("{request}\n").as_bytes()).await;
        let responses = [
            session.next_line().await,
            server.post(request.clone()).send().await.unwrap().text().await.unwrap(),
            {
                send_text(&mut socket, &request);
                next_text(&mut socket)
            },
        ];
        for response in responses {
            expect_response(&response, "null", "error");
            assert!(response.contains("-32600"), "{response}");
        }
    }
}

fn call(id: &str) -> String {
    let params = json!({"name": "get_model", "arguments": {"model_id": UNKNOWN_ID}});
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#)
}

fn cancellation(id: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"reason":"x"}}}}"#
    )
}

#[tokio::test]
async fn a_call_is_cancelled_by_its_id_in_every_form() {
    let stub = Stub::slow(Duration::from_secs(20)).await;
    let launch = Launch::against(&stub.url()).variable("POLYTOMIC_MAX_IN_FLIGHT", "64");
    let mut session = Session::open(&launch).await;
    for id in IDS {
        session.send_raw(format!("{}\n", call(id)).as_bytes()).await;
    }
    // All are different requests.
    stub.wait_for_requests(IDS.len()).await;
    for id in IDS {
        session.send_raw(format!("{}\n", call(id)).as_bytes()).await;
        let response = session.next_line().await;
        expect_response(&response, id, "error");
        assert!(response.contains("still in flight"), "{response}");
    }
    for id in IDS {
        session.send_raw(format!("{}\n", cancellation(id)).as_bytes()).await;
    }
    session.expect_silence().await;
    let ended = session.close().await;
    assert_eq!((ended.status, ended.rest), (Some(0), Vec::<Value>::new()));
}

#[tokio::test]
async fn a_number_of_the_same_value_is_another_id() {
    let stub = Stub::slow(Duration::from_millis(500)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    session.send_raw(format!("{}\n", call("1")).as_bytes()).await;
    stub.wait_for_requests(1).await;
    for other in ["1.0", "1e0", "\"1\"", "null", "{}"] {
        session.send_raw(format!("{}\n", cancellation(other)).as_bytes()).await;
    }
    expect_response(&session.next_line().await, "1", "result");
}
