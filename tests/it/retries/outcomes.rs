//! The `outcome` of a failed write: whether the change may have been applied.

use serde_json::json;
use wiremock::ResponseTemplate;

use super::fixtures::{error_response, model_response, single_key, success};
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
    // A POST without response, then rejected: a status from behind the API's idempotency check covers both
    // attempts, since they share a key; a status from in front of it does not.
    for (status, outcome) in [(400, "refused"), (422, "refused"), (500, "refused")]
        .into_iter()
        .chain([401, 403, 429, 503].map(|status| (status, "unknown")))
    {
        let api =
            FaultyServer::start(vec![Fault::ResetAfterRead, error_response(status), success()])
                .await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        let error = session.call_err("create_model", definition()).await;
        assert_eq!(error["outcome"], outcome, "{status}: {error}");
        let key = single_key(&api.received());
        let reported_key = error["details"]["idempotency_key"].as_str();
        assert_eq!(
            reported_key,
            (outcome == "unknown").then_some(key.as_str()),
            "{status}: {error}"
        );
        session.call("create_model", definition()).await;
        let next = api.received().pop().unwrap().key.unwrap();
        assert_eq!(next == key, outcome == "unknown", "{status}");
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
