//! Calls that end early: cancelled, dropped, killed.

use serde_json::{Value, json};

use super::Log;
use crate::support::{Fault, FaultyServer, Launch, Server, Session, definition, wait_until};

/// An API that never responds, and a session with a create that waits for it.
async fn hanging(log: &Log) -> (FaultyServer, Session, i64) {
    let api = FaultyServer::start(vec![Fault::Hang]).await;
    let mut session = Session::open(&log.of(Launch::against(&api.url))).await;
    let id = session.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    (api, session, id)
}

#[track_caller]
fn assert_unknown(end: &Value, api: &FaultyServer) {
    assert_eq!((&end["outcome"], &end["error_code"]), (&json!("unknown"), &json!("cancelled")));
    assert_eq!(end["idempotency_key"], json!(api.received()[0].key));
}

#[tokio::test]
async fn a_cancelled_call_has_an_unknown_outcome() {
    let log = Log::new();
    let (api, mut session, id) = hanging(&log).await;
    assert_eq!(log.lines().len(), 1, "the line before the request");
    session.cancel(id).await;
    assert_unknown(&log.end().await, &api);
    session.close().await;
    assert_eq!(log.lines().len(), 2);
}

#[tokio::test]
async fn a_call_whose_connection_is_dropped_has_an_unknown_outcome() {
    let log = Log::new();
    let api = FaultyServer::start(vec![Fault::Hang]).await;
    let server = Server::start(log.of(Launch::against(&api.url))).await;
    let message =
        json!({"jsonrpc": "2.0", "id": 1, "method": "create_model", "params": definition()});
    let request = tokio::spawn(server.post(message.to_string()).send());
    api.wait_for_requests(1).await;
    request.abort();
    assert_unknown(&log.end().await, &api);
}

#[tokio::test]
async fn a_call_that_a_signal_ends_has_its_line_before_the_process_ends() {
    let log = Log::new();
    let (api, mut session, _) = hanging(&log).await;
    session.signal("-TERM");
    assert_eq!(session.exit_status().await, Some(0));
    let ends = log.events("finished");
    assert_eq!(ends.len(), 1, "{:?}", log.lines());
    assert_eq!(ends[0]["outcome"], "unknown");
    assert_eq!(ends[0]["idempotency_key"], json!(api.received()[0].key));
}

#[tokio::test]
async fn a_killed_process_leaves_the_line_before_the_request() {
    let log = Log::new();
    let (api, mut session, _) = hanging(&log).await;
    session.signal("-KILL");
    session.exit_status().await;
    let lines = log.lines();
    assert_eq!((lines.len(), &lines[0]["event"]), (1, &json!("started")));
    assert_eq!(lines[0]["idempotency_key"], json!(api.received()[0].key));
    let launch = Launch::bare().flag("audit").flag(log.path());
    let (status, stdout, stderr) = launch.output().await;
    let row = stdout.lines().nth(1).unwrap();
    assert_eq!((status, stderr.as_str()), (0, ""));
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[1..3], ["create_model", "unknown"], "{stdout}");
}

#[tokio::test]
async fn a_call_that_waits_for_the_log_does_not_delay_others() {
    let log = Log::new();
    let mut session = Session::open(&log.of(Launch::sandbox())).await;
    // As a process does that was stopped while it wrote.
    let file = std::fs::File::open(log.path()).unwrap();
    file.lock().unwrap();
    let id = session.start_call("create_model", definition()).await;
    let read = session.call("list_models", json!({})).await;
    assert_eq!(read["models"], json!([]), "nothing was sent");
    file.unlock().unwrap();
    let response = session.next().await;
    assert_eq!(response["id"], id);
    session.expect_result("create_model", &response);
    wait_until("both lines", async || log.lines().len() == 2).await;
}
