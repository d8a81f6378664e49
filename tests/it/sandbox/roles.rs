//! API keys that may do less than the first one.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::contract::operations;
use crate::support::{Sandbox, send, users};

#[tokio::test]
async fn a_read_only_key_reads_and_changes_nothing() {
    let sandbox = Sandbox::start_with(&["--keys"]);
    let model = sandbox.post("/api/models", &users(json!({}))).await.data().clone();
    let reader = sandbox.with_key("read_only");
    for operation in operations() {
        let path = operation.path.replace("{id}", "x").replace(['{', '}'], "");
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        let response = send(reader.request(method, &path).json(&json!({}))).await;
        let is_forbidden = response.status == 403;
        assert_eq!(is_forbidden, !operation.is_read_only, "{}: {}", operation.id, response.text);
    }
    let path = format!("/api/models/{}", model["id"].as_str().unwrap());
    assert_eq!(reader.get(&path).await.data(), &model);
    assert_eq!(reader.get(&format!("{path}/sample")).await.status, 200);
    reader.post("/api/model-preview", &users(json!({}))).await.data();
    let message = reader.delete(&path).await;
    assert!(message.error_message(403).contains("delete_model"), "{}", message.text);
    assert_eq!(sandbox.get(&path).await.data(), &model);
}

#[tokio::test]
async fn another_organization_sees_nothing_of_the_first() {
    let sandbox = Sandbox::start_with(&["--keys"]);
    let model = sandbox.post("/api/models", &users(json!({}))).await.data()["id"].clone();
    let sync = sandbox.add_sync("Sync", &model, json!({})).await;
    let job = sandbox.post("/api/model-preview?async=true", &users(json!({}))).await;
    sandbox.wait_for_job(&job.body["job"]).await;
    let other = sandbox.with_key("other_organization");
    assert_ne!(other.get("/api/me").await.data(), sandbox.get("/api/me").await.data());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for path in [
        format!("/api/models/{}", text(&model)),
        format!("/api/models/{}/sample", text(&model)),
        format!("/api/syncs/{}", text(&sync)),
        format!("/api/jobs/previewmodel/{}", text(&job.body["job"]["job_id"])),
    ] {
        other.get(&path).await.error_message(404);
    }
    other.delete(&format!("/api/models/{}", text(&model))).await.error_message(404);
    for list in ["/api/models", "/api/syncs"] {
        assert_eq!(other.get(list).await.data(), &json!([]), "{list}");
    }
    // An idempotency key belongs to its organization.
    let first =
        sandbox.post_with_key("/api/model-preview", "same-key-for-both", &users(json!({}))).await;
    let second =
        other.post_with_key("/api/model-preview", "same-key-for-both", &users(json!({}))).await;
    assert_ne!(first.text, second.text);
    let foreign = users(json!({ "organization_id": "1f8a5c3e-62b7-4d09-8e41-c7d2a9b06f35" }));
    let refused = sandbox.post("/api/models", &foreign).await;
    assert!(refused.error_message(403).contains("organization_id"), "{}", refused.text);
}

#[tokio::test]
async fn an_expired_key_is_unauthorized() {
    let sandbox = Sandbox::start_with(&["--keys"]);
    let expired = sandbox.with_key("expired");
    let response = expired.get("/api/me").await;
    assert!(response.error_message(401).contains("expired"), "{}", response.text);
    assert_eq!(response.headers["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn the_keys_are_printed_on_request_only() {
    let line = |arguments: &[&str]| Sandbox::start_with(arguments).announcement.clone();
    assert_eq!(crate::support::keys(&line(&[])), ["api_key", "page", "url"]);
    let announcement = line(&["--keys"]);
    assert_eq!(crate::support::keys(&announcement), ["api_key", "keys", "page", "url"]);
    let keys = crate::support::keys(&announcement["keys"]);
    assert_eq!(keys, ["expired", "other_organization", "read_only"]);
}
