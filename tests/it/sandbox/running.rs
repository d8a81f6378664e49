//! Starting, stopping, and the data file.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CONNECTION, Launch, Sandbox, client, scratch_file, send, users};

#[tokio::test]
async fn data_in_a_file_survives_a_crash() {
    let file = scratch_file("store.db");
    let arguments = ["--data", file.path()];
    let sandbox = Sandbox::start_with(&arguments);
    let first_key = sandbox.key.clone();
    let created =
        sandbox.post_with_key("/api/models", "stored-in-the-file", &users(json!({}))).await;
    let endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) AS n FROM c";
    let body = json!({ "connection_id": CONNECTION, "configuration": { "query": endless } });
    let started = sandbox.post("/api/model-preview?async=true", &body).await;
    let running = tokio::time::timeout(
        Duration::from_millis(300),
        sandbox.post_with_key("/api/model-preview", "left-running", &body),
    );
    assert!(running.await.is_err());
    sandbox.kill();

    let sandbox = Sandbox::start_with(&arguments);
    assert_ne!(sandbox.key, first_key);
    let list = sandbox.get("/api/models").await;
    assert_eq!(list.data(), &json!([created.data()]), "{}", list.text);
    let repeated = sandbox.post_with_key("/api/models", "stored-in-the-file", &json!({})).await;
    assert_eq!(repeated.text, created.text);
    let done = sandbox.wait_for_job(&created.body["job"]).await;
    assert_eq!(done["status"], "done", "{done}");
    let failed = sandbox.wait_for_job(&started.body["job"]).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    assert!(failed["error"].as_str().unwrap().contains("stopped"), "{failed}");
    // The key of the interrupted request is free.
    sandbox.post_with_key("/api/model-preview", "left-running", &users(json!({}))).await.data();
    assert_eq!(sandbox.terminate().code(), Some(0));
}

#[tokio::test]
async fn without_a_file_there_are_no_models_at_the_start() {
    let sandbox = Sandbox::start();
    let response = sandbox.get("/api/models").await;
    assert_eq!(response.data(), &json!([]), "{}", response.text);
    assert_eq!(response.body["pagination"]["next_page_token"], Value::Null, "{}", response.text);
}

#[tokio::test]
async fn a_file_that_is_not_a_store_is_rejected_and_not_modified() {
    let other = scratch_file("other.db");
    rusqlite::Connection::open(other.path())
        .unwrap()
        .execute_batch("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)")
        .unwrap();
    let newer = scratch_file("newer.db");
    rusqlite::Connection::open(newer.path())
        .unwrap()
        .execute_batch(
            "CREATE TABLE x (y); PRAGMA application_id = 1347244866; PRAGMA user_version = 99",
        )
        .unwrap();
    let text = scratch_file("text.db");
    std::fs::write(text.path(), "not a database\n".repeat(50)).unwrap();
    let short = scratch_file("short.db");
    std::fs::write(short.path(), "x").unwrap();
    let cases = [
        ("another database", other.path(), "is not a sandbox store"),
        ("incompatible release", newer.path(), "of an incompatible release (version 99)"),
        ("text file", text.path(), "is not a sandbox store"),
        ("short text file", short.path(), "is not a sandbox store"),
        ("directory", env!("CARGO_TARGET_TMPDIR"), "cannot open"),
        ("missing directory", "/nowhere/at/all.db", "cannot open"),
    ];
    for (label, path, expected) in cases {
        let before = std::fs::read(path).ok();
        let (status, stdout, stderr) = Sandbox::process(&["--data", path]).output().await;
        assert_eq!(status, 1, "{label}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(expected), "{label}: {stderr}");
        assert!(stderr.contains("\nhint: "), "{label}: {stderr}");
        assert_eq!(stdout, "", "{label}");
        assert_eq!(std::fs::read(path).ok(), before, "{label}");
    }
}

#[tokio::test]
async fn an_address_in_use_and_a_public_address_are_rejected() {
    let sandbox = Sandbox::start();
    let address = sandbox.url.strip_prefix("http://").unwrap();
    let cases = [
        ("port in use", vec!["--listen", address], 1, "is in use by another program"),
        ("all addresses", vec!["--listen", "0.0.0.0:0"], 1, "is not a loopback address"),
        ("invalid address", vec!["--listen", "here"], 2, "--listen"),
        ("unknown flag", vec!["--lisetn", "x"], 2, "--listen"),
    ];
    for (label, arguments, status, expected) in cases {
        let launch = Launch::unconfigured().flag("sandbox").flags(arguments);
        let (actual, _, stderr) = launch.output().await;
        assert_eq!(actual, status, "{label}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(expected), "{label}: {stderr}");
    }
}

#[tokio::test]
async fn the_shutdown_waits_for_a_request_in_flight() {
    let sandbox = Sandbox::start();
    let slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 200000)
                SELECT count(*) AS n FROM c";
    let body = users(json!({ "configuration": { "query": slow } }));
    let request = || {
        let request = sandbox.request(Method::POST, "/api/models").json(&body);
        tokio::spawn(send(request.header("Idempotency-Key", "in-flight")))
    };
    // Of two requests with one key, one gets "still running" at once, so the other is in flight.
    let (mut one, mut other) = (request(), request());
    let (conflict, in_flight) = tokio::select! {
        conflict = &mut one => (conflict, other),
        conflict = &mut other => (conflict, one),
    };
    conflict.unwrap().error_message(409);
    let status = tokio::task::spawn_blocking(move || sandbox.terminate()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    in_flight.await.unwrap().data();
}

#[tokio::test]
async fn two_sandboxes_in_one_process_share_nothing_and_stop_when_dropped() {
    let options = polytomic_mcp::sandbox::Options::default();
    let started = Instant::now();
    let one = polytomic_mcp::sandbox::Sandbox::start(options.clone()).unwrap();
    let other = polytomic_mcp::sandbox::Sandbox::start(options).unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_ne!((one.url(), one.api_key()), (other.url(), other.api_key()));
    let client = client();
    let get = |url: &str, key: &str| client.get(format!("{url}/api/models")).bearer_auth(key);
    send(get(one.url(), one.api_key())).await.data();
    send(get(other.url(), one.api_key())).await.error_message(401);
    let (url, key) = (one.url().to_owned(), one.api_key().to_owned());
    let dropped = Instant::now();
    drop(one);
    assert!(dropped.elapsed() < Duration::from_secs(5), "{:?}", dropped.elapsed());
    assert!(get(&url, &key).send().await.is_err());
    send(get(other.url(), other.api_key())).await.data();
    other.stop();
}
