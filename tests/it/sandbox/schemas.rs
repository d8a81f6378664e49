//! The schemas of a connection.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CONNECTION, Sandbox, send};

#[tokio::test]
async fn a_schema_has_typed_fields_and_records() {
    let sandbox = Sandbox::start();
    let path = format!("/api/connections/{CONNECTION}/schemas/public.users");
    let schema = sandbox.get(&path).await;
    assert_eq!(schema.data()["id"], "public.users");
    assert_eq!(schema.data()["name"], "users");
    let field = |name: &str| {
        let fields = schema.data()["fields"].as_array().unwrap();
        fields.iter().find(|field| field["name"] == name).unwrap().clone()
    };
    let seen = |name: &str| {
        let field = field(name);
        (field["type"].clone(), field["remote_type"].clone(), field["is_primary_key"].clone())
    };
    assert_eq!(seen("id"), (json!("number"), json!("integer"), json!(true)));
    assert_eq!(seen("email"), (json!("string"), json!("text"), json!(false)));
    assert_eq!(seen("last_login_at"), (json!("datetime"), json!("datetime"), json!(false)));
    let records = sandbox.get(&format!("{path}/records")).await;
    let records = records.data().as_array().unwrap();
    assert_eq!(records.len(), 20);
    assert_eq!(records[0]["id"], 1);
    assert_eq!(records[0].as_object().unwrap().len(), 13);
    let view = format!("/api/connections/{CONNECTION}/schemas/public.active_users/records");
    assert_eq!(sandbox.get(&view).await.data().as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn an_unknown_schema_is_named_with_a_similar_one() {
    let sandbox = Sandbox::start_with(&["--keys"]);
    for rest in ["", "/records"] {
        let path = format!("/api/connections/{CONNECTION}/schemas/public.userz{rest}");
        let response = sandbox.get(&path).await;
        let message = response.error_message(404);
        assert!(message.contains("did you mean \"public.users\"?"), "{message}");
        let path = format!("/api/connections/{CONNECTION}/schemas/public.users{rest}");
        let other = sandbox.with_key("other_organization").get(&path).await;
        assert!(other.error_message(404).contains(CONNECTION), "{}", other.text);
    }
}

#[tokio::test]
async fn a_refresh_changes_the_times_of_the_status() {
    let sandbox = Sandbox::start_with(&["--keys"]);
    let path = format!("/api/connections/{CONNECTION}/schemas");
    let status = || async { sandbox.get(&format!("{path}/status")).await.data().clone() };
    let before = status().await;
    assert_eq!(before["cache_status"], "fresh");
    let ids = || async { sandbox.all_ids("/api/connections", "", 50).await };
    let order = ids().await;
    let denied = sandbox.with_key("read_only").request(Method::POST, &format!("{path}/refresh"));
    send(denied).await.error_message(403);
    let refreshed = send(sandbox.request(Method::POST, &format!("{path}/refresh"))).await;
    assert_eq!((refreshed.status, refreshed.text.as_str()), (200, ""));
    let location = refreshed.headers["location"].to_str().unwrap();
    assert_eq!(location, format!("{path}/status"));
    let after = status().await;
    let time = |status: &Value, name: &str| status[name].as_str().unwrap().to_owned();
    for name in ["last_refresh_started", "last_refresh_finished"] {
        assert!(time(&after, name) > time(&before, name), "{after}");
    }
    assert_eq!(ids().await, order);
    // Only a healthy source has schemas.
    let connections = sandbox.get("/api/connections").await;
    for r#type in ["slack", "postgresql", "apollo"] {
        let all = connections.data().as_array().unwrap();
        let one = all.iter().find(|connection| connection["type"]["id"] == r#type).unwrap();
        let path = format!("/api/connections/{}/schemas", one["id"].as_str().unwrap());
        for request in [
            sandbox.request(Method::GET, &format!("{path}/status")),
            sandbox.request(Method::POST, &format!("{path}/refresh")),
            sandbox.request(Method::GET, &format!("{path}/public.users")),
        ] {
            send(request).await.error_message(400);
        }
    }
}
