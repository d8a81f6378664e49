//! Nothing of one caller is visible to another.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use polytomic_mcp::registry::{CallSignals, ErrorCode, Outcome};
use serde_json::json;
use wiremock::ResponseTemplate;

use super::*;
use crate::support::{CONNECTION, UNKNOWN_ID, definition};

#[tokio::test]
async fn the_key_of_the_caller_is_redacted_and_no_other_one_searched() {
    let stub = Stub::start().await;
    let name = format!("{KEY_OF_ADA} {KEY_OF_BOB}");
    let connection = json!({"id": CONNECTION, "name": name, "type": {"id": "x", "name": "X"}});
    stub.json("GET", "/api/connections", 200, json!({"data": [connection]})).await;
    stub.json("GET", "/api/me", 400, json!({"error": {"message": name}})).await;
    let registry = shared(&stub);
    for (key, redacted, other) in [
        (KEY_OF_ADA, KEY_OF_ADA, KEY_OF_BOB),
        (KEY_OF_BOB, KEY_OF_BOB, KEY_OF_ADA),
        (KEY_OF_ADA, KEY_OF_ADA, KEY_OF_BOB),
    ] {
        let result = call(&registry, Some(key), "list_connections", json!({})).await.unwrap();
        let error = call(&registry, Some(key), "get_identity", json!({})).await.unwrap_err();
        for text in [result.to_string(), json!(error.details).to_string()] {
            assert!(!text.contains(redacted) && text.contains("[redacted API key]"), "{text}");
            assert!(text.contains(other), "{text}");
        }
    }
}

#[tokio::test]
async fn a_cursor_is_valid_for_the_caller_who_got_it() {
    let stub = Stub::start().await;
    let model = |n: usize| json!({"id": format!("{n:08}-0000-4000-8000-000000000000"), "name": n.to_string()});
    let page = json!({"data": [model(1), model(2)], "pagination": {"next_page_token": "2"}});
    stub.json("GET", "/api/models", 200, page).await;
    let (registry, configured) = (shared(&stub), with_key(&stub));
    let list = async |key: &str, cursor: Option<&str>| {
        let mut arguments = json!({"limit": 1});
        if let Some(cursor) = cursor {
            arguments["cursor"] = cursor.into();
        }
        call(&registry, Some(key), "list_models", arguments).await
    };
    let first = list(KEY_OF_ADA, None).await.unwrap();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = list(KEY_OF_ADA, Some(cursor)).await.unwrap();
    assert_eq!(second["models"][0]["name"], "2", "{second}");
    let error = list(KEY_OF_BOB, Some(cursor)).await.unwrap_err();
    assert_eq!((error.code, error.outcome), (ErrorCode::InvalidArgument, Outcome::NotSent));
    assert!(error.message.contains("the same API key"), "{}", error.message);
    // Those of a key in the settings are for all who use it, also in other processes.
    let arguments = json!({"limit": 1});
    let plain = call(&configured, None, "list_models", arguments.clone()).await.unwrap();
    let plain = plain["next_cursor"].as_str().unwrap();
    let arguments = json!({"limit": 1, "cursor": plain});
    call(&with_key(&stub), None, "list_models", arguments).await.unwrap();
    assert_eq!(list(KEY_OF_ADA, Some(plain)).await.unwrap_err().code, ErrorCode::InvalidArgument);
    let arguments = json!({"limit": 1, "cursor": cursor});
    let error = call(&configured, None, "list_models", arguments).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
}

#[tokio::test]
async fn the_idempotency_key_of_an_interrupted_create_is_for_its_caller() {
    let stub = Stub::start().await;
    let count = AtomicUsize::new(0);
    stub.respond("POST", "/api/models", move |_: &wiremock::Request| {
        let body = json!({"data": {"id": UNKNOWN_ID, "name": "Users"}});
        let response = ResponseTemplate::new(200).set_body_json(body);
        match count.fetch_add(1, Ordering::Relaxed) {
            0 => response.set_delay(Duration::from_secs(600)),
            _ => response,
        }
    })
    .await;
    let registry = shared(&stub);
    let signals = CallSignals {
        account: Some(account(&registry, KEY_OF_ADA).await),
        ..CallSignals::default()
    };
    let cancel = signals.cancel.clone();
    let interrupted = run(&registry, "create_model", definition(), signals);
    let (error, ()) = tokio::join!(interrupted, async {
        stub.wait_for_requests(1).await;
        cancel.cancel();
    });
    assert_eq!(error.unwrap_err().outcome, Outcome::Unknown);
    // Far more callers than are kept: one that nothing depends on goes before one with an open create.
    for number in 0..300 {
        account(&registry, &format!("key-{number}")).await;
    }
    for key in [KEY_OF_BOB, KEY_OF_ADA] {
        call(&registry, Some(key), "create_model", definition()).await.unwrap();
    }
    let requests = stub.requests().await;
    let keys: Vec<_> = requests.iter().map(|request| &request.headers["idempotency-key"]).collect();
    assert_eq!(keys[0], keys[2], "the caller's own key is lost");
    assert_ne!(keys[0], keys[1], "another caller has got it");
}

#[tokio::test]
async fn schemas_of_connection_types_are_read_for_each_caller() {
    let stub = Stub::start().await;
    let connection = json!({"id": CONNECTION, "name": "X", "type": {"id": "x", "name": "X"},
        "configuration": {"a": 1}});
    let path = format!("/api/connections/{CONNECTION}");
    stub.json("GET", &path, 200, json!({"data": connection})).await;
    let body = json!({"type": "object", "properties": {}});
    stub.respond_to_others(ResponseTemplate::new(200).set_body_json(body)).await;
    let registry = shared(&stub);
    for key in [KEY_OF_ADA, KEY_OF_ADA, KEY_OF_BOB] {
        let arguments = json!({"connection_id": CONNECTION, "detail": "full"});
        call(&registry, Some(key), "get_connection", arguments).await.unwrap();
    }
    let lines = stub.lines().await;
    let schemas: Vec<_> = lines.iter().filter(|line| line.contains("connection_types")).collect();
    assert_eq!(schemas.len(), 2, "{lines:?}");
}
