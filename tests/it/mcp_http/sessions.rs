//! Questions to the user, and what several requests have in common without a session.

use serde_json::{Value, json};

use crate::support::{CONNECTION, Era, Launch, Server, message};

async fn create_model(server: &Server) -> String {
    let arguments = json!({
        "connection_id": CONNECTION, "name": "Users", "configuration": {"table": "public.users"},
    });
    let created = server.mcp_call(Era::Stateless, "create_model", arguments).await;
    created["model"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_question_is_a_round_trip_in_the_stateless_era() {
    let launch = Launch::unconfigured().flag("--sandbox");
    let server = Server::mcp(launch).await;
    let id = create_model(&server).await;
    let delete = |extra: Value| {
        let mut params = json!({"name": "delete_model", "arguments": {"model_id": id}});
        params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let (mut body, headers) = message(Era::Stateless, 1, "tools/call", params);
        body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
            json!({"elicitation": {}});
        (body, headers)
    };
    let (body, headers) = delete(json!({}));
    let question = server.mcp_send(&body, headers).await.json();
    assert_eq!(question["result"]["resultType"], "input_required", "{question}");
    let decision = json!({
        "requestState": question["result"]["requestState"],
        "inputResponses": {"confirm": {"action": "accept", "content": {"confirm": true}}},
    });
    let (body, headers) = delete(decision);
    let response = server.mcp_send(&body, headers.clone()).await.json();
    assert_eq!(response["result"]["structuredContent"]["deleted"], true, "{response}");
    let response = server.mcp_send(&body, headers).await.json();
    let text = response["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("used before"), "{response}");
}

#[tokio::test]
async fn the_name_of_the_model_confirms_in_the_era_with_an_initialize() {
    let server = Server::mcp(Launch::unconfigured().flag("--sandbox")).await;
    let id = create_model(&server).await;
    let error = server.mcp_call_err(Era::Initialize, "delete_model", json!({"model_id": id})).await;
    assert_eq!(error["code"], "confirmation_required", "{error}");
    assert!(error["hint"].as_str().unwrap().contains("expected_name"), "{error}");
    let arguments = json!({"model_id": id, "expected_name": "Users"});
    let deleted = server.mcp_call(Era::Initialize, "delete_model", arguments).await;
    assert_eq!(deleted["deleted"], true);
}
