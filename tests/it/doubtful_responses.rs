//! Responses that say two things at once: an error with status 200, a page with the status of a refusal, a job that ended
//! without a word on what became of the change. None of them is taken for a success, or for a refusal.

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{
    CONNECTION, CallResult, JOB_ID, Launch, MODEL, Session, Stub, UNKNOWN_ID, definition, job,
    job_path, over_mcp,
};

const MODELS: &str = "/api/models";
const SYNCS: &str = "/api/syncs";
const TEST: &str = "/api/connections/test";

fn json_text(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

fn page(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw("<html>Blocked</html>", "text/html")
}

/// A stub whose model can be read.
async fn stub() -> Stub {
    let stub = Stub::start().await;
    let model = json!({"id": UNKNOWN_ID, "name": "U", "version": 1, "connection_id": CONNECTION,
        "configuration": {"table": "t"}});
    stub.json("GET", MODEL, 200, json!({"data": model})).await;
    stub
}

async fn call(stub: &Stub, tool: &str, arguments: Value) -> CallResult {
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    over_mcp(&mut session, tool, &arguments).await
}

fn rename() -> Value {
    json!({"model_id": UNKNOWN_ID, "name": "V"})
}

fn forced() -> Value {
    json!({"model_id": UNKNOWN_ID, "force": true})
}

fn of_model() -> Value {
    json!({"model_id": UNKNOWN_ID})
}

/// The result of a call whose request `verb path` gets this response.
async fn respond(
    verb: &str,
    path: &str,
    response: ResponseTemplate,
    tool: &str,
    arguments: Value,
) -> CallResult {
    let stub = match (verb, path) {
        ("GET", MODEL) => Stub::start().await,
        _ => stub().await,
    };
    stub.on(verb, path, response).await;
    call(&stub, tool, arguments).await
}

#[tokio::test]
async fn an_error_in_a_list_or_in_or_beside_data_is_no_success() {
    let id = UNKNOWN_ID;
    let with_error = format!(r#"{{"data":{{"id":"{id}"}},"error":"partial"}}"#);
    let with_errors = format!(r#"{{"data":{{"id":"{id}"}},"errors":[{{"message":"partial"}}]}}"#);
    for (body, message) in [
        (r#"[{"error":"denied"}]"#, Some("denied")),
        (r#"[{"message":"no","status":500}]"#, Some("no")),
        ("[]", None),
        (r#"[{"id":"x","name":"V"}]"#, None),
        (r#"{"data":{"error":"denied"}}"#, Some("denied")),
        (r#"{"data":{"success":false,"message":"denied"}}"#, Some("denied")),
        (r#"{"data":[{"error":"denied"}]}"#, Some("denied")),
        (r#"{"data":{"name":"V"}}"#, None),
        (&with_error, Some("partial")),
        (&with_errors, Some("partial")),
    ] {
        for (verb, path, tool, arguments) in [
            ("PUT", MODEL, "update_model", rename()),
            ("POST", MODELS, "create_model", definition()),
            ("DELETE", MODEL, "delete_model", forced()),
        ] {
            if verb == "DELETE" && body.contains("name") {
                continue; // whatever the data of a deletion, it says nothing
            }
            let label = format!("{tool}: {body}");
            let result = respond(verb, path, json_text(body), tool, arguments).await;
            let error = result.expect_err(&label);
            assert_eq!(error["outcome"], "unknown", "{label}: {error}");
            assert_eq!(error["http_status"], 200, "{label}: {error}");
            if let Some(message) = message {
                assert_eq!(error["details"]["message"], message, "{label}: {error}");
            }
        }
    }
    for body in [r#"{"data":{"error":"x"}}"#, r#"{"data":{"deleted":false}}"#] {
        let result = respond("DELETE", MODEL, json_text(body), "delete_model", forced()).await;
        assert_eq!(result.unwrap_err()["outcome"], "unknown", "{body}");
    }
    for body in [r#"{"data":{"error":"denied"}}"#, &with_error, r#"[{"error":"denied"}]"#] {
        let result = respond("GET", MODEL, json_text(body), "get_model", of_model()).await;
        assert_eq!(result.unwrap_err()["code"], "upstream_error", "{body}");
    }
    // What is left of the list may lack the sync that reads from the model.
    let stub = stub().await;
    stub.json("GET", SYNCS, 200, json!({"data": [], "error": "partial"})).await;
    stub.on("DELETE", MODEL, ResponseTemplate::new(204)).await;
    let error = call(&stub, "delete_model", of_model()).await.unwrap_err();
    assert_eq!(
        (&error["outcome"], &error["details"]["message"]),
        (&json!("not_sent"), &json!("partial"))
    );
}

#[tokio::test]
async fn a_job_with_an_error_in_its_data_is_still_a_job() {
    let failed = json!({"data": {"type": "createmodel", "status": "failed", "error": "no table"}});
    let stub = stub().await;
    stub.json("GET", &job_path("createmodel"), 200, failed).await;
    let arguments = json!({"type": "createmodel", "job_id": JOB_ID});
    let error = call(&stub, "get_job", arguments).await.unwrap_err();
    assert_eq!(
        (&error["code"], &error["details"]["error"]),
        (&json!("job_failed"), &json!("no table"))
    );
}

#[tokio::test]
async fn a_job_that_was_stopped_leaves_the_outcome_unknown_and_keeps_the_key() {
    for (word, outcome) in [
        ("timed_out", "unknown"),
        ("Canceled", "unknown"),
        ("aborted", "unknown"),
        ("expired", "unknown"),
        ("failed", "refused"),
        ("errored", "refused"),
    ] {
        let stub = stub().await;
        let started = json!({"data": null, "job": job("updatemodel", "running", Value::Null)});
        stub.json("PUT", MODEL, 200, started).await;
        let ended = json!({"data": job("updatemodel", word, Value::Null)});
        stub.json("GET", &job_path("updatemodel"), 200, ended).await;
        let error = call(&stub, "update_model", rename()).await.unwrap_err();
        assert_eq!(
            (&error["code"], &error["outcome"]),
            (&json!("job_failed"), &json!(outcome)),
            "{word}: {error}"
        );
        let hint = error["hint"].as_str().unwrap();
        assert_eq!(hint.contains("get_model"), outcome == "unknown", "{word}: {error}");

        let started = json!({"data": null, "job": job("createmodel", "running", Value::Null)});
        stub.json("POST", MODELS, 200, started).await;
        let ended = json!({"data": job("createmodel", word, Value::Null)});
        stub.json("GET", &job_path("createmodel"), 200, ended).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let first = session.call_err("create_model", definition()).await;
        session.call_err("create_model", definition()).await;
        let requests = stub.requests().await;
        let keys: Vec<_> = requests
            .iter()
            .filter(|request| request.method == "POST")
            .map(|request| request.headers["idempotency-key"].to_str().unwrap())
            .collect();
        assert_eq!(keys[0] == keys[1], outcome == "unknown", "{word}");
        let reported = first["details"].get("idempotency_key");
        assert_eq!(reported.is_some(), outcome == "unknown", "{word}: {first}");
    }
}

#[tokio::test]
async fn a_delete_does_not_read_more_syncs_than_it_can() {
    let stub = stub().await;
    let syncs: Vec<_> =
        (0..1_001).map(|n| json!({"id": UNKNOWN_ID, "name": n.to_string()})).collect();
    stub.json("GET", SYNCS, 200, json!({"data": syncs})).await;
    stub.json("GET", &format!("{SYNCS}/{UNKNOWN_ID}"), 200, json!({"data": {"model_ids": []}}))
        .await;
    stub.on("DELETE", MODEL, ResponseTemplate::new(204)).await;
    let error = call(&stub, "delete_model", of_model()).await.unwrap_err();
    assert_eq!(
        (&error["code"], &error["outcome"]),
        (&json!("upstream_error"), &json!("not_sent")),
        "{error}"
    );
    assert!(!error["hint"].as_str().unwrap().contains("force"), "{error}");
    assert_eq!(stub.lines().await.len(), 1, "{error}");
}

#[tokio::test]
async fn a_name_that_comes_twice_is_reported_and_no_basis_for_changes() {
    let model = |properties: &str| {
        format!(
            r#"{{"data":{{"id":"{UNKNOWN_ID}","name":"U","version":1,"connection_id":"{CONNECTION}",{properties}}}}}"#
        )
    };
    for (properties, place) in [
        (r#""configuration":{"x":1,"x":2}"#, Some("data.configuration.x")),
        (r#""configuration":{"x":{"y":1,"\u0079":2}}"#, Some("data.configuration.x.y")),
        (r#""configuration":{"t":1},"labels":["a"],"labels":["b"]"#, Some("data.labels")),
        (r#""configuration":{"t":1},"id":"00000000-0000-4000-8000-000000000001""#, Some("data.id")),
        (r#""configuration":{"t":1,"T":1,"u":{"t":1},"v":[{"t":1},{"t":1}]}"#, None),
    ] {
        let stub = Stub::start().await;
        stub.on("GET", MODEL, json_text(&model(properties))).await;
        stub.json("PUT", MODEL, 200, json!({"data": {"id": UNKNOWN_ID, "name": "V"}})).await;
        let result = call(&stub, "update_model", rename()).await;
        let Some(place) = place else {
            assert!(result.unwrap().get("notice").is_none(), "{properties}");
            continue;
        };
        let error = result.unwrap_err();
        assert_eq!(
            (&error["code"], &error["outcome"]),
            (&json!("upstream_error"), &json!("not_sent")),
            "{properties}: {error}"
        );
        let repairs = error["details"]["repairs"].as_str().unwrap();
        assert!(repairs.contains("twice") && repairs.contains(place), "{repairs}");
        assert!(stub.lines().await.iter().all(|line| line.starts_with("GET")), "{properties}");
    }
    let twice = model(r#""labels":["a"],"labels":["b"]"#);
    let result = respond("GET", MODEL, json_text(&twice), "get_model", of_model()).await.unwrap();
    let notice = result["notice"].as_str().unwrap();
    assert!(
        notice.contains("1 name that came twice") && notice.contains("data.labels"),
        "{notice}"
    );

    let stub = stub().await;
    let sync = format!(r#"{{"data":[{{"id":"s","model_ids":["{UNKNOWN_ID}"],"model_ids":[]}}]}}"#);
    stub.on("GET", SYNCS, json_text(&sync)).await;
    stub.on("DELETE", MODEL, ResponseTemplate::new(204)).await;
    let error = call(&stub, "delete_model", of_model()).await.unwrap_err();
    assert_eq!(error["outcome"], "not_sent", "{error}");
    assert!(stub.lines().await.iter().all(|line| line.starts_with("GET")));
}

#[tokio::test]
async fn a_delete_that_cannot_read_the_syncs_says_first_what_to_do() {
    for (response, part) in [
        (page(403), "HTTPS_PROXY"),
        (ResponseTemplate::new(401).set_body_json(json!({"status": 401})), "POLYTOMIC_API_KEY"),
        (ResponseTemplate::new(407), "HTTPS_PROXY"),
    ] {
        let error = respond("GET", SYNCS, response, "delete_model", of_model()).await.unwrap_err();
        let hint = error["hint"].as_str().unwrap();
        let (cause, nothing) = (hint.find(part), hint.find("Nothing was deleted"));
        assert!(cause.is_some() && cause < nothing, "{error}");
    }
}

#[tokio::test]
async fn a_test_that_fails_with_status_200_is_a_connection_that_does_not_work() {
    let connection = json!({"data": {"id": CONNECTION, "type": {"id": "postgresql"}}});
    let path = format!("/api/connections/{CONNECTION}");
    let arguments = json!({"connection_id": CONNECTION});
    for (body, works, reason) in [
        (r#"{"success":false,"message":"bad pw"}"#, false, Some("bad pw")),
        (r#"{"ok":false}"#, false, None),
        ("false", false, None),
        (r#"[{"error":"bad pw"}]"#, false, Some("bad pw")),
        (r#"{"data":{"error":"bad pw"}}"#, false, Some("bad pw")),
        (r#"{"error":"bad pw"}"#, false, Some("bad pw")),
        (r#"{"status":400,"message":"bad pw"}"#, false, Some("bad pw")),
        ("", true, None),
        ("null", true, None),
        ("true", true, None),
        ("{}", true, None),
        (r#"{"success":true,"error":null}"#, true, None),
        (r#"{"data":{"status":"ok"}}"#, true, None),
    ] {
        let stub = Stub::start().await;
        stub.json("GET", &path, 200, connection.clone()).await;
        stub.on("POST", TEST, json_text(body)).await;
        let result = call(&stub, "test_connection", arguments.clone()).await;
        let result = result.unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(result["works"], works, "{body}: {result}");
        assert_eq!(result.get("reason").and_then(Value::as_str), reason, "{body}: {result}");
    }
    for response in [
        ResponseTemplate::new(200).set_body_string("Sign in"),
        json_text(r#"{"status":429,"message":"slow down"}"#),
        page(400),
    ] {
        let stub = Stub::start().await;
        stub.json("GET", &path, 200, connection.clone()).await;
        stub.on("POST", TEST, response).await;
        let error = call(&stub, "test_connection", arguments.clone()).await.unwrap_err();
        assert_ne!(error["code"], "invalid_argument", "{error}");
    }
}

#[tokio::test]
async fn a_page_is_not_the_refusal_of_the_api() {
    for status in [400, 404, 409, 422] {
        for (verb, path, tool, arguments) in
            [("DELETE", MODEL, "delete_model", forced()), ("PUT", MODEL, "update_model", rename())]
        {
            let error = respond(verb, path, page(status), tool, arguments).await.unwrap_err();
            assert_eq!(
                (&error["code"], &error["outcome"], &error["http_status"]),
                (&json!("upstream_error"), &json!("unknown"), &json!(status)),
                "{tool}: {error}"
            );
        }
        let result = respond("GET", MODEL, page(status), "get_model", of_model()).await;
        assert_eq!(result.unwrap_err()["code"], "upstream_error", "{status}");
    }
    // Sending it again at once would meet the same page.
    let stub = stub().await;
    stub.on("POST", MODELS, page(400)).await;
    let error = call(&stub, "create_model", definition()).await.unwrap_err();
    assert_eq!((&error["code"], &error["outcome"]), (&json!("upstream_error"), &json!("unknown")));
    assert_eq!(stub.lines().await, ["POST /api/models"]);
}

#[tokio::test]
async fn an_error_with_status_200_has_its_headers_and_one_hint() {
    let response = json_text(r#"{"status":429,"message":"slow down","key":null}"#)
        .insert_header("retry-after", "3600")
        .insert_header("x-request-id", "request-1");
    let error = respond("GET", MODEL, response, "get_model", of_model()).await.unwrap_err();
    assert_eq!(error["details"]["retry_after_seconds"], 3600, "{error}");
    assert_eq!(error["details"]["request_id"], "request-1", "{error}");
    assert!(error["hint"].as_str().unwrap().contains("3600 s"), "{error}");

    let rejected = json_text(r#"{"status":400,"message":"no table"}"#);
    let error = respond("POST", MODELS, rejected, "create_model", definition()).await.unwrap_err();
    assert_eq!(
        (&error["code"], &error["retryable"], &error["outcome"]),
        (&json!("invalid_argument"), &json!(false), &json!("unknown")),
        "{error}"
    );
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.starts_with("Read details.message. Correct the arguments"), "{error}");
    assert!(hint.contains("list_models") && !hint.contains("same arguments"), "{error}");

    let failed = json_text(r#"{"status":500,"message":"broken"}"#);
    let error = respond("GET", MODEL, failed, "get_model", of_model()).await.unwrap_err();
    let message = error["message"].as_str().unwrap();
    assert!(!message.contains("HTTP status 500") && message.contains("200"), "{error}");

    for body in [
        r#"{"statusCode":500,"message":"no"}"#,
        r#"{"code":"denied","message":"no"}"#,
        r#"{"success":false,"message":"no"}"#,
        r#"{"status":"error","message":"no"}"#,
        r#"{"problem":"x","message":"no"}"#,
    ] {
        let result = respond("GET", MODEL, json_text(body), "get_model", of_model()).await;
        let error = result.unwrap_err();
        assert_eq!(error["details"]["message"], "no", "{body}: {error}");
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("details.message"), "{body}: {error}");
        let names_error = !body.contains("problem");
        assert_eq!(hint.contains("POLYTOMIC_BASE_URL"), !names_error, "{body}: {error}");
    }
}

#[tokio::test]
async fn a_message_of_an_earlier_attempt_names_error_to_be_one() {
    let stub = Stub::start().await;
    let served = std::sync::atomic::AtomicUsize::new(0);
    let respond = move |_: &wiremock::Request| match served
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    {
        0 => ResponseTemplate::new(503).set_body_json(json!({"message": "down for repairs"})),
        _ => ResponseTemplate::new(400),
    };
    stub.respond("GET", MODEL, respond).await;
    let error = call(&stub, "get_model", of_model()).await.unwrap_err();
    assert_eq!(
        (&error["http_status"], &error["details"]["earlier_status"]),
        (&json!(400), &json!(503))
    );
    let hint = error["hint"].as_str().unwrap();
    assert!(!hint.contains("Read details.message. Correct"), "{error}");
    assert!(
        hint.contains("details.message is of an earlier attempt, with HTTP status 503"),
        "{error}"
    );
}

#[tokio::test]
async fn an_odd_end_of_a_page_does_not_cost_the_list() {
    let list = r#"[{"id":"a","name":"A"}]"#;
    for pagination in ["[]", r#""""#, "false", "0", r#"{"next_page_token":false}"#] {
        let body = format!(r#"{{"data":{list},"pagination":{pagination}}}"#);
        let result = respond("GET", MODELS, json_text(&body), "list_models", json!({})).await;
        let result = result.unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(result["models"].as_array().unwrap().len(), 1, "{body}");
        assert!(result.get("notice").is_none() && result.get("next_cursor").is_none(), "{result}");
    }
    let body = format!(r#"{{"data":{list},"pagination":{{"next_page_token":7}}}}"#);
    let arguments = json!({"limit": 1});
    let result = respond("GET", MODELS, json_text(&body), "list_models", arguments).await.unwrap();
    assert!(result["next_cursor"].is_string(), "{result}");
    for path in [MODELS, "/api/connections"] {
        let tool = if path == MODELS { "list_models" } else { "list_connections" };
        let result = respond("GET", path, json_text(r#"{"data":{}}"#), tool, json!({})).await;
        let result = result.unwrap_or_else(|error| panic!("{tool}: {error}"));
        assert!(result["notice"].as_str().unwrap().contains("(at data)"), "{result}");
    }
    // Not what a deletion may rest on.
    let body = json_text(r#"{"data":{}}"#);
    let error = respond("GET", SYNCS, body, "delete_model", of_model()).await.unwrap_err();
    assert_eq!(error["outcome"], "not_sent", "{error}");
}

#[tokio::test]
async fn a_list_that_returns_to_an_earlier_page_says_so() {
    let stub = Stub::start().await;
    let respond = |request: &wiremock::Request| {
        let at =
            if request.url.query().is_some_and(|q| q.contains("page_token=b")) { "a" } else { "b" };
        let next = json!({"next_page_token": at});
        ResponseTemplate::new(200).set_body_json(json!({"data": [{"id": at}], "pagination": next}))
    };
    stub.respond("GET", MODELS, respond).await;
    stub.respond("GET", SYNCS, respond).await;
    for tool in ["list_models", "list_model_syncs"] {
        let result = call(&stub, tool, json!({})).await.unwrap();
        assert!(result["notice"].as_str().unwrap().contains("earlier page"), "{tool}: {result}");
    }
}
