//! JSON-RPC over WebSocket.

use std::io::{Read, Write};
use std::time::Duration;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::rpc::codes;
use crate::support::{
    Launch, MODEL, Server, Stub, UNKNOWN_ID, next_frame, next_message, send_text,
};

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
    let called = stub.wait_until_steady().await;
    // Permits, queued responses, and the buffers of the socket itself.
    assert!(called < 600, "{called} of 1000 were called for a client that does not read");
    let ids =
        move || (0..1_000).map(|_| next_message(&mut socket)["id"].as_u64().unwrap()).collect();
    let mut ids: Vec<u64> = tokio::task::spawn_blocking(ids).await.unwrap();
    ids.sort_unstable();
    assert_eq!(ids, (0..1_000).collect::<Vec<u64>>(), "each gets one response");
}
