//! One outcome for one key.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::{Sandbox, send, users};

#[tokio::test]
async fn the_first_outcome_of_a_key_is_every_later_one() {
    let sandbox = Sandbox::start();
    let good = users(json!({}));
    let bad = users(json!({ "configuration": { "table": "nope" } }));
    let cases = [
        ("create", "/api/models", &good, 200),
        ("preview", "/api/model-preview", &good, 200),
        ("asynchronous", "/api/models?async=true", &good, 200),
        ("refused", "/api/models", &bad, 400),
    ];
    for (label, path, body, status) in cases {
        let key = format!("key-for-{label}");
        let first = sandbox.post_with_key(path, &key, body).await;
        assert_eq!(first.status, status, "{label}: {}", first.text);
        // Another body, so that the outcome can only be the stored one.
        let again = sandbox.post_with_key(path, &key, &json!({})).await;
        assert_eq!((again.status, &again.text), (status, &first.text), "{label}");
        assert_eq!(again.headers["content-type"], "application/json", "{label}");
        let job = &first.body["job"];
        if label == "asynchronous" {
            sandbox.wait_for_job(job).await;
        }
    }
    let list = sandbox.get("/api/models").await;
    assert_eq!(list.data().as_array().unwrap().len(), 2, "{}", list.text);
}

#[tokio::test]
async fn equal_requests_at_once_make_one_model() {
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
async fn a_key_is_of_8_to_255_letters_digits_dashes_and_underscores() {
    let sandbox = Sandbox::start();
    let (long, longer) = ("k".repeat(255), "k".repeat(256));
    let cases = [
        ("short", "1234567", 400),
        ("dot", "12345678.", 400),
        ("space", "1234 5678", 400),
        ("long", longer.as_str(), 400),
        ("shortest", "12345678", 200),
        ("longest", long.as_str(), 200),
        ("all kinds", "Az09-_Az09", 200),
    ];
    for (label, key, status) in cases {
        let answer = sandbox.post_with_key("/api/models", key, &users(json!({}))).await;
        assert_eq!(answer.status, status, "{label}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_refusal_for_want_of_a_key_to_the_sandbox_is_not_kept() {
    let sandbox = Sandbox::start();
    let request = sandbox.anonymous(Method::POST, "/api/models").json(&users(json!({})));
    send(request.header("Idempotency-Key", "before-login")).await.error_message(401);
    sandbox.post_with_key("/api/models", "before-login", &users(json!({}))).await.data();
}

#[tokio::test]
async fn a_request_that_breaks_off_leaves_its_key_free() {
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
        let answer = sandbox.post_with_key("/api/models", "broken-off", &users(json!({}))).await;
        if answer.status != 409 {
            answer.data();
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{}", answer.text);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
