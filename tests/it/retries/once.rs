//! Nothing is done twice: one key for what is meant once.

use std::time::Duration;

use polytomic_mcp::sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::calls::{MODELS, answer, done, model, one_key};
use crate::support::{
    CONNECTION, Fault, FaultyServer, Launch, Session, Stub, UNKNOWN_ID, definition, job,
};

/// Carries requests to `target` at once, and answers back only after `delay`.
async fn slow_way(target: String, delay: Duration) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((peer, _)) = listener.accept().await {
            let api = tokio::net::TcpStream::connect(&target).await.unwrap();
            let ((mut from_peer, mut to_peer), (mut from_api, mut to_api)) =
                (peer.into_split(), api.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut from_peer, &mut to_api).await });
            tokio::spawn(async move {
                let mut chunk = vec![0; 65_536];
                while let Ok(n @ 1..) = from_api.read(&mut chunk).await {
                    tokio::time::sleep(delay).await;
                    if to_peer.write_all(&chunk[..n]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_create_that_was_cancelled_makes_one_model_with_the_next_try() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let target = sandbox.url().trim_start_matches("http://").to_owned();
    let url = slow_way(target, Duration::from_millis(400)).await;
    let launch = Launch::against(&url).variable("POLYTOMIC_API_KEY", sandbox.api_key());
    let mut session = Session::open(&launch).await;
    for _ in 0..2 {
        let id = session.start_call("create_model", definition()).await;
        // The sandbox has saved it, and its answer is on the way.
        tokio::time::sleep(Duration::from_millis(300)).await;
        session.cancel(id).await;
    }
    let created = session.call("create_model", definition()).await;
    let listed = session.call("list_models", json!({})).await;
    let ids: Vec<_> = listed["models"].as_array().unwrap().iter().map(|m| &m["id"]).collect();
    assert_eq!(ids, [&created["model"]["id"]], "{listed}");
}

#[tokio::test]
async fn after_an_unknown_outcome_the_same_arguments_send_the_same_key() {
    let api = FaultyServer::start(vec![Fault::Hang, Fault::Hang, done()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let id = session.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    session.cancel(id).await;
    api.wait_for_disconnects(1).await;
    // Other arguments are another model.
    let mut other = definition();
    other["name"] = json!("People");
    let id = session.start_call("create_model", other.clone()).await;
    api.wait_for_requests(2).await;
    session.cancel(id).await;
    api.wait_for_disconnects(2).await;
    // The order of properties and how the call is made do not matter.
    let mut again = json!({"configuration": {"table": "public.users"}, "name": "Users", "connection_id": CONNECTION});
    again["async"] = json!(true);
    session.call("create_model", again).await;
    let seen = api.received();
    assert_eq!(seen.len(), 3, "something was tried again after the cancel: {seen:?}");
    assert_eq!(seen[0].key, seen[2].key);
    assert_ne!(seen[0].key, seen[1].key);
}

#[tokio::test]
async fn a_busy_key_is_waited_for_and_then_leaves_the_outcome_open() {
    let script = vec![Fault::ResetAfter, answer(409), answer(409), done()];
    let api = FaultyServer::start(script).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    session.call("create_model", definition()).await;
    assert_eq!(api.received().len(), 4);
    one_key(&api.received());

    let api = FaultyServer::start(vec![Fault::ResetAfter, answer(409)]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let error = session.call_err("create_model", definition()).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("conflict"), &json!("unknown")));
    assert_eq!(error["details"]["tries"], 8, "{error}");
    assert!(error["hint"].as_str().unwrap().contains("same arguments"), "{error}");
    one_key(&api.received());
}

#[tokio::test]
async fn a_key_of_the_caller_s_is_sent_and_belongs_to_one_set_of_arguments() {
    let api = FaultyServer::start(vec![done()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let mut arguments = definition();
    arguments["idempotency_key"] = json!("nightly-import_2026");
    session.call("create_model", arguments.clone()).await;
    session.call("create_model", arguments.clone()).await;
    assert_eq!(one_key(&api.received()), "nightly-import_2026");
    arguments["name"] = json!("People");
    let error = session.call_err("create_model", arguments.clone()).await;
    assert_eq!(
        (&error["code"], &error["outcome"]),
        (&json!("invalid_argument"), &json!("not_sent"))
    );
    assert!(error["message"].as_str().unwrap().starts_with("idempotency_key: "), "{error}");
    assert_eq!(error["details"]["argument"], "idempotency_key");
    for odd in ["short", "with space in it", "with\nline break", "ümläuteverywhere"] {
        arguments["idempotency_key"] = json!(odd);
        let error = session.call_err("create_model", arguments.clone()).await;
        assert_eq!(error["code"], "invalid_argument", "{odd}: {error}");
    }
    assert_eq!(api.received().len(), 2);
    // Only what is no read and not the same twice takes one.
    let error = session
        .call_err("get_model", json!({"model_id": UNKNOWN_ID, "idempotency_key": "abcdefgh"}))
        .await;
    assert!(error["message"].as_str().unwrap().contains("idempotency_key"), "{error}");
}

#[tokio::test]
async fn a_job_that_was_not_waited_for_is_found_again_by_the_next_try() {
    let start = json!({"job": job("createmodel", "created", Value::Null)});
    let at = "/api/jobs/createmodel/0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22";
    let running = json!({"data": job("createmodel", "running", Value::Null)});
    let finished = json!({"data": job("createmodel", "done", model()["data"].clone())});
    let keys = async |stub: &Stub| -> Vec<String> {
        let requests = stub.requests().await;
        let posts = requests.iter().filter(|request| request.method == "POST");
        posts.map(|post| post.headers["idempotency-key"].to_str().unwrap().to_owned()).collect()
    };
    // Cancelled while it polls.
    let stub = Stub::start().await;
    stub.json("POST", MODELS, 200, start.clone()).await;
    stub.sequence("GET", at, vec![running.clone(), running.clone(), finished.clone()]).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let id = session.start_call("create_model", definition()).await;
    stub.wait_for_requests(2).await;
    session.cancel(id).await;
    session.call("create_model", definition()).await;
    session.call("create_model", definition()).await;
    let sent = keys(&stub).await;
    assert_eq!(sent[0], sent[1], "the second try made another model");
    assert_ne!(sent[1], sent[2], "a job that has ended still holds its key");
    // Polling fails: the outcome is unknown.
    let stub = Stub::start().await;
    stub.json("POST", MODELS, 200, start.clone()).await;
    stub.json("GET", at, 403, json!({})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("create_model", definition()).await;
    assert_eq!(error["outcome"], "unknown", "{error}");
    session.call_err("create_model", definition()).await;
    let sent = keys(&stub).await;
    assert_eq!(sent[0], sent[1]);
    assert_eq!(error["details"]["idempotency_key"], sent[0].as_str());
    // Done, with a result that nobody can read.
    let stub = Stub::start().await;
    stub.json("POST", MODELS, 200, start.clone()).await;
    stub.json("GET", at, 200, json!({"data": job("createmodel", "done", json!([1]))})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("create_model", definition()).await;
    assert_eq!(error["outcome"], "unknown", "{error}");
    session.call_err("create_model", definition()).await;
    let sent = keys(&stub).await;
    assert_eq!(sent[0], sent[1]);
    // The handle was told: the next call is another one.
    let stub = Stub::start().await;
    stub.json("POST", MODELS, 200, start).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let mut arguments = definition();
    arguments["wait_seconds"] = json!(0);
    session.call("create_model", arguments.clone()).await;
    session.call("create_model", arguments).await;
    let sent = keys(&stub).await;
    assert_ne!(sent[0], sent[1]);
}

#[tokio::test]
async fn a_timeout_that_the_api_has_kept_for_a_key_is_not_waited_for_again() {
    let mut session = Session::sandbox().await;
    let slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 60000000)
        SELECT count(*) AS n FROM c";
    let mut definition =
        json!({"connection_id": CONNECTION, "name": "Slow", "configuration": {"query": slow}});
    let error = session.call_err("create_model", definition.clone()).await;
    assert_eq!((&error["code"], &error["details"]["tries"]), (&json!("timeout"), &json!(2)));
    // What the hint says works: the kept outcome is that of the old key.
    assert!(error["hint"].as_str().unwrap().contains("`async` true"), "{error}");
    definition["async"] = json!(true);
    definition["wait_seconds"] = json!(0);
    let started = session.call("create_model", definition).await;
    assert_eq!(started["next"]["tool"], "get_job", "{started}");
}

#[tokio::test]
async fn what_only_reads_is_asked_with_a_new_key_each_time() {
    let api = FaultyServer::start(vec![answer(504)]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    session.call_err("preview_model", definition()).await;
    let first = api.received().len();
    session.call_err("preview_model", definition()).await;
    let seen = api.received();
    assert_ne!(seen[0].key, seen[first].key);
}
