//! Operations that become jobs.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{CONNECTION, Sandbox, users};

#[tokio::test]
async fn every_asynchronous_operation_completes_as_a_job_with_its_result() {
    let sandbox = Sandbox::start();
    let id = sandbox.create(json!({ "table": "users" })).await["id"].as_str().unwrap().to_owned();
    let body = users(json!({ "name": "Later" }));
    let cases = [
        ("createmodel", sandbox.post("/api/models?async=true", &body).await),
        ("previewmodel", sandbox.post("/api/model-preview?async=1", &body).await),
        ("updatemodel", sandbox.put(&format!("/api/models/{id}?async=true"), &body).await),
        ("samplemodel", sandbox.get(&format!("/api/models/{id}/sample?async=true")).await),
    ];
    for (kind, response) in cases {
        assert_eq!(response.data(), &Value::Null, "{}", response.text);
        let job = &response.body["job"];
        assert_eq!(job["type"], kind, "{}", response.text);
        assert_eq!(job["status"], "created", "{}", response.text);
        let job = sandbox.wait_for_job(job).await;
        assert_eq!((&job["status"], &job["error"]), (&json!("done"), &Value::Null), "{job}");
        match kind {
            "samplemodel" => {
                assert_eq!(job["result"]["records"].as_array().unwrap().len(), 20, "{job}");
            }
            "previewmodel" => assert_eq!(job["result"]["id"], Value::Null, "{job}"),
            _ => {
                let path = format!("/api/models/{}", job["result"]["id"].as_str().unwrap());
                assert_eq!(sandbox.get(&path).await.data(), &job["result"], "{job}");
            }
        }
    }
    let updated = sandbox.get(&format!("/api/models/{id}")).await;
    assert_eq!(updated.data()["version"], 2, "{}", updated.text);
    assert_eq!(sandbox.get("/api/models").await.data().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_synchronous_operation_creates_a_completed_job() {
    let sandbox = Sandbox::start();
    let created = sandbox.post("/api/models?async=false", &users(json!({}))).await;
    let job = sandbox.wait_for_job(&created.body["job"]).await;
    assert_eq!(job["result"], *created.data(), "{job}");
}

#[tokio::test]
async fn an_error_in_the_data_fails_the_job_and_an_invalid_request_fails_at_once() {
    let sandbox = Sandbox::start();
    let path = "/api/models?async=true";
    let cases = [
        ("table", json!({ "configuration": { "table": "nope" } }), "no table \"nope\""),
        ("SQL", json!({ "configuration": { "query": "SELECT x" } }), "no such column: x"),
        ("field", json!({ "fields": ["nope"] }), "fields"),
    ];
    for (label, change, expected) in cases {
        let response = sandbox.post(path, &users(change)).await;
        assert_eq!(response.status, 200, "{label}: {}", response.text);
        let job = sandbox.wait_for_job(&response.body["job"]).await;
        assert_eq!((&job["status"], &job["result"]), (&json!("failed"), &Value::Null), "{job}");
        assert!(job["error"].as_str().unwrap().contains(expected), "{label}: {job}");
    }
    let response = sandbox.post(path, &json!({ "connection_id": CONNECTION })).await;
    assert!(response.error_message(400).contains("name"), "{}", response.text);
    assert_eq!(sandbox.get("/api/models").await.data(), &json!([]));
}

#[tokio::test]
async fn a_job_is_found_by_its_type_and_id() {
    let sandbox = Sandbox::start();
    let created = sandbox.post("/api/models", &users(json!({}))).await;
    let id = created.body["job"]["job_id"].as_str().unwrap();
    let unknown_id = Uuid::new_v4().to_string();
    let cases = [
        ("another type", format!("samplemodel/{id}"), 404, id),
        ("type that is never started", format!("exportlogs/{id}"), 404, id),
        ("unknown id", format!("createmodel/{unknown_id}"), 404, &unknown_id),
        ("invalid UUID", "createmodel/nonsense".to_owned(), 404, "nonsense"),
        ("unknown type", format!("deletemodel/{id}"), 400, "createmodel"),
    ];
    for (label, path, status, expected) in cases {
        let response = sandbox.get(&format!("/api/jobs/{path}")).await;
        assert!(response.error_message(status).contains(expected), "{label}: {}", response.text);
    }
}
