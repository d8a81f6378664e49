//! Idempotency keys: a create that is called again after an unknown outcome reuses its key.

use std::time::Duration;

use polytomic_mcp::sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fixtures::{MODELS, error_response, model_response, single_key, success};
use crate::support::{
    CONNECTION, Fault, FaultyServer, Launch, ReceivedRequest, Session, Stub, UNKNOWN_ID,
    definition, job, job_path,
};

/// A proxy that forwards requests to `target` immediately, and responses after `delay`.
async fn slow_proxy(target: String, delay: Duration) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let api = tokio::net::TcpStream::connect(&target).await.unwrap();
            let ((mut from_client, mut to_client), (mut from_api, mut to_api)) =
                (client.into_split(), api.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_api).await });
            tokio::spawn(async move {
                let mut chunk = vec![0; 65_536];
                while let Ok(n @ 1..) = from_api.read(&mut chunk).await {
                    tokio::time::sleep(delay).await;
                    if to_client.write_all(&chunk[..n]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_cancelled_create_and_its_retry_make_one_model() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let target = sandbox.url().trim_start_matches("http://").to_owned();
    let url = slow_proxy(target, Duration::from_millis(400)).await;
    let launch = Launch::against(&url).variable("POLYTOMIC_API_KEY", sandbox.api_key());
    let mut session = Session::open(&launch).await;
    for _ in 0..2 {
        let id = session.start_call("create_model", definition()).await;
        // The sandbox has saved the model; the proxy still holds the response.
        tokio::time::sleep(Duration::from_millis(300)).await;
        session.cancel(id).await;
    }
    let created = session.call("create_model", definition()).await;
    let listed = session.call("list_models", json!({})).await;
    let ids: Vec<_> = listed["models"].as_array().unwrap().iter().map(|m| &m["id"]).collect();
    assert_eq!(ids, [&created["model"]["id"]], "{listed}");
}

#[tokio::test]
async fn after_an_unknown_outcome_the_same_arguments_reuse_the_key() {
    let api = FaultyServer::start(vec![Fault::Hang, Fault::Hang, success()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let id = session.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    session.cancel(id).await;
    api.wait_for_disconnects(1).await;
    // Other arguments mean another model.
    let mut other = definition();
    other["name"] = json!("People");
    let id = session.start_call("create_model", other.clone()).await;
    api.wait_for_requests(2).await;
    session.cancel(id).await;
    api.wait_for_disconnects(2).await;
    // Neither the order of properties nor `async` matters.
    let mut reordered = json!({"configuration": {"table": "public.users"}, "name": "Users", "connection_id": CONNECTION});
    reordered["async"] = json!(true);
    session.call("create_model", reordered).await;
    let received = api.received();
    assert_eq!(received.len(), 3, "retried after the cancel: {received:?}");
    assert_eq!(received[0].key, received[2].key);
    assert_ne!(received[0].key, received[1].key);
}

#[tokio::test]
async fn a_key_in_use_is_retried_and_then_leaves_the_outcome_unknown() {
    let script = vec![Fault::ResetAfterRead, error_response(409), error_response(409), success()];
    let api = FaultyServer::start(script).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    session.call("create_model", definition()).await;
    assert_eq!(api.received().len(), 4);
    single_key(&api.received());

    // The API is well: these retries cost nothing, or 15 calls with seven each would exhaust the budget.
    let api = FaultyServer::start(vec![error_response(409)]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    for index in 0..15 {
        let mut arguments = definition();
        arguments["name"] = json!(format!("Users {index}"));
        session.start_call("create_model", arguments).await;
    }
    for _ in 0..15 {
        let response = session.next().await;
        let error = session.expect_error(&response);
        assert_eq!((&error["code"], &error["outcome"]), (&json!("conflict"), &json!("unknown")));
        assert_eq!(error["details"]["attempts"], 8, "{error}");
        assert!(error["hint"].as_str().unwrap().contains("same arguments"), "{error}");
    }
}

#[tokio::test]
async fn an_idempotency_key_argument_is_sent_and_bound_to_its_arguments() {
    let api = FaultyServer::start(vec![success()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let mut arguments = definition();
    arguments["idempotency_key"] = json!("nightly-import_2026");
    session.call("create_model", arguments.clone()).await;
    session.call("create_model", arguments.clone()).await;
    assert_eq!(single_key(&api.received()), "nightly-import_2026");
    arguments["name"] = json!("People");
    let error = session.call_err("create_model", arguments.clone()).await;
    assert_eq!(
        (&error["code"], &error["outcome"]),
        (&json!("invalid_argument"), &json!("not_sent"))
    );
    assert!(error["message"].as_str().unwrap().starts_with("idempotency_key: "), "{error}");
    assert_eq!(error["details"]["argument"], "idempotency_key");
    for invalid in ["short", "with space in it", "with\nline break", "ümläuteverywhere"] {
        arguments["idempotency_key"] = json!(invalid);
        let error = session.call_err("create_model", arguments.clone()).await;
        assert_eq!(error["code"], "invalid_argument", "{invalid}: {error}");
    }
    assert_eq!(api.received().len(), 2);
    // Only tools that write and are not idempotent have this argument.
    let error = session
        .call_err("get_model", json!({"model_id": UNKNOWN_ID, "idempotency_key": "abcdefgh"}))
        .await;
    assert!(error["message"].as_str().unwrap().contains("idempotency_key"), "{error}");
}

/// The idempotency keys of the POSTs that a stub received.
async fn sent_keys(stub: &Stub) -> Vec<String> {
    let requests = stub.requests().await;
    let posts = requests.iter().filter(|request| request.method == "POST");
    posts.map(|post| post.headers["idempotency-key"].to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_create_reuses_its_key_until_its_job_has_ended_or_is_returned() {
    let created = json!({"job": job("createmodel", "created", Value::Null)});
    let path = &job_path("createmodel");
    let running = json!({"data": job("createmodel", "running", Value::Null)});
    let finished = json!({"data": job("createmodel", "done", model_response()["data"].clone())});
    // Cancelled during polling.
    let stub = Stub::start().await;
    stub.json("POST", MODELS, 200, created.clone()).await;
    stub.sequence("GET", path, vec![running.clone(), running.clone(), finished.clone()]).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let id = session.start_call("create_model", definition()).await;
    stub.wait_for_requests(2).await;
    session.cancel(id).await;
    session.call("create_model", definition()).await;
    session.call("create_model", definition()).await;
    let sent = sent_keys(&stub).await;
    assert_eq!(sent[0], sent[1], "the second call made another model");
    assert_ne!(sent[1], sent[2], "the key outlives the job");
    // Polling fails, so the outcome is unknown.
    let stub = Stub::start().await;
    stub.json("POST", MODELS, 200, created.clone()).await;
    stub.json("GET", path, 403, json!({})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("create_model", definition()).await;
    assert_eq!(error["outcome"], "unknown", "{error}");
    session.call_err("create_model", definition()).await;
    let sent = sent_keys(&stub).await;
    assert_eq!(sent[0], sent[1]);
    assert_eq!(error["details"]["idempotency_key"], sent[0].as_str());
    // The job is done, but its result is invalid.
    let stub = Stub::start().await;
    stub.json("POST", MODELS, 200, created.clone()).await;
    stub.json("GET", path, 200, json!({"data": job("createmodel", "done", json!([1]))})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("create_model", definition()).await;
    assert_eq!(error["outcome"], "unknown", "{error}");
    session.call_err("create_model", definition()).await;
    let sent = sent_keys(&stub).await;
    assert_eq!(sent[0], sent[1]);
    // The unfinished job was returned, so the next call creates another model.
    let stub = Stub::start().await;
    stub.json("POST", MODELS, 200, created).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let mut arguments = definition();
    arguments["wait_seconds"] = json!(0);
    session.call("create_model", arguments.clone()).await;
    session.call("create_model", arguments).await;
    let sent = sent_keys(&stub).await;
    assert_ne!(sent[0], sent[1]);
}

#[tokio::test]
async fn a_timeout_that_the_api_replays_is_not_retried_again() {
    let stub = Stub::start().await;
    let timeout = json!({"key": "timeout", "message": "stopped", "status": 408});
    stub.json("POST", MODELS, 408, timeout).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("create_model", definition()).await;
    assert_eq!((&error["code"], &error["details"]["attempts"]), (&json!("timeout"), &json!(2)));
    let sent = sent_keys(&stub).await;
    assert_eq!((sent.len(), &sent[0]), (2, &sent[1]));
}

#[tokio::test]
async fn the_hint_after_a_timeout_leads_to_a_job() {
    let mut session = Session::sandbox().await;
    let slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 600000000)
        SELECT count(*) AS n FROM c";
    let mut definition =
        json!({"connection_id": CONNECTION, "name": "Slow", "configuration": {"query": slow}});
    let error = session.call_err("create_model", definition.clone()).await;
    assert_eq!(error["code"], "timeout", "{error}");
    // The hint works: the replayed response belongs to the previous key.
    assert!(error["hint"].as_str().unwrap().contains("`async` true"), "{error}");
    definition["async"] = json!(true);
    definition["wait_seconds"] = json!(0);
    let started = session.call("create_model", definition).await;
    assert_eq!(started["next"]["tool"], "get_job", "{started}");
}

#[tokio::test]
async fn every_preview_has_a_new_key() {
    let api = FaultyServer::start(vec![error_response(504)]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    session.call_err("preview_model", definition()).await;
    let first = api.received().len();
    session.call_err("preview_model", definition()).await;
    let received = api.received();
    assert_ne!(received[0].key, received[first].key);
}

#[tokio::test]
async fn a_stored_error_gives_way_to_a_new_key_within_the_call() {
    use Fault::{Page, ResetAfterRead as Reset};
    let failed = || error_response(500);
    let slow = || Fault::Response(500, "", json!({"status": 500, "message": "query timed out"}));
    // What happens to the requests; the key of each; whether the call succeeds.
    let cases = [
        ("stored", vec![Reset, failed(), failed(), success()], "AAAB", true),
        ("a stored 400", vec![Reset, error_response(400), success()], "AAB", true),
        (
            "a stored 404",
            vec![Reset, error_response(404), error_response(404), success()],
            "AAAB",
            true,
        ),
        ("once", vec![Reset, failed(), failed(), Reset, failed(), failed()], "AAABBB", false),
        ("not stored before", vec![failed()], "A", false),
        ("the API would run out of time again", vec![Reset, slow(), slow()], "AAA", false),
        (
            "not stored by the API",
            vec![Reset, Page(503), Page(503), Page(500), success()],
            "AAAAA",
            true,
        ),
    ];
    for (label, script, expected, succeeds) in cases {
        let api = FaultyServer::start(script).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        if succeeds {
            session.call("create_model", definition()).await;
        } else {
            let error = session.call_err("create_model", definition()).await;
            assert_eq!(error["outcome"], "refused", "{label}: {error}");
        }
        assert_eq!(key_letters(&api), expected, "{label}");
    }
    // The error was stored for a call that was cancelled.
    let api = FaultyServer::start(vec![Fault::Hang, failed(), failed(), success()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let id = session.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    session.cancel(id).await;
    api.wait_for_disconnects(1).await;
    session.call("create_model", definition()).await;
    assert_eq!(key_letters(&api), "AAAB");
    // A key that the caller passed is not ours to replace.
    let api = FaultyServer::start(vec![Reset, failed()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let mut arguments = definition();
    arguments["idempotency_key"] = json!("nightly-import");
    let error = session.call_err("create_model", arguments).await;
    assert_eq!(error["outcome"], "refused", "{error}");
    assert_eq!(single_key(&api.received()), "nightly-import");
}

#[tokio::test]
async fn an_error_that_may_come_from_before_the_lookup_of_the_key_keeps_it() {
    use Fault::ResetAfterRead as Reset;
    let failed = |message| Fault::Response(500, "", json!({"status": 500, "message": message}));
    let busy = || Fault::Response(503, "", json!({"key": "overloaded", "status": 503}));
    let spring = || {
        let body = json!({"status": 500, "error": "Internal Server Error", "path": "/api/models"});
        Fault::Response(500, "", body)
    };
    // What happens to the requests of a call that succeeds with the key of the first one.
    for (label, script) in [
        ("load is shed", vec![Reset, busy(), success()]),
        ("for longer", vec![Reset, busy(), busy(), busy(), success()]),
        ("a failure", vec![Reset, failed("a"), success()]),
        ("different failures", vec![Reset, failed("a"), failed("b"), success()]),
        ("two failures, not in a row", vec![Reset, failed("a"), busy(), failed("a"), success()]),
        ("an object unknown for a moment", vec![Reset, error_response(404), success()]),
        ("a body too large for a moment", vec![Reset, error_response(413), success()]),
        ("the error of another program", vec![Reset, spring(), spring(), success()]),
        ("the same, at first", vec![spring(), success()]),
    ] {
        let api = FaultyServer::start(script).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        session.call("create_model", definition()).await;
        println!("{label}");
        single_key(&api.received());
    }
    // A call that fails keeps the key for the next one, since the first request may have been applied.
    let launch =
        |api: &FaultyServer| Launch::against(&api.url).variable("POLYTOMIC_TIMEOUT_SECONDS", "10");
    let wait = "retry-after: 3600\r\n";
    for status in [404, 413, 500, 503] {
        let fault = Fault::Response(status, wait, json!({"status": status}));
        let api = FaultyServer::start(vec![Reset, fault, success()]).await;
        let mut session = Session::open(&launch(&api)).await;
        let error = session.call_err("create_model", definition()).await;
        assert_eq!((&error["outcome"], &error["retryable"]), (&json!("unknown"), &json!(true)));
        session.call("create_model", definition()).await;
        let key = single_key(&api.received());
        assert_eq!(error["details"]["idempotency_key"], key.as_str(), "{status}: {error}");
    }
}

/// The keys of the requests, each new one as the next letter.
fn key_letters(api: &FaultyServer) -> String {
    let mut keys = Vec::new();
    let letter = |request: ReceivedRequest| {
        let index = keys.iter().position(|key| *key == request.key).unwrap_or_else(|| {
            keys.push(request.key);
            keys.len() - 1
        });
        char::from(b'A' + u8::try_from(index).unwrap())
    };
    api.received().into_iter().map(letter).collect()
}

#[tokio::test]
async fn a_reported_key_that_is_passed_ends_the_interrupted_call() {
    let api = FaultyServer::start(vec![error_response(404), Fault::Hang, success()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    session.call_err("create_model", definition()).await;
    let id = session.start_call("create_model", definition()).await;
    api.wait_for_requests(2).await;
    session.cancel(id).await;
    api.wait_for_disconnects(1).await;
    let key = api.received()[1].key.clone();
    let mut arguments = definition();
    arguments["idempotency_key"] = json!(key);
    session.call("create_model", arguments).await;
    session.call("create_model", definition()).await;
    assert_eq!(key_letters(&api), "ABBC");
}
