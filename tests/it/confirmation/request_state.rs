//! The state that comes back with a decision in the stateless era: for one call, once, unaltered.

use serde_json::{Value, json};

use super::client::{Client, Era, Question, Step, accept, again};

fn yes() -> Value {
    json!({"confirm": accept(json!(true))})
}

/// Asserts that a call with a state is refused, and why.
async fn assert_refused(client: &mut Client, params: Value, reason: &str) {
    let error = client.error_of(params).await;
    assert_eq!(error["code"], "confirmation_required", "{error}");
    assert_eq!(error["outcome"], "not_sent", "{error}");
    assert!(error["message"].as_str().unwrap().contains(reason), "{reason}: {error}");
}

async fn with_question() -> (Client, String, Question) {
    let mut client = Client::new(Era::Stateless).await;
    let id = client.model("Users").await;
    let question = client.ask("delete_model", json!({"model_id": id, "force": true})).await;
    (client, id, question)
}

#[tokio::test]
async fn a_state_is_good_for_one_call() {
    let mut client = Client::new(Era::Stateless).await;
    let id = client.model("Users").await;
    let clear = json!({"model_id": id, "clear": ["labels"]});
    let question = client.ask("update_model", clear).await;
    let response = client.resolve(&question, accept(json!(true))).await;
    client.session.expect_result("update_model", &response);
    let version = client.version(&id).await;
    assert_refused(&mut client, again(&question, yes()), "used before").await;
    assert_eq!(client.version(&id).await, version);

    // A decision that is a no uses it up as well.
    let (mut client, id, question) = with_question().await;
    client.resolve(&question, json!({"action": "decline"})).await;
    assert_refused(&mut client, again(&question, yes()), "used before").await;
    assert!(client.version(&id).await.is_some());
}

#[tokio::test]
async fn a_state_used_twice_at_once_is_good_for_one_of_both() {
    let mut client = Client::new(Era::Stateless).await;
    let model = client.model("Users").await;
    let before = client.version(&model).await.unwrap();
    // The API would apply this one twice.
    let clear = json!({"model_id": model, "clear": ["labels"]});
    let question = client.ask("update_model", clear).await;
    let params = again(&question, yes());
    for id in [1, 2] {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        client.session.send(request).await;
    }
    let responses = [client.session.next().await, client.session.next().await];
    let (refused, succeeded): (Vec<_>, Vec<_>) =
        responses.iter().partition(|response| response["result"]["isError"] == json!(true));
    assert_eq!((refused.len(), succeeded.len()), (1, 1), "{responses:?}");
    client.session.expect_result("update_model", succeeded[0]);
    let error = client.session.expect_error(refused[0]);
    assert!(error["message"].as_str().unwrap().contains("used before"), "{error}");
    assert_eq!(client.version(&model).await, Some(before + 1));
}

#[tokio::test]
async fn an_altered_state_is_refused() {
    let (mut client, id, question) = with_question().await;
    let state = question.handle.as_str().unwrap().to_owned();
    let flipped = if state.starts_with('A') { "B" } else { "A" };
    for altered in [
        format!("{flipped}{}", &state[1..]),
        format!("{state}{state}"),
        state[..state.len() - 4].to_owned(),
        String::new(),
        "yes".to_owned(),
        "x".repeat(100_000),
    ] {
        let mut params = again(&question, yes());
        params["requestState"] = json!(altered);
        assert_refused(&mut client, params, "altered").await;
    }
    let mut params = again(&question, yes());
    params["requestState"] = json!({"state": state});
    let response = client.session.request("tools/call", params).await;
    assert_eq!(response["error"]["code"], -32602, "{response}");
    // Another server has another key.
    let (mut other, ..) = with_question().await;
    assert_refused(&mut other, again(&question, yes()), "altered").await;
    assert!(client.version(&id).await.is_some());
    let response = client.resolve(&question, accept(json!(true))).await;
    client.session.expect_result("delete_model", &response);
}

#[tokio::test]
async fn a_state_is_good_for_the_same_call_only() {
    let (mut client, id, question) = with_question().await;
    let other = client.model("Other").await;
    for arguments in [
        json!({"model_id": other, "force": true}),
        json!({"model_id": id, "force": false}),
        json!({"model_id": id}),
        json!({"model_id": id, "force": true, "expected_name": "Users"}),
    ] {
        let mut params = again(&question, yes());
        params["arguments"] = arguments;
        assert_refused(&mut client, params, "another call").await;
    }
    let mut params = again(&question, yes());
    params["name"] = json!("update_model");
    assert_refused(&mut client, params, "another call").await;
    assert!(client.version(&id).await.is_some() && client.version(&other).await.is_some());
    // The order of the arguments does not matter.
    let mut params = again(&question, yes());
    params["arguments"] = json!({"force": true, "model_id": id});
    let response = client.session.request("tools/call", params).await;
    client.session.expect_result("delete_model", &response);
}

#[tokio::test]
async fn a_state_without_a_decision_is_no_decision() {
    for responses in [
        json!({}),
        json!({"other": accept(json!(true))}),
        json!([accept(json!(true))]),
        json!(true),
        Value::Null,
    ] {
        let (mut client, id, question) = with_question().await;
        assert_refused(&mut client, again(&question, responses), "invalid").await;
        assert!(client.version(&id).await.is_some());
    }
}

#[tokio::test]
async fn a_decision_without_its_state_is_none() {
    let (mut client, id, question) = with_question().await;
    for state in [None, Some(Value::Null)] {
        let mut params = again(&question, yes());
        match state {
            Some(state) => params["requestState"] = state,
            None => drop(params.as_object_mut().unwrap().remove("requestState")),
        }
        let response = client.session.request("tools/call", params).await;
        assert_eq!(response["result"]["resultType"], "input_required", "{response}");
    }
    assert!(client.version(&id).await.is_some());
}

#[tokio::test]
async fn each_question_has_its_own_state() {
    let (mut client, _, first) = with_question().await;
    let arguments = json!({"model_id": client.model("Other").await});
    let Step::Question(second) = client.begin("delete_model", arguments).await else { panic!() };
    assert_ne!(first.handle, second.handle);
    for question in [&first, &second] {
        let state = question.handle.as_str().unwrap();
        assert!(state.len() < 300, "{state}");
        // Nothing of the call can be read from it.
        assert!(!state.contains("delete"), "{state}");
    }
}
