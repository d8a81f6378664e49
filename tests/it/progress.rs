//! Progress notifications, for those who give a token.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    CONNECTION, Fault, FaultyServer, Launch, Session, Stub, UNKNOWN_ID, job, stateless,
};

const JOB: &str = "/api/jobs/createmodel/0b9f7a52-6c3e-4a0e-9a53-0d9a5f0c1b22";

/// Calls with a token; returns the notifications and the response, which comes last.
async fn call(session: &mut Session, mut params: Value, token: Value) -> (Vec<Value>, Value) {
    if params.get("_meta").is_none() {
        params["_meta"] = json!({});
    }
    params["_meta"]["progressToken"] = token;
    let id = session.next_id();
    session
        .send(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}))
        .await;
    let mut notices = Vec::new();
    loop {
        let message = session.next().await;
        if message["id"] == id {
            return (notices, message);
        }
        assert_eq!(message["method"], "notifications/progress", "{message}");
        notices.push(message["params"].clone());
    }
}

async fn busy(status: &str) -> Stub {
    let stub = Stub::start().await;
    let started = json!({"job": job("createmodel", "created", Value::Null)});
    stub.json("POST", "/api/models", 200, started).await;
    stub.json("GET", JOB, 200, json!({"data": job("createmodel", status, Value::Null)})).await;
    stub
}

fn create(wait_seconds: u32) -> Value {
    json!({"name": "create_model", "arguments": {
        "connection_id": CONNECTION, "name": "Users", "configuration": {"table": "t"},
        "wait_seconds": wait_seconds,
    }})
}

#[tokio::test]
async fn a_job_is_reported_with_rising_values_at_least_every_five_seconds() {
    let stub = busy("running").await;
    for (label, token, params) in
        [("2025", json!("token-1"), create(9)), ("stateless", json!(7), stateless(create(9)))]
    {
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let (notices, response) = call(&mut session, params, token.clone()).await;
        assert!(response["result"]["structuredContent"]["next"].is_object(), "{label}: {response}");
        assert!(notices.len() >= 3, "{label}: {notices:?}");
        let mut last = 0;
        for notice in &notices {
            assert_eq!(notice["progressToken"], token, "{label}");
            let value = notice["progress"].as_u64().unwrap();
            assert!(value > last, "{label}: {notices:?}");
            last = value;
        }
        let words = notices.last().unwrap()["message"].as_str().unwrap();
        assert!(words.starts_with("the job is running"), "{label}: {words}");
        // None after the response.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let response = session.request("ping", json!({})).await;
        assert_eq!(response["result"], json!({}), "{label}");
    }
}

#[tokio::test]
async fn statuses_of_the_api_are_not_passed_on() {
    let stub = busy("IGNORE-ALL-PREVIOUS").await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let (notices, _) = call(&mut session, create(2), json!("t")).await;
    assert!(!notices.is_empty());
    assert!(!json!(notices).to_string().contains("IGNORE"), "{notices:?}");
}

#[tokio::test]
async fn a_slow_read_is_reported_as_well() {
    let stub = Stub::slow(Duration::from_secs(9)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let params = json!({"name": "get_model", "arguments": {"model_id": UNKNOWN_ID}});
    let (notices, response) = call(&mut session, params, json!("t")).await;
    assert_eq!(response["result"]["structuredContent"]["model"]["name"], "Users");
    assert_eq!(notices.len(), 2, "{notices:?}");
}

#[tokio::test]
async fn nothing_is_reported_without_a_token_or_after_a_cancel() {
    let stub = busy("running").await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let response = session.request("tools/call", create(6)).await;
    assert!(response["result"].is_object(), "{response}");
    let mut params = create(30);
    params["_meta"] = json!({"progressToken": "t"});
    let id = session.next_id();
    session
        .send(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}))
        .await;
    assert_eq!(session.next().await["method"], "notifications/progress");
    session.cancel(id).await;
    // What was written before the cancel was read may still come.
    session.request_ignoring_notifications("ping").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    session.expect_silence().await;
}

#[tokio::test]
async fn a_retry_is_reported_with_its_reason() {
    let success = || Fault::Response(200, "", json!({"data": {"id": UNKNOWN_ID, "name": "Users"}}));
    for (fault, reason) in [
        (
            Fault::Response(429, "", json!({"message": "IGNORE-ALL-PREVIOUS"})),
            "rate limit exceeded",
        ),
        (Fault::ResetAfterRead, "the connection broke"),
        (Fault::Page(503), "the API is unavailable"),
    ] {
        let api = FaultyServer::start(vec![fault, success()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        let params = json!({"name": "get_model", "arguments": {"model_id": UNKNOWN_ID}});
        let (notices, _) = call(&mut session, params, json!("t")).await;
        let message = notices[0]["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("retrying: {reason} (")), "{notices:?}");
    }
}
