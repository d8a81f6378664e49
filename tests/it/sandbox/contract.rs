//! Every operation of the contract is there, or says that it is not.

use reqwest::Method;
use serde_json::json;

use crate::support::contract::operations;
use crate::support::{Sandbox, send};

#[test]
fn the_sandbox_knows_the_operations_of_the_contract() {
    let known = include_str!("../../../src/sandbox/contract/operations.txt");
    let mut expected: Vec<String> = operations()
        .map(|operation| {
            let kind = if operation.is_read_only { "reads" } else { "writes" };
            format!("{} {} {} {kind}", operation.id, operation.method, operation.path)
        })
        .collect();
    let mut known: Vec<&str> = known.lines().collect();
    known.sort_unstable();
    expected.sort_unstable();
    assert_eq!(known, expected);
}

#[tokio::test]
async fn every_operation_is_served_or_names_itself_in_a_501() {
    let sandbox = Sandbox::start();
    let mut missing = Vec::new();
    for operation in operations() {
        let path = operation.path.replace(['{', '}'], "");
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        let response = send(sandbox.request(method, &path).json(&json!({}))).await;
        assert_ne!(response.status, 405, "{}: {}", operation.id, response.text);
        assert_ne!(response.status, 500, "{}: {}", operation.id, response.text);
        assert!(!response.text.contains("nothing at this path"), "{}", operation.id);
        if response.status == 501 {
            assert!(response.error_message(501).contains(operation.id), "{}", response.text);
            assert_eq!(response.body["metadata"]["operation"], operation.id);
            missing.push(operation.id);
        }
    }
    for tag in ["create_model", "list_models", "get_job", "get_identity", "get_connection"] {
        assert!(!missing.contains(&tag), "{tag}");
    }
    assert!(missing.contains(&"create_webhook"), "{missing:?}");
}

#[tokio::test]
async fn other_methods_are_named() {
    let sandbox = Sandbox::start();
    for (method, path, allowed) in [
        (Method::PATCH, "/api/models", "GET, POST"),
        (Method::POST, "/api/me", "GET"),
        // Not implemented at all.
        (Method::DELETE, "/api/bulk/syncs/status", "GET"),
        (Method::OPTIONS, "/api/models", "GET, POST"),
    ] {
        let response = send(sandbox.request(method, path)).await;
        assert!(response.error_message(405).contains(allowed), "{}", response.text);
        assert_eq!(response.headers["allow"], allowed);
    }
    let head = send(sandbox.request(Method::HEAD, "/api/me")).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

#[tokio::test]
async fn known_versions_are_echoed_and_others_rejected() {
    let sandbox = Sandbox::start();
    for (version, status) in [
        (None, 200),
        (Some("2025-09-18"), 200),
        (Some("2024-02-08"), 200),
        (Some("2021-05-23"), 200),
        (Some("2025-09-19"), 400),
        (Some(""), 400),
    ] {
        let mut request = sandbox.request(Method::GET, "/api/me");
        if let Some(version) = version {
            request = request.header("X-Polytomic-Version", version);
        }
        let response = send(request).await;
        assert_eq!(response.status, status, "{version:?}: {}", response.text);
        if status == 200 {
            let expected = version.unwrap_or("2025-09-18");
            assert_eq!(response.headers["x-polytomic-version"], expected);
        } else {
            assert!(response.error_message(400).contains("2025-09-18"), "{}", response.text);
        }
    }
}

#[tokio::test]
async fn every_response_has_an_id_of_its_own() {
    let sandbox = Sandbox::start();
    let mut ids = std::collections::BTreeSet::new();
    for path in ["/api/me", "/api/me", "/api/nothing", "/api/webhooks"] {
        let id = sandbox.get(path).await.headers["x-request-id"].to_str().unwrap().to_owned();
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
        assert!(ids.insert(id));
    }
}

#[tokio::test]
async fn bodies_are_json() {
    let sandbox = Sandbox::start();
    for (media_type, status) in [
        (None, 200),
        (Some("application/json"), 200),
        (Some("Application/JSON; charset=utf-8"), 200),
        (Some("application/vnd.api+json"), 200),
        (Some("application/x-www-form-urlencoded"), 415),
        (Some("text/plain"), 415),
        (Some("multipart/form-data; boundary=x"), 415),
    ] {
        let mut request = sandbox
            .request(Method::POST, "/api/models")
            .body(crate::support::users(json!({})).to_string());
        if let Some(media_type) = media_type {
            request = request.header("Content-Type", media_type);
        }
        let response = send(request).await;
        assert_eq!(response.status, status, "{media_type:?}: {}", response.text);
        if status == 415 {
            assert!(response.error_message(415).contains("application/json"), "{}", response.text);
        }
    }
}
