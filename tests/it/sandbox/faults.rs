//! Faults on demand, and the log of what they were injected into.

use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Sandbox, scratch_file, send, users, wait_until};

/// A sandbox with one rule.
fn with_fault(rule: &str) -> Sandbox {
    Sandbox::start_with(&["--fault", rule])
}

async fn model_count(sandbox: &Sandbox) -> usize {
    sandbox.get("/api/models").await.data().as_array().unwrap().len()
}

/// The newest entry of the log.
async fn last_logged(sandbox: &Sandbox) -> Value {
    let log = sandbox.get("/sandbox/log").await;
    log.data().as_array().unwrap().last().unwrap().clone()
}

#[tokio::test]
async fn a_status_is_injected_into_the_chosen_operation_a_number_of_times() {
    let rule = "create_model:status=503,retry_after=2,skip=1,times=2";
    let sandbox = with_fault(rule);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let response = sandbox.post("/api/models", &users(json!({}))).await;
        statuses.push(response.status);
        if response.status == 503 {
            assert!(response.error_message(503).contains("create_model"), "{}", response.text);
            assert_eq!(response.headers["retry-after"], "2");
            assert_eq!(last_logged(&sandbox).await["faults"], json!([rule]));
        }
        sandbox.get("/api/me").await.data();
    }
    assert_eq!(statuses, [200, 503, 503, 200, 200]);
    assert_eq!(model_count(&sandbox).await, 3);
    let faults = sandbox.get("/sandbox/faults").await;
    assert_eq!(faults.data(), &json!([{ "rule": rule, "matched": 5, "injected": 2 }]));
}

#[tokio::test]
async fn a_probability_with_a_seed_is_the_same_every_time() {
    let rule = "*:status=500,probability=0.5,seed=7";
    let (one, other) = (with_fault(rule), with_fault(rule));
    let mut statuses = Vec::new();
    for _ in 0..40 {
        let status = one.get("/api/me").await.status;
        assert_eq!(other.get("/api/me").await.status, status);
        statuses.push(status);
    }
    let failed = statuses.iter().filter(|status| **status == 500).count();
    assert!((8..=32).contains(&failed), "{statuses:?}");
}

#[tokio::test]
async fn responses_are_delayed() {
    for arguments in [["--fault", "get_*:delay=300ms"], ["--latency", "300"]] {
        let sandbox = Sandbox::start_with(&arguments);
        let started = Instant::now();
        sandbox.get("/api/me").await.data();
        assert!(started.elapsed() >= Duration::from_millis(300), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_body_that_is_cut_is_shorter_than_its_length() {
    let sandbox = with_fault("create_model:cut=10,times=1");
    let response = sandbox.request(Method::POST, "/api/models").json(&users(json!({})));
    let mut response = response.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.content_length().unwrap() > 100);
    let mut received = Vec::new();
    let error = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => received.extend_from_slice(&chunk),
            Ok(None) => panic!("the whole body"),
            Err(error) => break error,
        }
    };
    assert!(!error.is_timeout(), "{error:?}");
    assert_eq!(received.len(), 10);
    assert_eq!(model_count(&sandbox).await, 1);
    // Without a body there is nothing to cut: the response does not arrive.
    let model = sandbox.get("/api/models").await.data()[0]["id"].as_str().unwrap().to_owned();
    sandbox.post("/sandbox/faults", &json!({ "fault": "delete_model:cut" })).await.data();
    let delete = sandbox.request(Method::DELETE, &format!("/api/models/{model}"));
    assert!(delete.send().await.is_err());
    assert_eq!(model_count(&sandbox).await, 0);
}

#[tokio::test]
async fn a_connection_is_reset_before_or_after_the_request_is_carried_out() {
    for (rule, models) in [("create_model:reset", 0), ("create_model:reset,carry_out", 1)] {
        let sandbox = with_fault(rule);
        let request = sandbox.request(Method::POST, "/api/models").json(&users(json!({})));
        let error = request.send().await.unwrap_err();
        let mut cause: Option<&dyn Error> = Some(&error);
        let mut kinds = Vec::new();
        while let Some(error) = cause {
            kinds.extend(error.downcast_ref::<io::Error>().map(io::Error::kind));
            cause = error.source();
        }
        assert!(kinds.contains(&io::ErrorKind::ConnectionReset), "{rule}: {error:?}");
        let logged = last_logged(&sandbox).await;
        assert_eq!(
            (&logged["status"], &logged["operation"]),
            (&Value::Null, &json!("create_model"))
        );
        assert!(logged["duration_ms"].is_number(), "{logged}");
        assert_eq!(model_count(&sandbox).await, models, "{rule}");
    }
}

#[tokio::test]
async fn a_gateway_responds_after_the_change() {
    let sandbox = with_fault("create_model:gateway=504,times=1");
    let body = users(json!({}));
    let request = || {
        let request = sandbox.request(Method::POST, "/api/models").json(&body);
        request.header("Idempotency-Key", "through-a-gateway")
    };
    let response = request().send().await.unwrap();
    assert_eq!(response.status(), 504);
    assert_eq!(response.headers()["content-type"], "text/html");
    assert!(response.text().await.unwrap().contains("504 Gateway Timeout"));
    let models = sandbox.get("/api/models").await;
    let repeated = send(request()).await;
    assert_eq!(&json!([repeated.data()]), models.data());
    assert_eq!(model_count(&sandbox).await, 1);
}

#[tokio::test]
async fn pages_and_broken_json_come_with_status_200() {
    for (rule, expected) in
        [("get_identity:html", "<!DOCTYPE html>"), ("get_identity:invalid_json", "{\"data\"")]
    {
        let sandbox = with_fault(rule);
        let response = sandbox.request(Method::GET, "/api/me").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let text = response.text().await.unwrap();
        assert!(text.starts_with(expected), "{text}");
        assert!(serde_json::from_str::<Value>(&text).is_err());
    }
}

#[tokio::test]
async fn a_hanging_request_is_logged_and_does_not_keep_the_sandbox_from_stopping() {
    let sandbox = with_fault("create_model:hang,carry_out");
    let request = sandbox.request(Method::POST, "/api/models").json(&users(json!({})));
    let hanging = tokio::spawn(request.send());
    let is_hanging = async || {
        let log = sandbox.get("/sandbox/log").await;
        log.data()[0]["faults"] == json!(["create_model:hang,carry_out"])
            && model_count(&sandbox).await == 1
    };
    wait_until("the request to be carried out", is_hanging).await;
    assert!(!hanging.is_finished());
    let first = sandbox.get("/sandbox/log").await.data()[0].clone();
    assert_eq!((&first["status"], &first["duration_ms"]), (&Value::Null, &Value::Null));
    let started = Instant::now();
    let status = tokio::task::spawn_blocking(move || sandbox.terminate()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() < Duration::from_millis(1_400), "{:?}", started.elapsed());
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test]
async fn a_job_fails_or_never_ends() {
    let sandbox = Sandbox::start_with(&[
        "--fault",
        "create_model:fail_job=quota exceeded,times=1",
        "--fault",
        "create_model:endless_job",
    ]);
    let failed = sandbox.post("/api/models?async=true", &users(json!({}))).await;
    let job = sandbox.wait_for_job(&failed.body["job"]).await;
    assert_eq!((&job["status"], &job["error"]), (&json!("failed"), &json!("quota exceeded")));
    // Also without `async`: the work did not finish in time.
    let endless = sandbox.post("/api/models", &users(json!({}))).await;
    assert_eq!(endless.data(), &Value::Null);
    let path = format!("/api/jobs/createmodel/{}", endless.body["job"]["job_id"].as_str().unwrap());
    for _ in 0..3 {
        assert_eq!(sandbox.get(&path).await.data()["status"], "running");
    }
    assert_eq!(model_count(&sandbox).await, 0);
}

#[tokio::test]
async fn requests_over_the_rate_limit_get_429() {
    let sandbox = with_fault("list_models:rate_limit=3,retry_after=4");
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let response = sandbox.get("/api/models").await;
        statuses.push(response.status);
        if response.status == 429 {
            assert_eq!(response.headers["retry-after"], "4");
        }
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    let is_let_pass = async || sandbox.get("/api/models").await.status == 200;
    wait_until("the next second", is_let_pass).await;
}

#[tokio::test]
async fn an_invalid_rule_says_what_was_expected() {
    let cases = [
        ("create_model", "no colon"),
        ("create_modle:hang", "did you mean create_model?"),
        ("nothing_*:hang", "is no operation"),
        ("*:", "There is no fault; expected one of status"),
        ("*:statsu=500", "did you mean status?"),
        ("*:colour=red", "colour: unknown; expected one fault"),
        ("*:status=200", "status: \"200\" is invalid; expected a whole number from 400 to 599"),
        ("*:hang,reset", "hang and reset are two faults"),
        ("*:hang=5", "hang: \"5\" is invalid; expected no value"),
        ("*:delay=500", "a duration such as 500ms or 2s"),
        ("*:hang,times=0", "times: \"0\""),
        ("*:hang,times=1,times=2", "times is there twice"),
        ("*:hang,probability=2", "above 0, at most 1"),
        ("*:hang,seed=2", "with probability only"),
        ("*:hang,retry_after=2", "with status and rate_limit only"),
        ("*:cut,carry_out", "carry_out: not with cut"),
        ("get_model:fail_job", "get_model starts no job; expected one of create_model"),
        ("*:rate_limit=0", "requests per second"),
    ];
    let sandbox = Sandbox::start();
    for (rule, expected) in cases {
        let (status, _, stderr) = Sandbox::process(&["--fault", rule]).output().await;
        assert_eq!(status, 2, "{rule}: {stderr}");
        assert!(stderr.contains(expected), "{rule}: {stderr}");
        let response = sandbox.post("/sandbox/faults", &json!({ "fault": rule })).await;
        assert!(response.error_message(400).contains(expected), "{rule}: {}", response.text);
    }
    assert_eq!(sandbox.get("/sandbox/faults").await.data(), &json!([]));
    for (text, expected) in [
        (
            "[[fault]]\noperations = \"*\"\nhang = true\n[[fault]]\nhang = true\n",
            "fault 2: operations: missing",
        ),
        ("[[fault]]\noperations = \"*\"\nstatus = [1]\n", "fault 1: status: expected a text"),
        ("[faults]\n", "Expected tables [[fault]]"),
        ("[[fault\n", "line 1"),
    ] {
        let file = scratch_file("faults.toml");
        std::fs::write(file.path(), text).unwrap();
        let (status, _, stderr) = Sandbox::process(&["--faults", file.path()]).output().await;
        assert_eq!(status, 1, "{stderr}");
        assert!(stderr.contains(expected) && stderr.contains("\nhint: "), "{text}: {stderr}");
    }
}

#[tokio::test]
async fn rules_come_from_a_file_and_from_the_endpoint() {
    let file = scratch_file("faults.toml");
    let text = "[[fault]]\noperations = \"list_*\"\nstatus = 500\n\n\
                [[fault]]\noperations = \"get_identity\"\ndelay = \"1ms\"\nprobability = 0.5\nseed = 3\n";
    std::fs::write(file.path(), text).unwrap();
    let sandbox = Sandbox::start_with(&["--faults", file.path(), "--keys"]);
    sandbox.get("/api/models").await.error_message(500);
    let rules = |response: &crate::support::Response| -> Vec<String> {
        let rules = response.data().as_array().unwrap().iter();
        rules.map(|entry| entry["rule"].as_str().unwrap().to_owned()).collect()
    };
    let of_file = ["list_*:status=500", "get_identity:delay=1ms,probability=0.5,seed=3"];
    assert_eq!(rules(&sandbox.get("/sandbox/faults").await), of_file);
    let cleared = sandbox.delete("/sandbox/faults").await;
    assert_eq!(cleared.data(), &json!([]));
    sandbox.get("/api/models").await.data();
    let forms = [
        json!({ "operations": "list_models", "status": 503, "retry_after": 1, "times": 1 }),
        json!({ "fault": "list_models:status=502,times=1" }),
        json!({ "faults": ["get_identity:html", { "operations": "get_identity", "hang": true }] }),
    ];
    for form in forms {
        sandbox.post("/sandbox/faults", &form).await.data();
    }
    assert_eq!(rules(&sandbox.get("/sandbox/faults").await).len(), 4);
    for status in [503, 502, 200] {
        assert_eq!(sandbox.get("/api/models").await.status, status);
    }
    for (role, status) in [("read_only", 403), ("other_organization", 403), ("expired", 401)] {
        for path in ["faults", "log", "clock", "state", "events"] {
            let response = sandbox.with_key(role).get(&format!("/sandbox/{path}")).await;
            response.error_message(status);
        }
    }
    for (method, path) in [
        (Method::GET, "/sandbox/log"),
        (Method::POST, "/sandbox/reset"),
        (Method::POST, "/sandbox/clock"),
        (Method::DELETE, "/sandbox/faults"),
    ] {
        send(sandbox.anonymous(method, path)).await.error_message(401);
    }
}
