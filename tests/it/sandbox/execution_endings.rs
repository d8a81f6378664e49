//! How executions of model syncs end that are cancelled, or lose their model or their process.

use std::time::{Duration, Instant};

use rusqlite::types::Value as Stored;
use serde_json::json;

use super::executions::{counts, create, model, rows, run, start, wait};
use crate::support::{CONNECTION, ENDLESS, Sandbox, TARGET, scratch_file};

#[tokio::test]
async fn the_store_of_a_sandbox_is_no_target() {
    let file = scratch_file("own.db");
    let sandbox = Sandbox::start_with(&["--data", file.path()]);
    let configuration = json!({ "path": file.path() });
    let body = json!({ "name": "Own", "type": "sqlite", "configuration": configuration, "validate": false });
    let own = sandbox.post("/api/connections", &body).await.data()["id"].clone();
    let users = sandbox.create(json!({ "table": "users" })).await["id"].clone();
    let target = json!({ "target": { "connection_id": own, "object": "models" } });
    let sync = create(&sandbox, &users, &["id"], target).await;
    let execution = run(&sandbox, &sync, json!({})).await;
    assert!(execution["errors"][0].as_str().unwrap().contains("data of a sandbox"), "{execution}");
}

#[tokio::test]
async fn deleting_a_model_breaks_the_next_execution_of_its_syncs() {
    let sandbox = Sandbox::start();
    let users = sandbox.create(json!({ "table": "users" })).await["id"].clone();
    let sync = create(&sandbox, &users, &["email"], json!({})).await;
    assert_eq!(run(&sandbox, &sync, json!({})).await["status"], "completed");
    let id = users.as_str().unwrap();
    assert_eq!(sandbox.delete(&format!("/api/models/{id}")).await.status, 204);
    let execution = run(&sandbox, &sync, json!({})).await;
    assert_eq!(execution["status"], "failed", "{execution}");
    let error = execution["errors"][0].as_str().unwrap();
    assert!(error.contains(id) && error.contains("deleted"), "{error}");
}

#[tokio::test]
async fn a_running_execution_can_be_cancelled_and_keeps_others_out() {
    let sandbox = Sandbox::start();
    let connection = json!(CONNECTION);
    let endless = model(&sandbox, &connection, json!({ "query": ENDLESS })).await;
    let sync = create(&sandbox, &endless, &["id", "name"], json!({ "mode": "append" })).await;
    let nothing = sandbox.post(&format!("{sync}/cancel"), &json!({})).await;
    assert!(nothing.error_message(409).contains("No execution"), "{}", nothing.text);
    for by_sync in [true, false] {
        let execution = start(&sandbox, &sync, json!({})).await;
        wait(&sandbox, &execution, &["running"]).await;
        let again = sandbox.post(&format!("{sync}/executions"), &json!({})).await;
        assert!(again.error_message(409).contains("is running"), "{}", again.text);
        sandbox.delete(&sync).await.error_message(409);
        let status = sandbox.get(&format!("{sync}/status")).await;
        assert_eq!(status.data()["current_execution"]["status"], "running", "{}", status.text);
        let path = if by_sync { &sync } else { &execution };
        let cancelled = sandbox.post(&format!("{path}/cancel"), &json!({})).await;
        assert!(cancelled.data()["message"].is_string(), "{}", cancelled.text);
        let ended = wait(&sandbox, &execution, &["canceled", "completed", "failed"]).await;
        assert_eq!(ended["status"], "canceled", "{ended}");
        let late = sandbox.post(&format!("{execution}/cancel"), &json!({})).await;
        assert!(late.error_message(409).contains("canceled already"), "{}", late.text);
    }
    let objects = sandbox.get(&format!("/api/connections/{TARGET}/modelsync/targetobjects")).await;
    assert_eq!(objects.data(), &json!([]), "{}", objects.text);
    assert_eq!(sandbox.delete(&sync).await.status, 204);
    sandbox.get(&format!("{sync}/executions")).await.error_message(404);
}

#[tokio::test]
async fn a_reset_forgets_executions_and_what_they_wrote() {
    let sandbox = Sandbox::start();
    let users = sandbox.create(json!({ "table": "users" })).await["id"].clone();
    let sync = create(&sandbox, &users, &["email"], json!({})).await;
    run(&sandbox, &sync, json!({})).await;
    let objects = format!("/api/connections/{TARGET}/modelsync/targetobjects");
    assert_eq!(sandbox.get(&objects).await.data().as_array().unwrap().len(), 1);
    assert_eq!(sandbox.post("/sandbox/reset", &json!({})).await.status, 204);
    assert_eq!(sandbox.get(&objects).await.data(), &json!([]));
    sandbox.get(&format!("{sync}/executions")).await.error_message(404);
    assert_eq!(sandbox.get("/api/bulk/syncs").await.data().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_key_starts_one_execution() {
    let sandbox = Sandbox::start();
    let users = sandbox.create(json!({ "table": "users" })).await["id"].clone();
    let sync = create(&sandbox, &users, &["email"], json!({})).await;
    let path = format!("{sync}/executions");
    let first = sandbox.post_with_key(&path, "start-once", &json!({})).await;
    let execution = format!("{path}/{}", first.data()["id"].as_str().unwrap());
    wait(&sandbox, &execution, &["completed"]).await;
    let again = sandbox.post_with_key(&path, "start-once", &json!({})).await;
    assert_eq!(again.text, first.text);
    assert_eq!(sandbox.all_ids(&path, "", 50).await.len(), 1);
}

#[tokio::test]
async fn a_kill_leaves_all_or_nothing_and_others_see_the_failure() {
    let file = scratch_file("killed.db");
    let target = format!("{}.target.db", file.path());
    let arguments = ["--data", file.path()];
    let (first, second) = (Sandbox::start_with(&arguments), Sandbox::start_with(&arguments));
    let users = first.create(json!({ "table": "users" })).await["id"].clone();
    let finite = create(&first, &users, &["email"], json!({})).await;
    assert_eq!(run(&first, &finite, json!({})).await["status"], "completed");
    let endless = model(&first, &json!(CONNECTION), json!({ "query": ENDLESS })).await;
    let extra = json!({ "mode": "append", "fields": [
        { "source": { "model_id": endless, "field": "name" }, "target": "email" },
    ], "identity": null });
    let sync = create(&first, &endless, &["id"], extra).await;

    // Through either process, the other one's execution is seen, kept apart and cancelled.
    let execution = start(&first, &sync, json!({})).await;
    wait(&second, &execution, &["running"]).await;
    second.post(&format!("{sync}/executions"), &json!({})).await.error_message(409);
    second.post(&format!("{sync}/cancel"), &json!({})).await.data();
    assert_eq!(wait(&first, &execution, &["canceled"]).await["counts"]["total"], 0);

    let execution = start(&first, &sync, json!({})).await;
    wait(&second, &execution, &["running"]).await;
    // Until it has written more than SQLite keeps in memory.
    let wal = format!("{target}-wal");
    let started = Instant::now();
    while std::fs::metadata(&wal).map_or(0, |metadata| metadata.len()) < 1_000_000 {
        assert!(started.elapsed() < Duration::from_secs(20), "nothing is written");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    first.kill();
    let lost = second.get(&execution).await;
    assert_eq!(lost.data()["status"], "failed", "{}", lost.text);
    assert!(lost.data()["errors"][0].as_str().unwrap().contains("stopped"), "{}", lost.text);
    assert_eq!(rows(&target, "SELECT count(*) FROM people"), [[Stored::Integer(1000)]]);
    let again = run(&second, &finite, json!({})).await;
    assert_eq!(counts(&again), [1000, 0, 0, 0, 0], "{again}");
    assert_eq!(second.terminate().code(), Some(0));

    let third = Sandbox::start_with(&arguments);
    assert_eq!(third.get(&execution).await.data(), lost.data());
}

#[tokio::test]
async fn executions_belong_to_their_organization() {
    let sandbox = Sandbox::start_with(&["--keys"]);
    let users = sandbox.create(json!({ "table": "users" })).await["id"].clone();
    let sync = create(&sandbox, &users, &["email"], json!({})).await;
    let execution = start(&sandbox, &sync, json!({})).await;
    let (reader, other) = (sandbox.with_key("read_only"), sandbox.with_key("other_organization"));
    wait(&reader, &execution, &["completed"]).await;
    reader.post(&format!("{sync}/executions"), &json!({})).await.error_message(403);
    reader.delete(&sync).await.error_message(403);
    other.get(&execution).await.error_message(404);
    other.get(&format!("{sync}/executions")).await.error_message(404);
    other.post(&format!("{sync}/executions"), &json!({})).await.error_message(404);
    other.delete(&sync).await.error_message(404);
    assert_eq!(other.get("/api/bulk/syncs").await.data(), &json!([]));
}
