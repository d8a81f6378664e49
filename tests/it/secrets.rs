//! Secrets of connections and syncs: masked in results, and never sent back to the API.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

use crate::support::{CONNECTION, Launch, Session, Stub, UNKNOWN_ID};

#[tokio::test]
async fn secrets_are_masked_although_the_api_returns_them() {
    let secret = "hunter2-hunter2";
    let connection = json!({
        "id": CONNECTION, "name": "c", "type": {"id": "postgresql"},
        "configuration": {"hostname": "db.example.com", "password": secret, "nested": {"apiKey": secret},
            "url": format!("postgres://u:{secret}@h/db"), "headers": [{"name": "X-Auth", "value": secret}]},
        "access_token": secret,
    });
    let stub = Stub::start().await;
    let path = format!("/api/connections/{CONNECTION}");
    stub.json("GET", "/api/connections", 200, json!({"data": [connection]})).await;
    stub.json("GET", &path, 200, json!({"data": connection})).await;
    let types = json!({"data": [{"id": "t", "capabilities": {"source": true}, "envConfig": {"client_secret": secret}}]});
    stub.json("GET", "/api/connection_types", 200, types).await;
    let sync = json!({"data": {"id": UNKNOWN_ID, "encryption_passphrase": secret, "target": {"configuration": {"token": secret}}}});
    stub.json("GET", &format!("/api/syncs/{UNKNOWN_ID}"), 200, sync).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (tool, arguments) in [
        ("list_connections", json!({"detail": "full"})),
        ("get_connection", json!({"connection_id": CONNECTION, "detail": "full"})),
        ("list_connection_types", json!({"detail": "full"})),
        ("get_model_sync", json!({"sync_id": UNKNOWN_ID})),
    ] {
        let result = session.call(tool, arguments).await.to_string();
        assert!(!result.contains(secret), "{tool}: {result}");
        assert!(result.contains("********"), "{tool}: {result}");
    }
}

#[tokio::test]
async fn a_connection_test_sends_no_configuration() {
    let stub = Stub::start().await;
    let connection = json!({"data": {"id": CONNECTION, "type": {"id": "mysql"}, "configuration": {"password": "p"}}});
    stub.json("GET", &format!("/api/connections/{CONNECTION}"), 200, connection).await;
    let served = AtomicUsize::new(0);
    let respond = move |_: &Request| match served.fetch_add(1, Ordering::Relaxed) {
        0 => ResponseTemplate::new(204),
        _ => ResponseTemplate::new(400).set_body_json(json!({"message": "no route to host"})),
    };
    stub.respond("POST", "/api/connections/test", respond).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let arguments = json!({"connection_id": CONNECTION});
    let works = session.call("test_connection", arguments.clone()).await;
    assert_eq!(works, json!({"connection_id": CONNECTION, "works": true}));
    let broken = session.call("test_connection", arguments).await;
    assert_eq!((&broken["works"], &broken["reason"]), (&json!(false), &json!("no route to host")));
    let requests = stub.requests().await;
    let posts: Vec<Value> = requests
        .iter()
        .filter(|request| request.method == "POST")
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect();
    let expected = json!({"connection_id": CONNECTION, "type": "mysql", "configuration": {}});
    assert_eq!(posts, [expected.clone(), expected]);
}
