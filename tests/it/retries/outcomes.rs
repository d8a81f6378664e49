//! What is told of a change that failed: whether it may have been made.

use serde_json::json;
use wiremock::ResponseTemplate;

use super::calls::{answer, done, model, one_key};
use crate::support::{Fault, FaultyServer, Launch, MODEL, Session, Stub, UNKNOWN_ID, definition};

#[tokio::test]
async fn a_change_that_may_have_been_made_is_told_as_unknown_whatever_comes_after() {
    // A PUT that was cut, then refused: the first may have been carried out.
    let stub = Stub::start().await;
    stub.json("GET", MODEL, 200, model()).await;
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let put = move |_: &wiremock::Request| match turn
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
    // A POST that was cut, then refused: its key speaks for both, unless something answered that stands before
    // the place where keys are known.
    for (status, outcome) in [(400, "refused"), (422, "refused"), (500, "refused")]
        .into_iter()
        .chain([401, 403, 429, 503].map(|status| (status, "unknown")))
    {
        let api = FaultyServer::start(vec![Fault::ResetAfter, answer(status), done()]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        let error = session.call_err("create_model", definition()).await;
        assert_eq!(error["outcome"], outcome, "{status}: {error}");
        let key = one_key(&api.received());
        let told = error["details"]["idempotency_key"].as_str();
        assert_eq!(told, (outcome == "unknown").then_some(key.as_str()), "{status}: {error}");
        session.call("create_model", definition()).await;
        let next = api.received().pop().unwrap().key.unwrap();
        assert_eq!(next == key, outcome == "unknown", "{status}");
    }
}

#[tokio::test]
async fn words_about_a_change_agree_with_its_outcome() {
    for status in [503, 504] {
        let api = FaultyServer::start(vec![answer(status)]).await;
        let mut session = Session::open(&Launch::against(&api.url)).await;
        let error = session.call_err("create_model", definition()).await;
        let unknown = error["outcome"] == "unknown";
        assert_eq!(unknown, status == 504, "{error}");
        assert_eq!(
            error["message"].as_str().unwrap().contains("may have been made"),
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
async fn what_fails_before_a_change_is_sent_has_changed_nothing() {
    for status in [403, 502] {
        let api = FaultyServer::start(vec![answer(status)]).await;
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
