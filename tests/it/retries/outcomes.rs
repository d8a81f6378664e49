//! The `outcome` of a failed write: whether the change may have been applied.

use std::sync::{Arc, Mutex};

use serde_json::json;
use wiremock::ResponseTemplate;

use super::fixtures::{MODELS, error_response, model_response, single_key, success};
use crate::support::{Fault, FaultyServer, Launch, MODEL, Session, Stub, UNKNOWN_ID, definition};

#[tokio::test]
async fn an_outcome_stays_unknown_whatever_the_retries_return() {
    // A PUT with a gateway timeout, then rejected: the first attempt may have been applied.
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, model_response()).await;
    let served = std::sync::atomic::AtomicUsize::new(0);
    let put = move |_: &wiremock::Request| match served
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    {
        0 => ResponseTemplate::new(504),
        _ => ResponseTemplate::new(403),
    };
    stub.respond("PUT", MODEL, put).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let error =
        session.call_err("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"})).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("forbidden"), &json!("unknown")));
    // A POST without response, then rejected by what may be an intermediary that does not know the key.
    for fault in [401, 403, 429].map(error_response).into_iter().chain([400, 404].map(Fault::Page))
    {
        let label = format!("{fault:?}");
        let api = FaultyServer::start(vec![Fault::ResetAfterRead, fault, success()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        let error = session.call_err("create_model", definition()).await;
        assert_eq!(error["outcome"], "unknown", "{label}: {error}");
        let key = single_key(&api.received());
        assert_eq!(error["details"]["idempotency_key"], key.as_str(), "{label}: {error}");
        session.call("create_model", definition()).await;
        single_key(&api.received());
    }
}

/// Statuses, and the outcome of a write after one of them: with an error of the API itself, and with a gateway's page.
const OUTCOMES: &[(&[u16], &str, &str)] = &[
    (&[307, 400, 404, 418, 422], "refused", "refused"),
    (&[401, 403, 429, 500, 501, 503, 521], "refused", "unknown"),
    (&[408, 502, 504], "unknown", "unknown"),
];

#[tokio::test]
async fn the_outcome_of_a_write_depends_on_status_and_shape_of_the_error() {
    let bodies = [
        (true, r#"{"key": "k", "x": 1}"#),
        (true, r#"{"status": STATUS}"#),
        (true, r#"{"status": STATUS, "message": "no", "key": null, "metadata": null}"#),
        (false, "<html>"),
        (false, ""),
        (false, "[]"),
        (false, r#"{"key": 1}"#),
        (false, r#"{"message": "no"}"#),
        (false, r#"{"status": "STATUS"}"#),
        (false, r#"{"status": 1}"#),
        (false, r#"{"status": STATUS, "error": "no", "path": "/api/models"}"#),
        (false, r#"{"status": STATUS, "title": "no", "type": "about:blank"}"#),
    ];
    let (stub, next) = (Stub::start().await, Arc::new(Mutex::new(ResponseTemplate::new(500))));
    stub.json("GET", MODEL, 200, model_response()).await;
    for (method, path) in [("POST", MODELS), ("PUT", MODEL), ("DELETE", MODEL)] {
        let next = Arc::clone(&next);
        let respond = move |_: &wiremock::Request| next.lock().unwrap().clone();
        stub.respond(method, path, respond).await;
    }
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (statuses, of_api, of_gateway) in
        OUTCOMES.iter().chain([&(&[409][..], "refused", "refused")])
    {
        for status in *statuses {
            for (index, (is_of_api, body)) in bodies.iter().enumerate() {
                let body = body.replace("STATUS", &status.to_string());
                // Beyond the deadline, so that nothing is retried.
                let response = ResponseTemplate::new(*status).insert_header("retry-after", "3600");
                *next.lock().unwrap() = response.set_body_string(&body);
                let mut create = definition();
                create["name"] = json!(format!("{status} {index}"));
                for (tool, arguments) in [
                    ("create_model", create),
                    ("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"})),
                    ("delete_model", json!({"model_id": UNKNOWN_ID, "force": true})),
                ] {
                    let label = format!("{tool}: {status} {body}");
                    let expected = match (is_of_api, *status) {
                        // The first request with the key is still running.
                        (_, 409) if tool == "create_model" => "unknown",
                        (true, _) => of_api,
                        (false, 400..=499) if body == "<html>" => "unknown",
                        (false, _) => of_gateway,
                    };
                    let error = session.call_err(tool, arguments.clone()).await;
                    assert_eq!(error["outcome"], expected, "{label}: {error}");
                    let message = error["message"].as_str().unwrap();
                    let is_unknown = expected == "unknown";
                    let warns = message.contains("may have been applied") || *status == 409;
                    assert!(!is_unknown || warns, "{label}: {error}");
                    assert!(is_unknown || !message.contains("may have been"), "{label}: {error}");
                    if tool == "create_model" {
                        assert!(!is_unknown || error["retryable"] == true, "{label}: {error}");
                        session.call_err(tool, arguments).await;
                        let mut posts = stub.requests().await;
                        posts.retain(|request| request.method == "POST");
                        let [.., first, second] = &posts[..] else { panic!("{label}") };
                        let key = |request: &wiremock::Request| {
                            request.headers["idempotency-key"].clone()
                        };
                        assert_eq!(key(first) == key(second), is_unknown, "{label}: the next key");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn message_and_hint_of_a_failed_write_agree_with_its_outcome() {
    for status in [503, 504] {
        let api = FaultyServer::start(vec![error_response(status)]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        let error = session.call_err("create_model", definition()).await;
        let unknown = error["outcome"] == "unknown";
        assert_eq!(unknown, status == 504, "{error}");
        assert_eq!(
            error["message"].as_str().unwrap().contains("may have been applied"),
            unknown,
            "{error}"
        );
        assert_eq!(
            error["hint"].as_str().unwrap().contains("same idempotency key"),
            unknown,
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_in_message_and_hint_whatever_the_last_response() {
    let gateway = |status| Fault::Response(status, "", json!({"message": "no route matched"}));
    let faults = [400, 401, 403, 404, 407, 413, 422, 429]
        .into_iter()
        .flat_map(|status| [Fault::Page(status), gateway(status)])
        // Once, which does not show that it is the stored error.
        .chain([Fault::Response(404, "retry-after: 3600\r\n", json!({"status": 404}))]);
    let checks = faults.map(async |fault| {
        let label = format!("{fault:?}");
        let (get, cut) = (success, Fault::ResetAfterRead);
        let update = json!({"model_id": UNKNOWN_ID, "name": "b"});
        for (tool, arguments, script, next) in [
            ("create_model", definition(), vec![cut.clone(), fault.clone()], "same arguments"),
            ("update_model", update, vec![get(), get(), cut, fault.clone()], "Call get_model"),
        ] {
            let api = FaultyServer::start(script).await;
            let launch = Launch::against(&api.url).variable("POLYTOMIC_TIMEOUT_SECONDS", "4");
            let mut session = Session::open(&launch).await;
            let error = session.call_err(tool, arguments).await;
            assert_eq!(error["outcome"], "unknown", "{label}: {error}");
            let (message, hint) =
                (error["message"].as_str().unwrap(), error["hint"].as_str().unwrap());
            let end = " attempts); the change may have been applied.";
            assert!(message.ends_with(end), "{label}: {error}");
            assert_eq!(hint.matches(next).count(), 1, "{label}: {error}");
            let is_retryable = error["retryable"] == true;
            assert!(tool == "update_model" || is_retryable, "{label}: {error}");
        }
    });
    futures_util::future::join_all(checks).await;
}

#[tokio::test]
async fn an_error_before_the_write_is_sent_has_outcome_not_sent() {
    for status in [403, 502] {
        let api = FaultyServer::start(vec![error_response(status)]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        for (tool, arguments) in [
            ("update_model", json!({"model_id": UNKNOWN_ID, "name": "b"})),
            ("delete_model", json!({"model_id": UNKNOWN_ID, "expected_name": "b"})),
        ] {
            let error = session.call_err(tool, arguments).await;
            assert_eq!(error["outcome"], "not_sent", "{tool} {status}: {error}");
        }
    }
}
