//! Which errors of which operations are retried.

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::fixtures::{error_response, get_arguments, model_response, single_key, success};
use crate::support::{
    Fault, FaultyServer, Launch, MODEL, Sandbox, Session, Stub, UNKNOWN_ID, definition, job,
    job_path,
};

#[tokio::test]
async fn reads_and_updates_are_retried_at_transient_statuses() {
    // Status; whether a read is retried; whether an update is retried.
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
    let checks = cases.map(|(status, read, update)| async move {
        let api = FaultyServer::start(vec![error_response(status), success()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        if read {
            assert_eq!(
                session.call("get_model", get_arguments()).await["model"]["name"],
                "Users",
                "{status}"
            );
        } else {
            session.call_err("get_model", get_arguments()).await;
        }
        assert_eq!(api.received().len(), 1 + usize::from(read), "{status}: a read");

        let stub = Stub::start().await;
        stub.json("GET", MODEL, 200, model_response()).await;
        let served = std::sync::atomic::AtomicUsize::new(0);
        let put = move |_: &wiremock::Request| match served
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
        {
            0 => ResponseTemplate::new(status),
            _ => ResponseTemplate::new(200).set_body_json(model_response()),
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
    futures_util::future::join_all(checks).await;
}

#[tokio::test]
async fn a_create_is_retried_with_its_key_only_while_its_outcome_is_unknown() {
    let cases = [
        ("400", error_response(400), false),
        ("429", error_response(429), false),
        ("500", error_response(500), false),
        ("503", error_response(503), false),
        ("500 of a gateway", Fault::Page(500), true),
        ("503 of a gateway", Fault::Page(503), true),
        ("408", error_response(408), true),
        ("409, the first attempt is still running", error_response(409), true),
        ("502", error_response(502), true),
        ("504", error_response(504), true),
        ("a reset after the request was read", Fault::ResetAfterRead, true),
        ("a truncated body", Fault::TruncatedBody, true),
        ("a body without content-length that ends early", Fault::UnsizedBody, true),
    ];
    let checks = cases.map(|(label, fault, is_retried)| async move {
        let api = FaultyServer::start(vec![fault, success()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        if is_retried {
            let created = session.call("create_model", definition()).await;
            assert_eq!(created["model"]["name"], "Users", "{label}");
        } else {
            let error = session.call_err("create_model", definition()).await;
            assert_eq!(error["outcome"], "refused", "{label}: {error}");
        }
        assert_eq!(api.received().len(), 1 + usize::from(is_retried), "{label}");
        let key = single_key(&api.received());
        // A known outcome releases the key: the next create is another one.
        session.call("create_model", definition()).await;
        assert_ne!(api.received().last().unwrap().key.as_deref(), Some(key.as_str()), "{label}");
    });
    futures_util::future::join_all(checks).await;
}

#[tokio::test]
async fn a_request_whose_connection_was_reset_is_retried() {
    let api = FaultyServer::start(vec![Fault::ResetBeforeRead, success()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let created = session.call("create_model", definition()).await;
    assert_eq!(created["model"]["name"], "Users");
    assert_eq!(api.received().len(), 1);
    for fault in
        [Fault::ResetBeforeRead, Fault::ResetAfterRead, Fault::TruncatedBody, Fault::UnsizedBody]
    {
        let label = format!("{fault:?}");
        let api = FaultyServer::start(vec![fault, success()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        assert_eq!(
            session.call("get_model", get_arguments()).await["model"]["name"],
            "Users",
            "{label}"
        );
    }
}

#[tokio::test]
async fn a_delete_is_retried_only_if_its_connection_broke() {
    // It was applied, and its response was lost: the second attempt gets 404.
    let sandbox = Sandbox::start_with(&["--fault", "delete_model:reset,carry_out,times=1"]);
    let mut session = sandbox.session().await;
    let id = session.create_model("Users", "public.users").await;
    let deleted = session.call("delete_model", json!({"model_id": id, "force": true})).await;
    assert_eq!(deleted, json!({"deleted": true, "model_id": id}));
    let log = sandbox.get("/sandbox/log").await.data().clone();
    let attempts =
        log.as_array().unwrap().iter().filter(|entry| entry["operation"] == "delete_model");
    let attempts: Vec<&Value> = attempts.collect();
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    assert!(attempts.iter().all(|entry| entry["idempotency_key"].is_null()), "a DELETE has a key");
    let delete = || json!({"model_id": UNKNOWN_ID, "force": true});
    let not_found = || error_response(404);
    // A gateway does not know whether the model exists.
    let api = FaultyServer::start(vec![Fault::ResetAfterRead, Fault::Page(404)]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let error = session.call_err("delete_model", delete()).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("upstream_error"), &json!("unknown")));
    // The model never existed.
    let api = FaultyServer::start(vec![not_found()]).await;
    let mut session = Session::open(&Launch::against(&api.url)).await;
    let error = session.call_err("delete_model", delete()).await;
    assert_eq!(error["code"], "not_found", "{error}");
    for status in [408, 429, 500, 502, 503, 504] {
        let api = FaultyServer::start(vec![error_response(status)]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        session.call_err("delete_model", delete()).await;
        assert_eq!(api.received().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_hanging_request_is_retried_within_its_timeout() {
    let checks = ["get_model", "create_model"].map(|tool| async move {
        let api = FaultyServer::start(vec![Fault::Hang, success()]).await;
        let launch = Launch::against(&api.url).variable("POLYTOMIC_TIMEOUT_SECONDS", "15");
        let mut session = Session::open(&launch).await;
        let arguments = if tool == "get_model" { get_arguments() } else { definition() };
        assert_eq!(session.call(tool, arguments).await["model"]["name"], "Users");
        assert_eq!(api.received().len(), 2);
    });
    futures_util::future::join_all(checks).await;
}

#[tokio::test]
async fn a_sample_that_times_out_is_requested_as_a_job_once() {
    let sample_path = format!("{MODEL}/sample");
    let message = |text: &str| json!({"message": text});
    for (label, status, body, falls_back) in [
        ("408", 408, json!({}), true),
        ("504", 504, json!({}), true),
        ("500 that mentions a timeout", 500, message("query timed out"), true),
        ("400 that mentions async", 400, message("Use async=true for this model."), true),
        ("400 that mentions neither", 400, message("there is no column timestamp"), false),
        ("403", 403, message("timeout"), false),
    ] {
        let stub = Stub::start().await;
        let respond = move |request: &wiremock::Request| match request.url.query() {
            Some("async=true") => ResponseTemplate::new(200)
                .set_body_json(json!({"job": job("samplemodel", "created", Value::Null)})),
            _ => ResponseTemplate::new(status).set_body_json(&body),
        };
        stub.respond("GET", &sample_path, respond).await;
        let result = json!({"records": [{UNKNOWN_ID: {"a": 1}}], "warnings": []});
        stub.json(
            "GET",
            &job_path("samplemodel"),
            200,
            json!({"data": job("samplemodel", "done", result)}),
        )
        .await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let line = format!("GET {sample_path}");
        if falls_back {
            let sample = session.call("sample_records", get_arguments()).await;
            assert_eq!(sample["records"][0][UNKNOWN_ID]["a"], 1, "{label}: {sample}");
            let lines = stub.lines().await;
            assert_eq!(lines[..2], [line.clone(), format!("{line}?async=true")], "{label}");
        } else {
            session.call_err("sample_records", get_arguments()).await;
            assert_eq!(stub.lines().await, [line], "{label}");
        }
    }
    // Once: if the job is rejected as well, that error is returned.
    let stub = Stub::start().await;
    stub.json("GET", &sample_path, 400, json!({"message": "took too much time"})).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("sample_records", get_arguments()).await;
    assert_eq!(error["code"], "invalid_argument", "{error}");
    assert_eq!(stub.requests().await.len(), 2);
}
