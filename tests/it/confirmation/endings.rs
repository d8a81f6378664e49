//! How questions end without a decision, and decisions without a question.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Client, Era, accept};

/// Far below the grace period of 30 s that calls get after the end of the input.
const SOON: Duration = Duration::from_secs(10);

fn decision(id: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": accept(json!(true))})
}

#[tokio::test]
async fn a_cancelled_call_withdraws_its_question() {
    let mut client = Client::new(Era::Initialize).await;
    let id = client.model("Users").await;
    let question = client.ask("delete_model", json!({"model_id": id})).await;
    client.session.cancel(question.call).await;
    let message = client.session.next().await;
    assert_eq!(message["method"], "notifications/cancelled", "{message}");
    assert_eq!(message["params"]["requestId"], question.handle, "{message}");
    // A late decision has no effect.
    client.session.send(decision(&question.handle)).await;
    client.session.expect_silence().await;
    assert!(client.version(&id).await.is_some());
    // It was no decision either: the name alone is not enough.
    client.ask("delete_model", json!({"model_id": id, "expected_name": "Users"})).await;
}

#[tokio::test]
async fn decisions_to_no_question_are_dropped() {
    let mut client = Client::new(Era::Initialize).await;
    let id = client.model("Users").await;
    // Before the question, whatever id it is going to have.
    for guess in 0..5 {
        client.session.send(decision(&json!(guess))).await;
    }
    let question = client.ask("delete_model", json!({"model_id": id})).await;
    let number = question.handle.as_i64().unwrap();
    for other in [
        json!(number + 1),
        json!(number - 1),
        json!(-number),
        json!(number.to_string()),
        json!(number as f64 + 0.5),
        json!([number]),
        json!(1e300),
        Value::Null,
    ] {
        client.session.send(decision(&other)).await;
    }
    client.session.send(json!({"jsonrpc": "2.0", "result": accept(json!(true))})).await;
    client.session.expect_silence().await;
    assert!(client.version(&id).await.is_some());
    // Two decisions: the first one counts.
    client
        .session
        .send(json!({"jsonrpc": "2.0", "id": number, "result": {"action": "decline"}}))
        .await;
    client.session.send(decision(&json!(number))).await;
    let response = client.session.next().await;
    assert_eq!(client.session.expect_error(&response)["code"], "cancelled");
    client.session.expect_silence().await;
    assert!(client.version(&id).await.is_some());
}

#[tokio::test]
async fn malformed_responses_are_no_decision() {
    let yes = accept(json!(true));
    for (label, line, is_resolved) in [
        (
            "both",
            r#"{"jsonrpc":"2.0","id":ID,"result":YES,"error":{"code":1,"message":"x"}}"#,
            true,
        ),
        ("two ids", r#"{"jsonrpc":"2.0","id":ID,"id":ID,"result":YES}"#, false),
        (
            "two results",
            r#"{"jsonrpc":"2.0","id":ID,"result":{"action":"decline"},"result":YES}"#,
            false,
        ),
        ("a batch", r#"[{"jsonrpc":"2.0","id":ID,"result":YES}]"#, false),
        (
            "two decisions",
            r#"{"jsonrpc":"2.0","id":ID,"result":{"action":"accept","content":{"confirm":false,"confirm":true}}}"#,
            true,
        ),
        (
            "two actions",
            r#"{"jsonrpc":"2.0","id":ID,"result":{"action":"decline","action":"accept","content":{"confirm":true}}}"#,
            true,
        ),
    ] {
        let mut client = Client::new(Era::Initialize).await;
        let id = client.model("Users").await;
        let question = client.ask("delete_model", json!({"model_id": id})).await;
        let line =
            line.replace("ID", &question.handle.to_string()).replace("YES", &yes.to_string());
        client.session.send_raw(format!("{line}\n").as_bytes()).await;
        if is_resolved {
            let response = client.session.next().await;
            let error = client.session.expect_error(&response);
            assert_eq!(error["code"], "confirmation_required", "{label}: {error}");
        } else if label == "a batch" {
            // Not a response, but a message that is none.
            assert_eq!(client.session.next().await["error"]["code"], -32600);
        } else {
            client.session.expect_silence().await;
        }
        assert!(client.version(&id).await.is_some(), "{label}");
    }
}

#[tokio::test]
async fn the_end_of_the_input_ends_questions_at_once() {
    let mut client = Client::new(Era::Initialize).await;
    let id = client.model("Users").await;
    let named = json!({"model_id": id, "expected_name": "Users"});
    let question = client.ask("delete_model", named).await;
    let started = Instant::now();
    let Client { session, sandbox, .. } = client;
    let exit = session.close().await;
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert_eq!(exit.status, Some(0), "{exit:?}");
    let response = exit.rest.iter().find(|message| message["id"] == question.call).unwrap();
    let text = response["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("\"confirmation_required\""), "{text}");
    assert_eq!(sandbox.get(&format!("/api/models/{id}")).await.status, 200);
}

#[tokio::test]
async fn a_decision_before_the_end_of_the_input_counts() {
    let mut client = Client::new(Era::Initialize).await;
    let id = client.model("Users").await;
    let question = client.ask("delete_model", json!({"model_id": id})).await;
    client.session.send(decision(&question.handle)).await;
    let Client { session, sandbox, .. } = client;
    let exit = session.close().await;
    assert_eq!(exit.rest[0]["result"]["structuredContent"]["deleted"], true, "{exit:?}");
    assert_eq!(sandbox.get(&format!("/api/models/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_signal_ends_questions_at_once() {
    let mut client = Client::new(Era::Initialize).await;
    let id = client.model("Users").await;
    client.ask("delete_model", json!({"model_id": id})).await;
    let started = Instant::now();
    client.session.signal("-TERM");
    let exit = client.session.wait().await;
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert_eq!(exit.status, Some(0), "{exit:?}");
    assert!(client.version(&id).await.is_some());
}

#[tokio::test]
async fn progress_says_that_the_user_is_asked() {
    let mut client = Client::new(Era::Initialize).await;
    let id = client.model("Users").await;
    let params = json!({
        "name": "delete_model", "arguments": {"model_id": id}, "_meta": {"progressToken": "p"},
    });
    let request = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
    client.session.send(request).await;
    let progress = client.session.next().await;
    let message = progress["params"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("user's confirmation"), "{progress}");
    let question = client.session.next().await;
    client.session.send(decision(&question["id"])).await;
    loop {
        let message = client.session.next().await;
        if message["id"] == 7 {
            client.session.expect_result("delete_model", &message);
            return;
        }
    }
}
