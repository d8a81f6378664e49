//! Every request with the same key gets the same response.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::{Sandbox, send, users};

#[tokio::test]
async fn a_repeated_key_gets_the_first_response() {
    let sandbox = Sandbox::start();
    let valid = users(json!({}));
    let invalid = users(json!({ "configuration": { "table": "nope" } }));
    let cases = [
        ("create", "/api/models", &valid, 200),
        ("preview", "/api/model-preview", &valid, 200),
        ("asynchronous", "/api/models?async=true", &valid, 200),
        ("rejected", "/api/models", &invalid, 400),
    ];
    for (label, path, body, status) in cases {
        let key = format!("key-for-{label}");
        let first = sandbox.post_with_key(path, &key, body).await;
        assert_eq!(first.status, status, "{label}: {}", first.text);
        // A different body: the response can only be the stored one.
        let repeated = sandbox.post_with_key(path, &key, &json!({})).await;
        assert_eq!((repeated.status, &repeated.text), (status, &first.text), "{label}");
        assert_eq!(repeated.headers["content-type"], "application/json", "{label}");
        let job = &first.body["job"];
        if label == "asynchronous" {
            sandbox.wait_for_job(job).await;
        }
    }
    let list = sandbox.get("/api/models").await;
    assert_eq!(list.data().as_array().unwrap().len(), 2, "{}", list.text);
}

#[tokio::test]
async fn concurrent_requests_with_one_key_create_one_model() {
    let sandbox = Sandbox::start();
    let slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 300000)
                SELECT count(*) AS n FROM c";
    let body = users(json!({ "configuration": { "query": slow } }));
    let requests = (0..8).map(|_| {
        let request = sandbox.request(Method::POST, "/api/models").json(&body);
        tokio::spawn(send(request.header("Idempotency-Key", "all-at-once")))
    });
    let mut statuses = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        statuses.push(request.await.unwrap().status);
    }
    assert!(statuses.contains(&200), "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 409)), "{statuses:?}");
    assert_eq!(sandbox.get("/api/models").await.data().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_has_8_to_255_letters_digits_dashes_and_underscores() {
    let sandbox = Sandbox::start();
    let (longest, too_long) = ("k".repeat(255), "k".repeat(256));
    let cases = [
        ("too short", "1234567", 400),
        ("dot", "12345678.", 400),
        ("space", "1234 5678", 400),
        ("too long", too_long.as_str(), 400),
        ("shortest", "12345678", 200),
        ("longest", longest.as_str(), 200),
        ("every allowed character", "Az09-_Az09", 200),
    ];
    for (label, key, status) in cases {
        let response = sandbox.post_with_key("/api/models", key, &users(json!({}))).await;
        assert_eq!(response.status, status, "{label}: {}", response.text);
    }
}

#[tokio::test]
async fn an_authentication_error_is_not_stored() {
    let sandbox = Sandbox::start();
    let request = sandbox.anonymous(Method::POST, "/api/models").json(&users(json!({})));
    send(request.header("Idempotency-Key", "before-login")).await.error_message(401);
    sandbox.post_with_key("/api/models", "before-login", &users(json!({}))).await.data();
}

#[tokio::test]
async fn an_incomplete_request_leaves_its_key_free() {
    let sandbox = Sandbox::start();
    let address = sandbox.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /api/models HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {}\r\n\
         Idempotency-Key: broken-off\r\nContent-Length: 1000\r\n\r\n{{\"name\"",
        sandbox.key
    );
    stream.write_all(head.as_bytes()).unwrap();
    drop(stream);
    let started = Instant::now();
    loop {
        let response = sandbox.post_with_key("/api/models", "broken-off", &users(json!({}))).await;
        if response.status != 409 {
            response.data();
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{}", response.text);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
