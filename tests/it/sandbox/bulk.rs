//! Bulk syncs, which can be read.

use serde_json::{Value, json};

use crate::support::{Sandbox, send};

#[tokio::test]
async fn the_seeded_bulk_sync_can_be_read() {
    let sandbox = Sandbox::start();
    let list = sandbox.get("/api/bulk/syncs").await;
    let sync = &list.data()[0];
    let path = format!("/api/bulk/syncs/{}", sync["id"].as_str().unwrap());
    assert_eq!(sandbox.get(&path).await.data(), sync);
    assert_eq!(sandbox.get("/api/bulk/syncs?active=false").await.data(), &json!([]));

    let schemas = sandbox.get(&format!("{path}/schemas")).await;
    let ids: Vec<&str> = schemas
        .data()
        .as_array()
        .unwrap()
        .iter()
        .map(|schema| schema["id"].as_str().unwrap())
        .collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| id.contains('.')), "{ids:?}");
    for id in &ids {
        let schema = sandbox.get(&format!("{path}/schemas/{id}")).await;
        assert!(!schema.data()["fields"].as_array().unwrap().is_empty(), "{}", schema.text);
    }
    sandbox.get(&format!("{path}/schemas/other")).await.error_message(404);

    let executions = sandbox.get(&format!("{path}/executions")).await;
    let execution = &executions.data()[0];
    let id = execution["id"].as_str().unwrap();
    assert_eq!(sandbox.get(&format!("{path}/executions/{id}")).await.data(), execution);
    assert_eq!(execution["schemas"].as_array().unwrap().len(), ids.len());
    assert!(execution["record_count"].as_u64().unwrap() > 1000, "{execution}");
    let status = sandbox.get(&format!("{path}/status")).await;
    assert_eq!(&status.data()["last_execution"], execution);
    for query in ["", "?active=true", &format!("?sync_id={}", sync["id"].as_str().unwrap())] {
        let statuses = sandbox.get(&format!("/api/bulk/syncs/status{query}")).await;
        assert_eq!(statuses.data()[0]["sync_id"], sync["id"], "{query}: {}", statuses.text);
    }

    let schedules = sandbox.get(&format!("{path}/schedules")).await;
    let schedule = schedules.data()[0]["id"].as_str().unwrap().to_owned();
    let one = sandbox.get(&format!("{path}/schedules/{schedule}")).await;
    assert_eq!(one.data(), &schedules.data()[0]);
    sandbox.get(&format!("{path}/schedules/{id}")).await.error_message(404);
    sandbox.get(&format!("{path}/error-handling")).await.data();

    let source = sync["source_connection_id"].as_str().unwrap();
    let offered = sandbox.get(&format!("/api/connections/{source}/bulksync/source")).await;
    assert_eq!(offered.data()["schemas"].as_array().unwrap().len(), ids.len());
    let target = sync["destination_connection_id"].as_str().unwrap();
    let accepted = sandbox.get(&format!("/api/connections/{target}/bulksync/target")).await;
    assert_eq!(accepted.data()["modes"][0]["id"], sync["mode"], "{}", accepted.text);
    let read_only = sandbox.get(&format!("/api/connections/{source}/bulksync/target")).await;
    read_only.error_message(400);
}

#[tokio::test]
async fn bulk_syncs_are_not_written_and_not_there_without_data() {
    let sandbox = Sandbox::start_with(&["--seed-data", "none"]);
    assert_eq!(sandbox.get("/api/bulk/syncs").await.data(), &json!([]));
    let unknown = "/api/bulk/syncs/b3c1e5f7-2a94-4d68-8e07-95d1f4a6c230";
    for suffix in ["", "/schemas", "/executions", "/status", "/schedules", "/error-handling"] {
        sandbox.get(&format!("{unknown}{suffix}")).await.error_message(404);
    }
    let created = sandbox.post("/api/bulk/syncs", &json!({})).await;
    assert!(created.error_message(501).contains("create_bulk_sync"), "{}", created.text);
    let request = sandbox.request(reqwest::Method::PUT, unknown).json(&Value::Null);
    assert!(send(request).await.error_message(501).contains("update_bulk_sync"));
}
