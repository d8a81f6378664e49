//! A state that cannot be reached, or not any more: servers go on with their memory, unless it is required.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;

use super::{keys, required, stub, success, unreachable};
use crate::support::{
    ClosedPort, Fault, FaultyServer, Launch, MODEL, Redis, Session, UNKNOWN_ID, definition,
};

/// A call may wait for the state, but not longer.
const A_FEW_SECONDS: Duration = Duration::from_secs(6);

const WARNING: &str = "the shared state at redis://";

#[tokio::test]
async fn when_redis_dies_a_server_goes_on_with_its_memory() {
    let Some(mut redis) = Redis::start() else { return };
    let api = FaultyServer::start(vec![Fault::Hang, Fault::Page(401), success()]).await;
    let mut session = Session::open(&redis.launch_against(&api.url)).await;
    let id = session.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    redis.kill();
    session.cancel(id).await;
    api.wait_for_disconnects(1).await;
    session.call_err("create_model", definition()).await;
    session.call("create_model", definition()).await;
    session.call("create_model", definition()).await;
    let received = keys(&api);
    assert!(received[0] == received[1] && received[1] == received[2], "{received:?}");
    assert_ne!(received[2], received[3]);
    // Redis is back, with nothing in it.
    redis.restart();
    let api_of_other = FaultyServer::start(vec![Fault::Page(401)]).await;
    let mut other = Session::open(&redis.launch_against(&api_of_other.url)).await;
    other.call_err("create_model", definition()).await;
    session.call("create_model", definition()).await;
    assert!(redis.content().contains(":lease:"), "it is used again: {}", redis.content());
    let stderr = session.close().await.stderr;
    assert_eq!(stderr.matches(WARNING).count(), 1, "{stderr}");
    assert!(stderr.contains(&redis.address()) && stderr.contains("POLYTOMIC_STATE"), "{stderr}");
}

#[tokio::test]
async fn with_state_required_nothing_is_written_without_redis() {
    let Some(mut redis) = Redis::start() else { return };
    let api = stub().await;
    let mut session = Session::open(&required(redis.launch_against(&api.url()))).await;
    session.call("create_model", definition()).await;
    redis.kill();
    let before = api.lines().await.len();
    for (tool, arguments) in [
        ("create_model", definition()),
        ("update_model", json!({"model_id": UNKNOWN_ID, "name": "A"})),
        ("delete_model", json!({"model_id": UNKNOWN_ID})),
    ] {
        let error = session.call_err(tool, arguments).await;
        unreachable(&error, &redis.address());
    }
    let mut with_key = definition();
    with_key["idempotency_key"] = json!("my-key-12345");
    unreachable(&session.call_err("create_model", with_key).await, &redis.address());
    let sent = api.lines().await.split_off(before);
    assert!(sent.iter().all(|line| line.starts_with("GET ")), "{sent:?}");
    session.call("get_model", json!({"model_id": UNKNOWN_ID})).await;
    session
        .call("update_model", json!({"model_id": UNKNOWN_ID, "name": "A", "dry_run": true}))
        .await;
    redis.restart();
    session.call("create_model", definition()).await;
    session.call("delete_model", json!({"model_id": UNKNOWN_ID})).await;
    let stderr = session.close().await.stderr;
    assert_eq!(stderr.matches("Writes fail").count(), 1, "{stderr}");
}

#[tokio::test]
async fn with_state_required_nothing_is_written_without_the_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().join("state");
    let api = stub().await;
    let launch = Launch::against(&api.url()).variable("POLYTOMIC_STATE", path.to_str().unwrap());
    let mut session = Session::open(&required(launch)).await;
    for (tool, arguments) in [
        ("create_model", definition()),
        ("update_model", json!({"model_id": UNKNOWN_ID, "name": "A"})),
        ("delete_model", json!({"model_id": UNKNOWN_ID})),
    ] {
        unreachable(&session.call_err(tool, arguments).await, path.to_str().unwrap());
    }
    let sent = api.lines().await;
    assert!(sent.iter().all(|line| line.starts_with("GET ")), "{sent:?}");
    session.call("get_model", json!({"model_id": UNKNOWN_ID})).await;
    let stderr = session.close().await.stderr;
    assert_eq!(stderr.matches("--state-required").count(), 1, "{stderr}");
    // With a directory that can be written, all goes on, and nothing is left in it.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let launch = Launch::against(&api.url()).variable("POLYTOMIC_STATE", path.to_str().unwrap());
    let mut session = Session::open(&required(launch)).await;
    session.call("delete_model", json!({"model_id": UNKNOWN_ID})).await;
    assert_eq!(std::fs::read_dir(path).unwrap().count(), 0);
}

#[tokio::test]
async fn a_redis_that_is_never_there_costs_no_call_its_time() {
    let port = ClosedPort::new();
    let api = stub().await;
    let url = format!("redis://:redis-key-4711@{}", port.address());
    let mut session =
        Session::open(&Launch::against(&api.url()).variable("POLYTOMIC_STATE", &url)).await;
    let started = Instant::now();
    session.call("create_model", definition()).await;
    session.call("create_model", definition()).await;
    assert!(started.elapsed() < A_FEW_SECONDS, "{:?}", started.elapsed());
    let stderr = session.close().await.stderr;
    assert_eq!(stderr.matches(WARNING).count(), 1, "{stderr}");
}

#[tokio::test]
async fn a_redis_that_hangs_holds_no_call_up() {
    let api = stub().await;
    // It accepts, and never responds.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let launch = Launch::against(&api.url()).variable("POLYTOMIC_STATE", &url);
    let mut session = Session::open(&launch).await;
    let started = Instant::now();
    session.call("create_model", definition()).await;
    assert!(started.elapsed() < A_FEW_SECONDS, "{:?}", started.elapsed());
    let mut session = Session::open(&required(launch)).await;
    let started = Instant::now();
    let error = session.call_err("create_model", definition()).await;
    unreachable(&error, &url);
    assert!(started.elapsed() < A_FEW_SECONDS, "{:?}", started.elapsed());
    let started = Instant::now();
    session.call("get_model", json!({"model_id": UNKNOWN_ID})).await;
    assert!(started.elapsed() < Duration::from_secs(1), "a read waits for nothing");
    session.close().await;
}

#[tokio::test]
async fn a_redis_that_stops_in_the_middle_holds_no_call_up() {
    let Some(redis) = Redis::start() else { return };
    let api = stub().await;
    let launch = required(redis.launch_against(&api.url()));
    let mut session = Session::open(&launch).await;
    session.call("create_model", definition()).await;
    redis.signal("-STOP");
    let started = Instant::now();
    unreachable(&session.call_err("create_model", definition()).await, &redis.address());
    assert!(started.elapsed() < A_FEW_SECONDS, "{:?}", started.elapsed());
    redis.signal("-CONT");
    crate::support::wait_until("a write that succeeds", async || {
        let mut session = Session::open(&launch).await;
        let params = json!({"name": "delete_model", "arguments": {"model_id": UNKNOWN_ID}});
        let response = session.request("tools/call", params).await;
        response["result"]["isError"] != json!(true)
    })
    .await;
    // The same process uses it again as well, over a new connection.
    tokio::time::sleep(Duration::from_secs(1)).await;
    session.call("create_model", definition()).await;
    assert!(api.lines().await.contains(&format!("DELETE {MODEL}")));
}

#[tokio::test]
async fn a_lost_subscription_is_made_again_and_its_keys_stay_in_use() {
    let Some(redis) = Redis::start() else { return };
    let api = FaultyServer::start(vec![Fault::Hang, Fault::Hang, success()]).await;
    let mut first = Session::open(&redis.launch_against(&api.url)).await;
    first.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    let subscriptions = || redis.command(&["PUBSUB", "CHANNELS", "polytomic-mcp:owner:*"]);
    let before = subscriptions();
    assert!(before.contains("owner:"), "{before}");
    redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    redis.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    crate::support::wait_until("the subscription", async || subscriptions() == before).await;
    let mut second = Session::open(&redis.launch_against(&api.url)).await;
    second.start_call("create_model", definition()).await;
    api.wait_for_requests(2).await;
    let keys = keys(&api);
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn with_own_only_a_model_is_not_called_foreign_while_redis_is_away() {
    let Some(mut redis) = Redis::start() else { return };
    let api = stub().await;
    let launch = redis.launch_against(&api.url()).variable("POLYTOMIC_OWN_ONLY", "1");
    let mut session = Session::open(&launch).await;
    session.call("create_model", definition()).await;
    redis.kill();
    let error = session.call_err("delete_model", json!({"model_id": UNKNOWN_ID})).await;
    unreachable(&error, &redis.address());
    // What is created now is known to this process alone.
    session.call("create_model", definition()).await;
    session.call("delete_model", json!({"model_id": UNKNOWN_ID})).await;
}
