//! Creating, updating and deleting connections, and their secrets.

use serde_json::{Map, Value, json};

use crate::support::{CONNECTION, Sandbox, users};

/// A value for every setting of a type, with a recognizable secret in every text.
fn every_setting(schema: &Value) -> Map<String, Value> {
    let value = |(name, setting): (&String, &Value)| {
        let value = match setting["type"].as_str().unwrap() {
            _ if setting["enum"].is_array() => setting["enum"][0].clone(),
            "boolean" => json!(true),
            "integer" => json!(1),
            "array" if setting["items"]["properties"].is_null() => json!(["plain"]),
            "array" => json!([{ "name": "n", "value": "Secret-in-array" }]),
            "object" => json!({ "basic": { "username": "u", "password": "Secret-in-object" } }),
            _ if setting["writeOnly"] == true => json!(format!("Secret-{name}")),
            _ => json!(format!("plain-{name}")),
        };
        (name.clone(), value)
    };
    schema["properties"].as_object().unwrap().iter().map(value).collect()
}

#[tokio::test]
async fn no_response_has_a_secret() {
    let sandbox = Sandbox::start();
    for r#type in
        ["api", "csv", "amazon_keyspaces", "snowflake", "s3", "bigquery", "mysql", "salesforce"]
    {
        let schema = sandbox.get(&format!("/api/connection_types/{type}")).await.body;
        let configuration = every_setting(&schema);
        let sent = Value::from(configuration.clone()).to_string();
        let count = sent.matches("Secret-").count();
        assert!(count > 0 || r#type == "salesforce", "{type} has no secret: {schema}");
        let body = json!({ "name": "S", "type": r#type, "configuration": configuration });
        let created =
            sandbox.post_with_key("/api/connections", &format!("create-{type}"), &body).await;
        let path = format!("/api/connections/{}", created.data()["id"].as_str().unwrap());
        let stored = sandbox.get(&path).await.data()["configuration"].clone();
        let masked = stored.as_object().unwrap().values().filter(|value| **value == "********");
        assert!(masked.count() > 0 || count == 0, "{type}: {stored}");
        // The masks stand for what is stored, in an update and in a test.
        let update = json!({ "name": "Renamed", "configuration": stored });
        let test = json!({
            "type": r#type, "configuration": stored, "connection_id": created.data()["id"],
        });
        let mut wrong = body.clone();
        wrong["type"] = json!("nothing");
        let responses = [
            sandbox.put(&path, &update).await,
            sandbox.get(&path).await,
            sandbox.get("/api/connections").await,
            sandbox.post("/api/connections/test", &test).await,
            sandbox.post_with_key("/api/connections", &format!("create-{type}"), &body).await,
            sandbox.post("/api/connections", &wrong).await,
            sandbox.get(&format!("{path}/modelsync/source")).await,
            sandbox.get(&format!("{path}/schemas/status")).await,
            created,
        ];
        for response in &responses {
            assert!(!response.text.contains("Secret-"), "{type}: {}", response.text);
        }
        assert_eq!(responses[1].data()["name"], "Renamed");
        assert_eq!(responses[1].data()["configuration"], stored, "{type}");
        assert_eq!(responses[3].status, 200, "{type}: {}", responses[3].text);
    }
}

#[tokio::test]
async fn a_connection_in_use_is_deleted_by_force_only() {
    let sandbox = Sandbox::start();
    let model = sandbox.post("/api/models", &users(json!({}))).await.data()["id"].clone();
    let sync = sandbox.add_sync("Sync", &model, json!({})).await;
    let path = format!("/api/connections/{CONNECTION}");
    let refused = sandbox.delete(&path).await;
    assert!(
        refused.error_message(422).contains("1 models and 1 model syncs use this connection"),
        "{}",
        refused.text
    );
    sandbox.delete(&format!("{path}?force=false")).await.error_message(422);
    assert!(
        sandbox.delete(&format!("{path}?force=maybe")).await.error_message(400).contains("force")
    );
    let deleted = sandbox.delete(&format!("{path}?force=true")).await;
    assert!((200..300).contains(&deleted.status), "{}", deleted.text);
    for path in [
        path.clone(),
        format!("/api/models/{}", model.as_str().unwrap()),
        format!("/api/syncs/{}", sync.as_str().unwrap()),
    ] {
        sandbox.get(&path).await.error_message(404);
    }
    sandbox.delete(&path).await.error_message(404);
}
