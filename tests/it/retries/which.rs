//! Which failures of which calls are tried again.

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::calls::{answer, done, get, model, one_key};
use crate::support::{
    Fault, FaultyServer, Launch, MODEL, Session, Stub, UNKNOWN_ID, definition, job,
};

#[tokio::test]
async fn reads_and_updates_are_tried_again_at_statuses_that_pass() {
    // Status; whether a read, and whether an update is tried again.
    let cases = [
        (400, false, false),
        (401, false, false),
        (404, false, false),
        (408, true, true),
        (409, false, false),
        (422, false, false),
        (429, true, true),
        (500, true, false),
        (501, false, false),
        (502, true, true),
        (503, true, true),
        (504, true, true),
    ];
    let told = cases.map(|(status, read, update)| async move {
        let api = FaultyServer::start(vec![answer(status), done()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        if read {
            assert_eq!(
                session.call("get_model", get()).await["model"]["name"],
                "Users",
                "{status}"
            );
        } else {
            session.call_err("get_model", get()).await;
        }
        assert_eq!(api.received().len(), 1 + usize::from(read), "{status}: a read");

        let stub = Stub::start().await;
        stub.json("GET", MODEL, 200, model()).await;
        let turn = std::sync::atomic::AtomicUsize::new(0);
        let put = move |_: &wiremock::Request| match turn
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
        {
            0 => ResponseTemplate::new(status),
            _ => ResponseTemplate::new(200).set_body_json(model()),
        };
        stub.respond("PUT", MODEL, put).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let arguments = json!({"model_id": UNKNOWN_ID, "name": "People"});
        if update {
            session.call("update_model", arguments).await;
        } else {
            session.call_err("update_model", arguments).await;
        }
        let puts = stub.lines().await.iter().filter(|line| line.starts_with("PUT")).count();
        assert_eq!(puts, 1 + usize::from(update), "{status}: an update");
    });
    futures_util::future::join_all(told).await;
}

#[tokio::test]
async fn a_create_is_sent_again_with_its_key_and_only_while_its_outcome_is_unknown() {
    let cases = [
        ("400", answer(400), false),
        ("429", answer(429), false),
        ("500", answer(500), false),
        ("503", answer(503), false),
        ("408", answer(408), true),
        ("409, the first is still running", answer(409), true),
        ("502", answer(502), true),
        ("504", answer(504), true),
        ("reset after it was read", Fault::ResetAfter, true),
        ("a body cut short", Fault::CutBody, true),
        ("a body of no length that ends early", Fault::OpenBody, true),
    ];
    let told = cases.map(|(label, fault, again)| async move {
        let api = FaultyServer::start(vec![fault, done()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        if again {
            let created = session.call("create_model", definition()).await;
            assert_eq!(created["model"]["name"], "Users", "{label}");
        } else {
            let error = session.call_err("create_model", definition()).await;
            assert_eq!(error["outcome"], "refused", "{label}: {error}");
        }
        assert_eq!(api.received().len(), 1 + usize::from(again), "{label}");
        let key = one_key(&api.received());
        // A definite outcome ends the key: the next create is another one.
        session.call("create_model", definition()).await;
        assert_ne!(api.received().last().unwrap().key.as_deref(), Some(key.as_str()), "{label}");
    });
    futures_util::future::join_all(told).await;
}

#[tokio::test]
async fn a_connection_that_was_reset_before_the_request_was_read_is_made_anew() {
    let api = FaultyServer::start(vec![Fault::ResetBefore, done()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let created = session.call("create_model", definition()).await;
    assert_eq!(created["model"]["name"], "Users");
    assert_eq!(api.received().len(), 1);
    for fault in [Fault::ResetBefore, Fault::ResetAfter, Fault::CutBody, Fault::OpenBody] {
        let label = format!("{fault:?}");
        let api = FaultyServer::start(vec![fault, done()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        assert_eq!(session.call("get_model", get()).await["model"]["name"], "Users", "{label}");
    }
}

#[tokio::test]
async fn a_delete_is_sent_again_only_when_the_connection_broke() {
    let delete = || json!({"model_id": UNKNOWN_ID, "force": true});
    let nothing = || Fault::Answer(404, "", json!({"message": "no"}));
    // It was done, and the answer was lost.
    let api = FaultyServer::start(vec![Fault::ResetAfter, nothing()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let deleted = session.call("delete_model", delete()).await;
    assert_eq!(deleted, json!({"deleted": true, "model_id": UNKNOWN_ID}));
    assert_eq!(api.received().len(), 2);
    assert!(api.received().iter().all(|seen| seen.key.is_none()), "a DELETE has a key");
    // It was never there.
    let api = FaultyServer::start(vec![nothing()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let error = session.call_err("delete_model", delete()).await;
    assert_eq!(error["code"], "not_found", "{error}");
    for status in [408, 429, 500, 502, 503, 504] {
        let api = FaultyServer::start(vec![answer(status)]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        session.call_err("delete_model", delete()).await;
        assert_eq!(api.received().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_read_that_hangs_is_tried_again_within_the_deadline() {
    let api = FaultyServer::start(vec![Fault::Hang, done()]).await;
    let launch = Launch::against(&api.url).variable("POLYTOMIC_TIMEOUT_SECONDS", "1");
    let mut session = Session::open(&launch).await;
    assert_eq!(session.call("get_model", get()).await["model"]["name"], "Users");
    let created = session.call("create_model", definition()).await;
    assert_eq!(created["model"]["name"], "Users");
    assert_eq!(api.received().len(), 3);
}

#[tokio::test]
async fn a_sample_that_takes_too_long_goes_on_as_a_job_once() {
    let at = format!("{MODEL}/sample");
    let slow = |text: &str| json!({"message": text});
    for (label, status, body, falls_back) in [
        ("408", 408, json!({}), true),
        ("504", 504, json!({}), true),
        ("500 that speaks of time", 500, slow("query timed out"), true),
        ("400 that speaks of async", 400, slow("Use async=true for this model."), true),
        ("400 that does not", 400, slow("there is no column timestamp"), false),
        ("403", 403, slow("timeout"), false),
    ] {
        let stub = Stub::start().await;
        let answer = move |request: &wiremock::Request| match request.url.query() {
            Some("async=true") => ResponseTemplate::new(200)
                .set_body_json(json!({"job": job("samplemodel", "created", Value::Null)})),
            _ => ResponseTemplate::new(status).set_body_json(&body),
        };
        stub.respond("GET", &at, answer).await;
        let result = json!({"records": [{UNKNOWN_ID: {"a": 1}}], "warnings": []});
        let poll = "/api/jobs/samplemodel/0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22";
        stub.json("GET", poll, 200, json!({"data": job("samplemodel", "done", result)})).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let path = format!("GET {at}");
        if falls_back {
            let sample = session.call("sample_records", get()).await;
            assert_eq!(sample["records"][0][UNKNOWN_ID]["a"], 1, "{label}: {sample}");
            let lines = stub.lines().await;
            assert_eq!(lines[..2], [path.clone(), format!("{path}?async=true")], "{label}");
        } else {
            session.call_err("sample_records", get()).await;
            assert_eq!(stub.lines().await, [path], "{label}");
        }
    }
    // Once: a job that is refused as well is told.
    let stub = Stub::start().await;
    stub.json("GET", &at, 400, json!({"message": "took too much time"})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("sample_records", get()).await;
    assert_eq!(error["code"], "invalid_argument", "{error}");
    assert_eq!(stub.requests().await.len(), 2);
}
