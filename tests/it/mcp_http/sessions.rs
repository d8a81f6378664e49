//! Questions to the user, and what several requests have in common without a session.

use serde_json::{Value, json};

use crate::support::{Era, Launch, Server, acceptance, deletion, users};

async fn create_model(server: &Server) -> Value {
    server.mcp_call(Era::Stateless, "create_model", users(json!({}))).await["model"].clone()
}

#[tokio::test]
async fn a_question_is_a_round_trip_in_the_stateless_era() {
    let launch = Launch::unconfigured().flag("--sandbox");
    let server = Server::mcp(launch).await;
    let model = create_model(&server).await;
    let delete = async |continuation: &Value| {
        let (body, headers) = deletion(&model, continuation);
        server.mcp_send(&body, headers).await.json()["result"].clone()
    };
    let decision = acceptance(&delete(&json!({})).await);
    let deleted = delete(&decision).await;
    assert_eq!(deleted["structuredContent"]["deleted"], true, "{deleted}");
    let again = delete(&decision).await;
    assert!(again["content"][0]["text"].as_str().unwrap().contains("used before"), "{again}");
}

#[tokio::test]
async fn the_name_of_the_model_confirms_in_the_era_with_an_initialize() {
    let server = Server::mcp(Launch::unconfigured().flag("--sandbox")).await;
    let model = create_model(&server).await;
    let arguments = json!({"model_id": model["id"]});
    let error = server.mcp_call_err(Era::Initialize, "delete_model", arguments).await;
    assert_eq!(error["code"], "confirmation_required", "{error}");
    assert!(error["hint"].as_str().unwrap().contains("expected_name"), "{error}");
    let arguments = json!({"model_id": model["id"], "expected_name": "Users"});
    let deleted = server.mcp_call(Era::Initialize, "delete_model", arguments).await;
    assert_eq!(deleted["deleted"], true);
}
