//! State that several servers share over a real Redis: two processes with nothing else in common.

mod confirmations;
mod outages;
mod settings;
mod stress;

use std::time::{Duration, Instant};

use polytomic_mcp::state::{QuestionStore, SharedState, StateUrl, cancel_name};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{
    Fault, FaultyServer, KEY, Launch, MODEL, Redis, Session, Stub, UNKNOWN_ID, definition,
    wait_until,
};

/// A response that creates the model [`UNKNOWN_ID`].
fn success() -> Fault {
    Fault::Response(200, "", json!({"data": {"id": UNKNOWN_ID, "name": "Users", "version": 1}}))
}

fn keys(api: &FaultyServer) -> Vec<String> {
    api.received().into_iter().map(|request| request.key.expect("a POST has a key")).collect()
}

/// The state of one more process.
fn state(redis: &Redis) -> SharedState {
    SharedState::new(StateUrl::parse(&redis.url()).unwrap(), false, None).unwrap()
}

#[tokio::test]
async fn the_key_of_a_killed_process_is_used_by_another_one_at_once() {
    let Some(redis) = Redis::start() else { return };
    let api = FaultyServer::start(vec![Fault::Hang, Fault::Hang, success()]).await;
    for killed in 1..=2 {
        let mut session = Session::open(&redis.launch_against(&api.url)).await;
        session.start_call("create_model", definition()).await;
        api.wait_for_requests(killed).await;
        session.kill().await;
    }
    let mut session = Session::open(&redis.launch_against(&api.url)).await;
    session.call("create_model", definition()).await;
    // The outcome is known now, so that these are other models, at once and in another process.
    session.call("create_model", definition()).await;
    let mut other = Session::open(&redis.launch_against(&api.url)).await;
    other.call("create_model", definition()).await;
    let keys = keys(&api);
    assert!(keys[0] == keys[1] && keys[0] == keys[2], "{keys:?}");
    assert!(keys[3] != keys[2] && keys[4] != keys[3] && keys[4] != keys[2], "{keys:?}");
    let is_empty = async || !redis.content().contains(":open:");
    wait_until("no open key", is_empty).await;
}

#[tokio::test]
async fn two_equal_calls_in_flight_have_two_keys() {
    let Some(redis) = Redis::start() else { return };
    let api = FaultyServer::start(vec![Fault::Hang, Fault::Hang, success()]).await;
    let mut first = Session::open(&redis.launch_against(&api.url)).await;
    first.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    let mut second = Session::open(&redis.launch_against(&api.url)).await;
    second.start_call("create_model", definition()).await;
    api.wait_for_requests(2).await;
    first.kill().await;
    // Only the key of the process that was killed is free.
    let mut third = Session::open(&redis.launch_against(&api.url)).await;
    third.call("create_model", definition()).await;
    third.call("create_model", definition()).await;
    let keys = keys(&api);
    assert_ne!(keys[0], keys[1]);
    assert_eq!(keys[2], keys[0]);
    assert!(keys[3] != keys[0] && keys[3] != keys[1], "{keys:?}");
}

#[tokio::test]
async fn a_call_repeated_at_another_server_has_the_key_of_the_first_one() {
    let Some(redis) = Redis::start() else { return };
    // A gateway that may have passed the request on: the outcome is unknown, and the response comes at once.
    let api = FaultyServer::start(vec![Fault::Page(401)]).await;
    let mut servers = Vec::new();
    for _ in 0..2 {
        servers.push(Session::open(&redis.launch_against(&api.url)).await);
    }
    for call in 0..40 {
        let error = servers[call % 2].call_err("create_model", definition()).await;
        assert_eq!(error["outcome"], "unknown", "{error}");
    }
    let keys = keys(&api);
    assert_eq!(keys.len(), 40);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    // The key that an error names can be passed at any server.
    let mut arguments = definition();
    arguments["idempotency_key"] = json!(keys[0]);
    servers[1].call_err("create_model", arguments).await;
    assert_eq!(api.received()[40].key.as_deref(), Some(keys[0].as_str()));
}

#[tokio::test]
async fn a_response_with_an_unknown_outcome_waits_until_others_can_have_the_key() {
    let Some(redis) = Redis::start() else { return };
    let api = Stub::start().await;
    let page = ResponseTemplate::new(401).set_delay(Duration::from_millis(200));
    api.on("POST", "/api/models", page.set_body_string("<html>gateway</html>")).await;
    let mut session = Session::open(&redis.launch_against(&api.url())).await;
    let id = session.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    let paused = Instant::now();
    redis.command(&["CLIENT", "PAUSE", "700", "WRITE"]);
    assert!(paused.elapsed() < Duration::from_millis(100), "the response may have come in between");
    assert_eq!(session.next().await["id"], id);
    assert!(paused.elapsed() > Duration::from_millis(600), "{:?}", paused.elapsed());
}

#[tokio::test]
async fn a_call_from_a_shell_leaves_no_key_behind() {
    let Some(redis) = Redis::start() else { return };
    let api = FaultyServer::start(vec![success()]).await;
    for _ in 0..2 {
        let launch = redis.launch_against(&api.url).flag("call").flag("create_model");
        let (status, _, stderr) =
            launch.flag("--json").flag(&definition().to_string()).output().await;
        assert_eq!((status, stderr.as_str()), (0, ""));
        assert!(!redis.content().contains(":open:"), "{}", redis.content());
    }
    let keys = keys(&api);
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn another_credential_has_other_keys_and_models() {
    let Some(redis) = Redis::start() else { return };
    let api = FaultyServer::start(vec![Fault::Hang, success()]).await;
    let mut killed = Session::open(&redis.launch_against(&api.url)).await;
    killed.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    killed.kill().await;
    let other = redis
        .launch_against(&api.url)
        .variable("POLYTOMIC_API_KEY", "other-key-4711")
        .variable("POLYTOMIC_OWN_ONLY", "1");
    Session::open(&other).await.call("create_model", definition()).await;
    let launch = redis.launch_against(&api.url).variable("POLYTOMIC_OWN_ONLY", "1");
    let mut session = Session::open(&launch).await;
    let arguments = json!({"model_id": UNKNOWN_ID, "name": "A"});
    let error = session.call_err("update_model", arguments).await;
    assert_eq!(error["code"], "access_denied", "{error}");
    session.call("create_model", definition()).await;
    let keys = keys(&api);
    assert!(keys[0] != keys[1] && keys[0] == keys[2], "{keys:?}");
}

#[tokio::test]
async fn a_model_that_one_server_has_created_is_changed_by_another_one() {
    let Some(redis) = Redis::start() else { return };
    let api = stub().await;
    let launch = || redis.launch_against(&api.url()).variable("POLYTOMIC_OWN_ONLY", "1");
    let mut first = Session::open(&launch()).await;
    let mut second = Session::open(&launch()).await;
    let delete = json!({"model_id": UNKNOWN_ID});
    let error = second.call_err("delete_model", delete.clone()).await;
    assert_eq!(error["code"], "access_denied", "{error}");
    first.call("create_model", definition()).await;
    first.kill().await;
    second.call("delete_model", delete).await;
}

#[tokio::test]
async fn redis_may_be_reached_over_tls() {
    let Some((redis, ca_file)) = Redis::start_with_tls() else { return };
    let api = FaultyServer::start(vec![Fault::Hang, success()]).await;
    let launch = || required(redis.launch_against(&api.url));
    let with_ca = || launch().variable("POLYTOMIC_CA_FILE", &ca_file);
    let mut killed = Session::open(&with_ca()).await;
    killed.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    killed.kill().await;
    let mut session = Session::open(&with_ca()).await;
    session.call("create_model", definition()).await;
    session.close().await;
    // As the system's: the variable of OpenSSL.
    let system = launch().variable("SSL_CERT_FILE", &ca_file);
    Session::open(&system).await.call("create_model", definition()).await;
    let keys = keys(&api);
    assert!(keys[0] == keys[1] && keys[1] != keys[2], "{keys:?}");
    let error = Session::open(&launch()).await.call_err("create_model", definition()).await;
    unreachable(&error, &redis.address());
    let cause = error["details"]["cause"].as_str().unwrap();
    assert!(cause.contains("certificate"), "{cause}");
}

/// An API with the model [`UNKNOWN_ID`], which `create_model` returns as well.
async fn stub() -> Stub {
    let stub = Stub::slow(Duration::ZERO).await;
    stub.json("GET", "/api/syncs", 200, json!({"data": []})).await;
    stub.json("DELETE", MODEL, 200, json!({})).await;
    stub
}

#[tokio::test]
async fn redis_holds_hashes_keys_and_times_and_all_of_it_expires() {
    let Some(redis) = Redis::start() else { return };
    let api = FaultyServer::start(vec![success(), Fault::Hang]).await;
    let mut session = Session::open(&redis.launch_against(&api.url)).await;
    session.call("create_model", definition()).await;
    session.start_call("create_model", definition()).await;
    api.wait_for_requests(2).await;
    let store = QuestionStore::shared(state(&redis));
    store.sealing_keys().await.unwrap().unwrap();
    store.remember("caller@example.com", [1; 12], Duration::from_secs(60), "0").await.unwrap();
    store.note("caller@example.com", false).await;
    let content = redis.content();
    for kind in ["open:", "lease:", "created:", "sealing-key", "nonce:", "silent:", "undecided:"] {
        assert!(content.contains(&format!("polytomic-mcp:{kind}")), "{kind} in {content}");
    }
    let lines = content.lines().filter(|line| line.contains("ttl="));
    for line in lines {
        assert!(line.starts_with("polytomic-mcp:") || line.starts_with('$'), "{line}");
        assert!(!line.contains("ttl=-1"), "{line}");
    }
    for private in [KEY, "Users", "example.com", "users", &api.url] {
        assert!(!content.contains(private), "{private} in {content}");
    }
}

#[tokio::test]
async fn a_nonce_is_taken_once_by_any_server() {
    let Some(redis) = Redis::start() else { return };
    let stores = [0; 4].map(|_| QuestionStore::shared(state(&redis)));
    let mut sealing_keys = Vec::new();
    for store in &stores {
        sealing_keys.push(store.sealing_keys().await.unwrap().unwrap().current);
    }
    assert!(sealing_keys.iter().all(|key| *key == sealing_keys[0]), "one key for all");
    for round in 0..20 {
        let (nonce, minute) = ([round; 12], Duration::from_secs(60));
        stores[0].remember("a", nonce, minute, "payload").await.unwrap();
        let takes = stores.iter().map(|store| store.take("a", nonce));
        let taken = futures_util::future::join_all(takes).await;
        let taken: Vec<_> = taken.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(taken, ["payload"]);
    }
    let moment = Duration::from_millis(50);
    stores[0].remember("a", [99; 12], moment, "payload").await.unwrap();
    assert!(!stores[1].is_undecided("a").await);
    tokio::time::sleep(moment * 2).await;
    assert_eq!(stores[1].take("a", [99; 12]).await, Ok(None));
    assert!(!stores[1].is_undecided("a").await, "taken, if too late");
}

#[tokio::test]
async fn what_a_client_left_undecided_is_known_to_all_servers_and_of_no_other_caller() {
    let Some(redis) = Redis::start() else { return };
    let (first, second) =
        (QuestionStore::shared(state(&redis)), QuestionStore::shared(state(&redis)));
    first.note("a", false).await;
    assert!(second.is_undecided("a").await && !second.is_undecided("b").await);
    second.note("a", true).await;
    assert!(!first.is_undecided("a").await);
    // One that never comes back counts as well, unless another was decided after it was asked.
    let moment = Duration::from_millis(50);
    first.remember("a", [1; 12], moment, "0").await.unwrap();
    tokio::time::sleep(moment * 2).await;
    assert!(second.is_undecided("a").await);
    second.note("a", true).await;
    first.remember("a", [2; 12], moment, "0").await.unwrap();
    second.note("a", true).await;
    tokio::time::sleep(moment * 2).await;
    assert!(!first.is_undecided("a").await);
}

#[tokio::test]
async fn a_cancellation_comes_to_all_servers_also_after_redis_was_away() {
    let Some(mut redis) = Redis::start() else { return };
    let (sender, receiver) = (state(&redis), state(&redis));
    let mut cancels = receiver.cancels();
    let name = cancel_name("session-1", "7");
    assert_ne!(name, cancel_name("session-1 ", "7"));
    assert!(!name.contains("session"));
    let deliver = async |cancels: &mut polytomic_mcp::state::Cancels| {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            // Nobody may listen yet.
            sender.publish_cancel(&name).await.unwrap();
            let next = tokio::time::timeout(Duration::from_millis(100), cancels.next()).await;
            if let Ok(next) = next {
                return assert_eq!(next.as_deref(), Some(name.as_str()));
            }
            assert!(Instant::now() < deadline, "no cancellation arrives");
        }
    };
    deliver(&mut cancels).await;
    redis.kill();
    assert!(sender.publish_cancel(&name).await.is_err());
    redis.restart();
    deliver(&mut cancels).await;
}

fn unreachable(error: &Value, address: &str) {
    assert_eq!(error["code"], "upstream_unavailable", "{error}");
    assert_eq!((&error["retryable"], &error["outcome"]), (&json!(true), &json!("not_sent")));
    assert!(error["message"].as_str().unwrap().contains(address), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("POLYTOMIC_STATE"), "{error}");
}

fn required(launch: Launch) -> Launch {
    launch.variable("POLYTOMIC_STATE_REQUIRED", "1")
}
