//! Authentication, headers, unknown paths and malformed requests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;

use crate::support::{Sandbox, send, users};

const ORGANIZATION: &str = "7d1c1f6e-5a0b-4c57-9f0e-2b8f6d3a9c41";

#[tokio::test]
async fn only_the_api_key_of_the_sandbox_is_accepted() {
    let sandbox = Sandbox::start();
    let key = &sandbox.key;
    let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
    let cases = [
        ("bearer", Some(format!("Bearer {key}")), 200),
        ("lower case", Some(format!("bearer {key}")), 200),
        ("basic", Some(basic(format!("{ORGANIZATION}:{key}"))), 200),
        ("no header", None, 401),
        ("empty", Some(String::new()), 401),
        ("the key alone", Some(key.clone()), 401),
        ("another key", Some(format!("Bearer {key}x")), 401),
        ("half the key", Some(format!("Bearer {}", &key[..20])), 401),
        ("another scheme", Some(format!("Digest {key}")), 401),
        ("another organization", Some(basic(format!("{}:{key}", uuid::Uuid::nil()))), 401),
        ("basic without colon", Some(basic(key.clone())), 401),
        ("basic without base64", Some("Basic !!!".to_owned()), 401),
    ];
    for (label, header, status) in cases {
        let mut request = sandbox.anonymous(Method::GET, "/api/me");
        if let Some(header) = header {
            request = request.header(AUTHORIZATION, header);
        }
        let response = send(request).await;
        assert_eq!(response.status, status, "{label}: {}", response.text);
        assert_eq!(response.headers["x-polytomic-version"], "2025-09-18", "{label}");
        if status == 401 {
            response.error_message(401);
        }
    }
    let response = sandbox.get("/api/me").await;
    let me = response.data();
    assert_eq!(me["organization_id"], ORGANIZATION, "{}", response.text);
    assert_eq!(me["organization_name"], "Sandbox", "{}", response.text);
    assert_eq!(me["is_user"], true, "{}", response.text);
    assert_eq!(me["is_partner"], false, "{}", response.text);
}

#[tokio::test]
async fn every_malformed_request_gets_a_json_error() {
    let sandbox = Sandbox::start();
    let deep = "[".repeat(100_000);
    let long = "x".repeat(20_000);
    let cases: Vec<(&str, Method, String, &str, u16, &str)> = vec![
        ("unknown path", Method::GET, "/api/nothing".into(), "", 404, "nothing at this path"),
        ("path outside the API", Method::GET, "/".into(), "", 404, "nothing at this path"),
        ("wrong method", Method::PATCH, "/api/models".into(), "{}", 405, "only GET, POST"),
        ("no body", Method::POST, "/api/models".into(), "", 400, "body is missing"),
        ("invalid JSON", Method::POST, "/api/models".into(), "{,}", 400, "not valid JSON"),
        (
            "a secret in the wrong place",
            Method::POST,
            "/api/connections".into(),
            r#"{"name": "x", "type": "postgresql", "configuration": "SECRET-4711"}"#,
            400,
            "configuration: invalid type: string, expected an object.",
        ),
        (
            "a list of numbers",
            Method::POST,
            "/api/models".into(),
            r#"{"name": "x", "fields": 1}"#,
            400,
            "fields: invalid type: number, expected an array.",
        ),
        ("trailing JSON", Method::POST, "/api/models".into(), "{} {}", 400, "not valid JSON"),
        ("array", Method::POST, "/api/models".into(), "[]", 400, "must be a JSON object"),
        ("deeply nested JSON", Method::POST, "/api/models".into(), &deep, 400, "not valid JSON"),
        ("invalid escapes", Method::GET, "/api/models/%ff%00%zz".into(), "", 404, "UTF-8"),
        ("path traversal", Method::GET, "/api/models/..%2f..%2fx".into(), "", 404, "../../x"),
        ("long id", Method::GET, format!("/api/models/{long}"), "", 404, "no model xxx"),
        (
            "invalid query",
            Method::GET,
            "/api/models/x/sample?async=maybe&%".into(),
            "",
            400,
            "async",
        ),
    ];
    for (label, method, path, body, status, expected) in cases {
        let request = sandbox.request(method, &path).body(body.to_owned());
        let response = send(request).await;
        assert!(response.error_message(status).contains(expected), "{label}: {}", response.text);
        assert_eq!(response.headers["x-polytomic-version"], "2025-09-18", "{label}");
    }
}

#[tokio::test]
async fn a_body_over_ten_mebibytes_is_rejected_as_too_large() {
    let sandbox = Sandbox::start();
    let body = " ".repeat(11 * 1024 * 1024);
    let response = send(sandbox.request(Method::POST, "/api/models").body(body)).await;
    assert!(response.error_message(413).contains("10485760"), "{}", response.text);
    let padding = " ".repeat(9 * 1024 * 1024);
    let body = users(serde_json::json!({})).to_string() + &padding;
    let response = send(sandbox.request(Method::POST, "/api/models").body(body)).await;
    response.data();
}
