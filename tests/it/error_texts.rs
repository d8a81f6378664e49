//! Whom an error blames, and whether it repeats what the response reports: errors with status 200, pages of proxies,
//! retries that end without a text, keys that were copied wrong.

use std::sync::atomic::{AtomicUsize, Ordering};

use polytomic_mcp::sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{
    CONNECTION, Fault, FaultyServer, Launch, MODEL, Session, Stub, UNKNOWN_ID, definition,
    rejected_key,
};

fn of_model() -> Value {
    json!({"model_id": UNKNOWN_ID})
}

#[tokio::test]
async fn an_error_body_with_status_200_is_that_error() {
    let (stub, next) =
        (Stub::start().await, std::sync::Arc::new(std::sync::Mutex::new(String::new())));
    let template = std::sync::Arc::clone(&next);
    let respond = move |_: &wiremock::Request| {
        ResponseTemplate::new(200)
            .set_body_raw(template.lock().unwrap().clone(), "application/json")
    };
    stub.respond("GET", MODEL, respond).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (body, code, message) in [
        (r#"{"key":"rate_limited","message":"m","status":429}"#, "rate_limited", Some("m")),
        (r#"{"key":"not_found","message":"m","status":404}"#, "not_found", Some("m")),
        (r#"{"message":"m","status":401}"#, "unauthorized", Some("m")),
        (r#"{"message":"m","status":403}"#, "forbidden", Some("m")),
        (r#"{"message":"m","status":"503"}"#, "upstream_unavailable", Some("m")),
        (r#"{"code":400,"message":"m"}"#, "invalid_argument", Some("m")),
        (r#"{"error":{"code":408,"message":"m"}}"#, "timeout", Some("m")),
        (r#"{"status":500}"#, "upstream_error", None),
        (r#"{"key":"k","message":"m"}"#, "upstream_error", Some("m")),
        (r#"{"error":"m"}"#, "upstream_error", Some("m")),
        (r#"{"errors":[{"message":"m"},{"message":"n"}]}"#, "upstream_error", Some("m")),
        (r#"{"data":null,"error":"m"}"#, "upstream_error", Some("m")),
        // Without data, but not called an error: the text is there all the same.
        (r#"{"message":"m"}"#, "upstream_error", Some("m")),
    ] {
        *next.lock().unwrap() = body.to_owned();
        let error = session.call_err("get_model", of_model()).await;
        assert_eq!(
            (&error["code"], &error["http_status"]),
            (&json!(code), &json!(200)),
            "{body}: {error}"
        );
        assert_eq!(
            error["details"].get("message").and_then(Value::as_str),
            message,
            "{body}: {error}"
        );
    }
}

#[tokio::test]
async fn every_tool_recognizes_an_error_body_with_status_200() {
    let body = json!({"key": "k", "message": "m", "status": 429});
    let stub = Stub::start().await;
    let connection = format!("/api/connections/{CONNECTION}");
    for path in [
        "/api/models",
        "/api/connections",
        "/api/connection_types",
        "/api/connection_types/postgresql/schema",
        "/api/connection_types/postgresql",
        "/api/me",
        "/api/syncs",
        &format!("{MODEL}/sample"),
        &format!("{connection}/modelsync/source"),
        &format!("{connection}/modelsync/source/fields"),
    ] {
        stub.json("GET", path, 200, body.clone()).await;
    }
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let of_connection = json!({"connection_id": CONNECTION});
    let with_table = json!({"connection_id": CONNECTION, "configuration": {"table": "t"}});
    for (tool, arguments) in [
        ("list_models", json!({})),
        ("list_connections", json!({})),
        ("list_connection_types", json!({})),
        ("get_connection_type_schema", json!({"connection_type": "postgresql"})),
        ("get_identity", json!({})),
        ("list_model_syncs", json!({})),
        ("sample_records", of_model()),
        ("get_model_source", of_connection),
        ("get_model_source_fields", with_table),
    ] {
        let error = session.call_err(tool, arguments).await;
        assert_eq!(error["code"], "rate_limited", "{tool}: {error}");
        assert_eq!(error["details"]["message"], "m", "{tool}: {error}");
    }
}

/// The status says that the change was applied and the body that it was not. A response that contradicts itself decides
/// nothing, and the same key makes sure that nothing is done twice.
#[tokio::test]
async fn an_error_body_with_status_200_leaves_the_outcome_of_a_write_unknown() {
    for status in [400, 401, 404, 409, 422, 429, 500, 503] {
        let body = json!({"key": "k", "message": "m", "status": status});
        let stub = Stub::start().await;
        stub.json(
            "GET",
            MODEL,
            200,
            json!({"data": {"id": UNKNOWN_ID, "name": "a", "version": 1}}),
        )
        .await;
        stub.json("POST", "/api/models", 200, body.clone()).await;
        stub.json("PUT", MODEL, 200, body.clone()).await;
        stub.json("DELETE", MODEL, 200, body.clone()).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        for (tool, arguments, next) in [
            // The same arguments would be rejected again.
            (
                "create_model",
                definition(),
                if matches!(status, 400 | 404 | 422) {
                    "list_models"
                } else {
                    "same idempotency key"
                },
            ),
            ("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"}), "get_model"),
            ("delete_model", json!({"model_id": UNKNOWN_ID, "force": true}), "get_model"),
        ] {
            let error = session.call_err(tool, arguments.clone()).await;
            assert_eq!(error["outcome"], "unknown", "{tool} {status}: {error}");
            assert_eq!(error["details"]["message"], "m", "{tool} {status}: {error}");
            let message = error["message"].as_str().unwrap();
            assert_eq!(
                message.matches("may have been applied").count(),
                1,
                "{tool} {status}: {error}"
            );
            assert!(error["hint"].as_str().unwrap().contains(next), "{tool} {status}: {error}");
        }
        let first = stub.requests().await.into_iter().find(|r| r.method == "POST").unwrap();
        session.call_err("create_model", definition()).await;
        let last = stub.requests().await.into_iter().rfind(|r| r.method == "POST").unwrap();
        assert_eq!(first.headers["idempotency-key"], last.headers["idempotency-key"], "{status}");
    }
}

#[tokio::test]
async fn a_connection_works_only_if_the_api_says_so() {
    let json_body =
        |body: &str| ResponseTemplate::new(200).set_body_raw(body.to_owned(), "application/json");
    for (label, template, works) in [
        ("nothing", ResponseTemplate::new(204), Some(true)),
        ("an empty object", json_body("{}"), Some(true)),
        ("a word", json_body("\"ok\""), Some(true)),
        ("text", ResponseTemplate::new(200).set_body_raw("ok", "text/plain"), Some(true)),
        ("a refusal", json_body(r#"{"status":400,"message":"m"}"#), Some(false)),
        ("another error", json_body(r#"{"status":500,"message":"m"}"#), None),
        ("a page", ResponseTemplate::new(200).set_body_raw("<p>Sign in", "text/html"), None),
    ] {
        let stub = Stub::start().await;
        let connection = json!({"data": {"id": CONNECTION, "type": {"id": "postgresql"}}});
        stub.json("GET", &format!("/api/connections/{CONNECTION}"), 200, connection).await;
        stub.on("POST", "/api/connections/test", template).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let result = crate::support::over_mcp(
            &mut session,
            "test_connection",
            &json!({"connection_id": CONNECTION}),
        )
        .await;
        assert_eq!(result.as_ref().ok().map(|r| r["works"] == true), works, "{label}: {result:?}");
    }
}

#[tokio::test]
async fn the_last_response_with_a_text_is_reported() {
    let error = |message: &str| json!({"message": message}).to_string();
    let html = "<html><b>Bad</b> gateway</html>".to_owned();
    for (label, responses, detail, expected) in [
        ("one", vec![(503, error("down")), (503, String::new())], "message", "down"),
        (
            "the last one",
            vec![(503, error("first")), (503, error("second")), (503, String::new())],
            "message",
            "second",
        ),
        ("another status", vec![(500, error("down")), (502, String::new())], "message", "down"),
        ("an empty object", vec![(503, error("down")), (503, "{}".to_owned())], "message", "down"),
        ("an empty message", vec![(503, error("down")), (503, error(""))], "message", "down"),
        ("a list", vec![(503, error("down")), (503, "[]".to_owned())], "message", "down"),
        ("a key", vec![(503, r#"{"key":"busy"}"#.to_owned()), (503, String::new())], "key", "busy"),
        ("a page", vec![(502, html.clone()), (502, String::new())], "body", "Bad gateway"),
        (
            "a text",
            vec![(504, "upstream timed out".to_owned()), (504, String::new())],
            "body",
            "upstream timed out",
        ),
        ("then not found", vec![(503, error("down")), (404, String::new())], "message", "down"),
        ("the last has its own", vec![(503, error("down")), (503, error("own"))], "message", "own"),
    ] {
        let has_earlier = label != "the last has its own";
        let stub = Stub::start().await;
        let served = AtomicUsize::new(0);
        let respond = move |_: &wiremock::Request| {
            let index = served.fetch_add(1, Ordering::Relaxed).min(responses.len() - 1);
            let (status, body) = &responses[index];
            ResponseTemplate::new(*status).set_body_raw(body.clone(), "application/json")
        };
        stub.respond("GET", MODEL, respond).await;
        let launch = Launch::against(&stub.url()).variable("POLYTOMIC_TIMEOUT_SECONDS", "2");
        let mut session = Session::open(&launch).await;
        let error = session.call_err("get_model", of_model()).await;
        assert_eq!(error["details"][detail], expected, "{label}: {error}");
        assert_eq!(
            error["details"].get("earlier_status").is_some(),
            has_earlier,
            "{label}: {error}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_an_error_reports_that_error() {
    let script = vec![Fault::Response(503, "", json!({"message": "down"})), Fault::ResetAfterRead];
    let api = FaultyServer::start(script).await;
    let launch = Launch::against(&api.url).variable("POLYTOMIC_TIMEOUT_SECONDS", "2");
    let mut session = Session::open(&launch).await;
    let error = session.call_err("get_model", of_model()).await;
    assert_eq!(error["code"], "upstream_unavailable", "{error}");
    assert_eq!(
        (&error["details"]["message"], &error["details"]["earlier_status"]),
        (&json!("down"), &json!(503))
    );
}

#[tokio::test]
async fn a_page_is_not_blamed_on_the_api() {
    let page =
        "<html><head><title>Proxy</title><script>x()</script></head><p>Access &amp; policy</html>";
    for (status, code) in [
        (200, "upstream_error"),
        (400, "upstream_error"),
        (401, "upstream_error"),
        (403, "upstream_error"),
        (404, "upstream_error"),
        (405, "upstream_error"),
        (429, "rate_limited"),
        (451, "upstream_error"),
        (500, "upstream_error"),
        (502, "upstream_unavailable"),
        (503, "upstream_unavailable"),
        (504, "upstream_unavailable"),
        (511, "upstream_error"),
        (520, "upstream_error"),
    ] {
        let stub = Stub::start().await;
        // Beyond the deadline, so that nothing is retried.
        let template = ResponseTemplate::new(status).insert_header("retry-after", "3600");
        stub.on("GET", MODEL, template.set_body_raw(page, "text/html")).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let error = session.call_err("get_model", of_model()).await;
        assert_eq!(error["code"], code, "{status}: {error}");
        let hint = error["hint"].as_str().unwrap();
        for part in ["in between", "HTTPS_PROXY", "NO_PROXY", "details.body"] {
            assert!(hint.contains(part), "{status}: {error}");
        }
        assert!(!hint.contains("support") && !hint.contains("permission"), "{status}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(!message.contains("rejected") && !message.contains("visible"), "{status}: {error}");
        assert_eq!(error["details"]["body"], "Proxy Access & policy", "{status}: {error}");
    }
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_is_named() {
    for (body, kind) in [
        ("", "text/plain"),
        ("<p>Sign in", "text/html"),
        (r#"{"message":"m"}"#, "application/json"),
    ] {
        let stub = Stub::start().await;
        stub.on("GET", MODEL, ResponseTemplate::new(407).set_body_raw(body, kind)).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let error = session.call_err("get_model", of_model()).await;
        assert_eq!(
            (&error["code"], &error["http_status"]),
            (&json!("upstream_error"), &json!(407))
        );
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("HTTPS_PROXY") && hint.contains("NO_PROXY"), "{error}");
        assert!(!hint.contains("support"), "{error}");
        assert!(error["message"].as_str().unwrap().contains("proxy"), "{error}");
    }
}

/// `call_err` checks that details which a hint names are there, and a request id if it asks for one.
#[tokio::test]
async fn hints_name_only_what_is_there() {
    for status in [400, 401, 402, 403, 404, 405, 408, 409, 410, 418, 422, 429, 500, 501, 503, 521] {
        let stub = Stub::start().await;
        let template = ResponseTemplate::new(status).insert_header("retry-after", "3600");
        stub.on("GET", MODEL, template.clone()).await;
        stub.on("POST", "/api/models", template.clone()).await;
        stub.on("GET", "/api/models", template.insert_header("x-request-id", "r-1")).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        session.call_err("get_model", of_model()).await;
        session.call_err("create_model", definition()).await;
        let error = session.call_err("list_models", json!({})).await;
        assert_eq!(error["details"]["request_id"], "r-1", "{error}");
    }
    let stub = Stub::start().await;
    let failed = json!({"data": {"job_id": UNKNOWN_ID, "type": "createmodel", "status": "failed"}});
    stub.json("GET", &format!("/api/jobs/createmodel/{UNKNOWN_ID}"), 200, failed).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    session.call_err("get_job", json!({"type": "createmodel", "job_id": UNKNOWN_ID})).await;
}

#[tokio::test]
async fn a_key_that_was_copied_wrong_is_recognized() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    for (key, hint) in [
        ("Bearer test-key-4711", "begins with \"Bearer \""),
        ("BEARER\ttest-key-4711", "begins with \"Bearer \""),
        ("Bearer: test-key-4711", "begins with \"Bearer \""),
        ("Bearer\u{a0}test-key-4711", "begins with \"Bearer \""),
        ("`test-key-4711`", "stands in quotes"),
        ("“test-key-4711”", "stands in quotes"),
        ("‘test-key-4711’", "stands in quotes"),
        ("test-4711…", "an ellipsis or stars"),
        ("test...4711", "an ellipsis or stars"),
        ("********4711", "an ellipsis or stars"),
        ("••••••4711", "an ellipsis or stars"),
        ("test-\u{200b}key-4711", "cannot be seen"),
        ("\u{feff}test-key-4711", "cannot be seen"),
        ("test-key-4711\u{2060}", "cannot be seen"),
        ("test\u{ad}-key-4711", "cannot be seen"),
        ("test key-4711", "contains a blank"),
        ("test-key-4711.", "Check POLYTOMIC_API_KEY"),
        ("bearer-key-4711", "Check POLYTOMIC_API_KEY"),
    ] {
        let error = rejected_key(sandbox.url(), key, hint).await;
        assert!(!error.to_string().contains("POLYTOMIC_ORGANIZATION_ID"), "{key}: {error}");
    }
    for key in ["test-key-0815", "“test-key-0815”"] {
        let launch = Launch::against(sandbox.url())
            .variable("POLYTOMIC_API_KEY", key)
            .variable("POLYTOMIC_ORGANIZATION_ID", UNKNOWN_ID);
        let mut session = Session::open(&launch).await;
        let error = session.call_err("list_connections", json!({})).await;
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("POLYTOMIC_ORGANIZATION_ID is set"), "{error}");
        assert!(hint.contains("quotes") == key.starts_with('“'), "{error}");
    }
}

#[tokio::test]
async fn an_update_without_a_body_is_read_again() {
    let model = json!({"data": {"id": UNKNOWN_ID, "name": "a", "version": 1, "connection_id": CONNECTION, "configuration": {"table": "t"}}});
    let updated = json!({"data": {"id": UNKNOWN_ID, "name": "b", "version": 2, "connection_id": CONNECTION, "configuration": {"table": "t"}}});
    let blank = |status| ResponseTemplate::new(status);
    let with_body =
        |body: &str| ResponseTemplate::new(200).set_body_raw(body.to_owned(), "application/json");
    for (label, template) in [
        ("204", blank(204)),
        ("205", blank(205)),
        ("200", blank(200)),
        ("201", blank(201)),
        ("202", blank(202)),
        ("200 with a content type", with_body("")),
        ("200 with blanks", with_body(" \r\n")),
    ] {
        let stub = Stub::start().await;
        stub.sequence("GET", MODEL, vec![model.clone(), model.clone(), updated.clone()]).await;
        stub.on("PUT", MODEL, template).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        let result =
            session.call("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"})).await;
        assert_eq!(result["model"]["name"], "b", "{label}: {result}");
        assert_eq!(result["model"]["version"], 2, "{label}: {result}");
        assert!(result["notice"].as_str().unwrap().contains("read again"), "{label}: {result}");
        assert_eq!(
            result["changed"],
            json!([{"property": "name", "before": "a", "after": "b"}]),
            "{label}"
        );
    }
    // It is a success even if it cannot be read again.
    let stub = Stub::start().await;
    let served = AtomicUsize::new(0);
    let respond = move |_: &wiremock::Request| match served.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => ResponseTemplate::new(200).set_body_json(&model),
        _ => ResponseTemplate::new(403),
    };
    stub.respond("GET", MODEL, respond).await;
    stub.on("PUT", MODEL, blank(204)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let result = session.call("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"})).await;
    assert_eq!(result.get("model"), None, "{result}");
    assert!(result["notice"].as_str().unwrap().contains("confirmed the update, but"), "{result}");
    // A create without a body names no model that could be read.
    let stub = Stub::start().await;
    stub.on("POST", "/api/models", blank(204)).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error = session.call_err("create_model", definition()).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("upstream_error"), &json!("unknown")));
}

#[tokio::test]
async fn a_slow_create_says_whether_a_repetition_is_safe() {
    let api = json!({"key": "timeout", "message": "m", "metadata": null, "status": 408});
    for (body, timeout, expected) in [
        // The API has stored the error for the key, which is therefore given up.
        (api, "30", "needs a new idempotency key and might create a second one"),
        (
            json!({"odd": true}),
            "1",
            "the same idempotency key is sent, so nothing is created twice",
        ),
    ] {
        let stub = Stub::start().await;
        stub.json("POST", "/api/models", 408, body).await;
        let launch = Launch::against(&stub.url()).variable("POLYTOMIC_TIMEOUT_SECONDS", timeout);
        let mut session = Session::open(&launch).await;
        let error = session.call_err("create_model", definition()).await;
        assert_eq!((&error["code"], &error["outcome"]), (&json!("timeout"), &json!("unknown")));
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains(expected) && hint.contains("`async` true"), "{error}");
    }
}
