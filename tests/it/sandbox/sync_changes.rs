//! Changing, switching and deleting model syncs, and their settings.

use serde_json::{Value, json};
use uuid::Uuid;

use super::syncs::{create, minimal_sync, model, path, source};
use crate::support::Sandbox;

#[tokio::test]
async fn an_update_replaces_the_whole_sync() {
    let sandbox = Sandbox::start();
    let model = model(&sandbox).await;
    let fields = json!([{ "source": source(&model), "target": "mail" }]);
    let old =
        create(&sandbox, json!({ "fields": fields, "active": true, "filter_logic": "" })).await;
    let body = minimal_sync(json!({ "name": "Renamed", "mode": "append" }));
    let response = sandbox.put(&path(&old), &body).await;
    let sync = response.data();
    for key in ["id", "created_at", "created_by"] {
        assert_eq!(sync[key], old[key], "{key}: {}", response.text);
    }
    assert!(sync["updated_at"].as_str() > old["updated_at"].as_str(), "{}", response.text);
    assert_eq!((&sync["name"], &sync["mode"]), (&json!("Renamed"), &json!("append")));
    // Left out, and so cleared.
    assert_eq!((&sync["active"], &sync["fields"]), (&json!(false), &json!([])));
    assert_eq!((&sync["filter_logic"], &sync["model_ids"]), (&Value::Null, &json!([])));
    assert_eq!(sandbox.get(&path(&old)).await.data(), sync);
    let invalid = sandbox.put(&path(&old), &json!({ "name": "x" })).await;
    assert!(invalid.error_message(400).contains("mode: missing"), "{}", invalid.text);
    assert_eq!(sandbox.get(&path(&old)).await.data(), sync);
    let unknown = format!("/api/syncs/{}", Uuid::new_v4());
    sandbox.put(&unknown, &body).await.error_message(404);
}

#[tokio::test]
async fn a_sync_is_switched_on_and_off_and_deleted() {
    let sandbox = Sandbox::start();
    let sync = create(&sandbox, json!({})).await;
    let activate = format!("{}/activate", path(&sync));
    for active in [true, false] {
        let response = sandbox.post(&activate, &json!({ "active": active })).await;
        assert_eq!(response.data(), &json!({ "active": active, "id": sync["id"] }));
        assert_eq!(sandbox.get(&path(&sync)).await.data()["active"], active);
        let list = sandbox.get(&format!("/api/syncs?active={active}")).await;
        assert_eq!(list.data().as_array().unwrap().len(), 1, "{}", list.text);
    }
    let missing = sandbox.post(&activate, &json!({})).await;
    assert!(missing.error_message(422).contains("active: missing"), "{}", missing.text);
    assert_eq!(sandbox.delete(&path(&sync)).await.status, 204);
    sandbox.delete(&path(&sync)).await.error_message(404);
    sandbox.get(&path(&sync)).await.error_message(404);
    sandbox.post(&activate, &json!({ "active": true })).await.error_message(404);
}

#[tokio::test]
async fn error_handling_and_schedules_are_described() {
    let sandbox = Sandbox::start();
    let sync = create(&sandbox, json!({})).await;
    let path = format!("{}/error-handling", path(&sync));
    let initial = sandbox.get(&path).await;
    assert_eq!(initial.data()["subscribers"], json!([]), "{}", initial.text);
    let body = json!({ "notify_on_record_errors": true, "subscribers": ["a@example.com"] });
    let updated = sandbox.put(&path, &body).await;
    assert_eq!(updated.data()["subscribers"], body["subscribers"], "{}", updated.text);
    assert_eq!(updated.data()["auto_retry_record_errors"], false, "{}", updated.text);
    assert_eq!(sandbox.get(&path).await.data(), updated.data());
    let invalid = sandbox.put(&path, &json!({ "subscribers": "x" })).await;
    assert!(invalid.error_message(400).contains("subscribers"), "{}", invalid.text);
    let options = sandbox.get("/api/syncs/schedules").await;
    let options = options.data()["schedule_options"].as_array().unwrap();
    assert!(options.iter().any(|option| option["frequency"] == "manual"), "{options:?}");
}
