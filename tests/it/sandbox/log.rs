//! The log of requests, the clock, and the reset.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CONNECTION, Sandbox, send, users};

async fn log(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.get("/sandbox/log").await.data().as_array().unwrap().clone()
}

#[tokio::test]
async fn the_log_has_what_was_received_and_no_secret() {
    let sandbox = Sandbox::start_with(&["--keys"]);
    let key = sandbox.key.clone();
    let response =
        sandbox.post_with_key("/api/models?async=false", "logged-key", &users(json!({}))).await;
    sandbox.with_key("read_only").get("/api/models").await.data();
    sandbox.get(&format!("/api/models/{key}?api_key={key}")).await.error_message(404);
    send(sandbox.anonymous(Method::GET, "/api/me")).await.error_message(401);
    sandbox.get("/api/nothing").await.error_message(404);
    let text = sandbox.get("/sandbox/log").await.text;
    assert!(!text.contains(&key), "{text}");
    let log = log(&sandbox).await;
    let shown: Vec<Value> = log
        .iter()
        .map(|entry| {
            json!([
                entry["number"],
                entry["operation"],
                entry["method"],
                entry["status"],
                entry["role"]
            ])
        })
        .collect();
    let expected = [
        json!([1, "create_model", "POST", 200, "admin"]),
        json!([2, "list_models", "GET", 200, "read_only"]),
        json!([3, "get_model", "GET", 404, "admin"]),
        json!([4, "get_identity", "GET", 401, null]),
        json!([5, null, "GET", 404, null]),
    ];
    assert_eq!(shown, expected);
    assert_eq!(log[0]["idempotency_key"], "logged-key");
    assert_eq!(log[0]["path"], "/api/models");
    assert_eq!(log[0]["request_id"], response.headers["x-request-id"].to_str().unwrap());
    assert!(log[0]["duration_ms"].as_f64().unwrap() > 0.0);
    assert!(log[0]["time"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn the_log_is_read_in_pages_and_bounded() {
    let sandbox = Sandbox::start();
    for _ in 0..1_010 {
        sandbox.get("/api/nothing").await;
    }
    let (mut after, mut numbers) = (0, Vec::new());
    loop {
        let page = sandbox.get(&format!("/sandbox/log?after={after}&limit=400")).await;
        let entries = page.data().as_array().unwrap();
        numbers.extend(entries.iter().map(|entry| entry["number"].as_u64().unwrap()));
        after = page.body["next"].as_u64().unwrap();
        if page.body["has_more"] == false {
            break;
        }
    }
    assert_eq!(numbers, (11..=1_010).collect::<Vec<u64>>());
    for query in ["after=x", "limit=0", "limit=501", "page=2"] {
        sandbox.get(&format!("/sandbox/log?{query}")).await.error_message(400);
    }
}

#[tokio::test]
async fn the_log_shows_what_differs_from_the_contract() {
    let sandbox = Sandbox::start();
    let model = users(json!({}));
    let mut broken = users(json!({
        "colour": "red", "name": 5, "fields": ["id", 7], "tracking_columns": null,
        "relations": [{ "to": { "model_id": "x" }, "via": true }],
    }));
    broken.as_object_mut().unwrap().remove("connection_id");
    let cases = [
        (Method::POST, "/api/models", model.clone(), vec![]),
        (Method::POST, "/api/models?async=true", model.clone(), vec![]),
        (
            Method::POST,
            "/api/models?async=maybe&verbose=1",
            model.clone(),
            vec!["async: expected true or false in the query", "verbose: unknown query parameter"],
        ),
        (
            Method::POST,
            "/api/models",
            broken,
            vec![
                "colour: unknown property",
                "connection_id: missing property",
                "fields[1]: expected a string",
                "name: expected a string",
                "relations[0].to.model_id: expected a UUID",
                "relations[0].via: unknown property",
            ],
        ),
        (Method::POST, "/api/models", json!([]), vec!["body: expected an object"]),
        (
            Method::GET,
            "/api/models?limit=many",
            Value::Null,
            vec!["limit: expected an integer in the query"],
        ),
    ];
    for (method, path, body, expected) in cases {
        let mut request = sandbox.request(method, path).header("X-Polytomic-Version", "2025-09-18");
        if !body.is_null() {
            request = request.json(&body);
        }
        request.send().await.unwrap();
        let entry = log(&sandbox).await.pop().unwrap();
        let mut differences: Vec<&str> =
            entry["differences"].as_array().unwrap().iter().map(|d| d.as_str().unwrap()).collect();
        differences.sort_unstable();
        for difference in &expected {
            assert!(
                differences.contains(difference),
                "{path}: {difference:?} not in {differences:#?}"
            );
        }
        if expected.is_empty() {
            assert_eq!(differences, expected, "{path}");
        }
    }
    let request = sandbox.request(Method::POST, "/api/models").header("Idempotency-Key", "short");
    request.body("{").send().await.unwrap();
    let entry = log(&sandbox).await.pop().unwrap();
    let differences = entry["differences"].to_string();
    for expected in [
        "X-Polytomic-Version: missing",
        "Idempotency-Key: expected 8 to 255",
        "body: not valid JSON",
    ] {
        assert!(differences.contains(expected), "{differences}");
    }
}

#[tokio::test]
async fn the_requests_of_the_tools_differ_in_nothing() {
    let sandbox = Sandbox::start();
    let mut session = sandbox.session().await;
    let id = session.create_model("Users", "public.users").await;
    sandbox.add_sync("Sync", &json!(id), json!({})).await;
    let table =
        json!({ "connection_id": CONNECTION, "configuration": { "table": "public.users" } });
    let definition = json!({
        "connection_id": CONNECTION, "name": "All", "configuration": { "table": "public.users" },
        "fields": ["id", "email"], "identifier": "id", "labels": ["a"], "tracking_columns": ["email"],
        "additional_fields": [{ "name": "mrr", "label": "Revenue", "type": "number", "example": "7" }],
        "relations": [{ "from": "id", "to": { "model_id": id, "field": "id" } }],
    });
    for (tool, arguments) in [
        ("get_identity", json!({})),
        ("list_connections", json!({})),
        ("list_connection_types", json!({})),
        ("get_connection", json!({ "connection_id": CONNECTION })),
        ("get_connection_type_schema", json!({ "connection_type": "postgresql" })),
        ("get_model_source", json!({ "connection_id": CONNECTION })),
        ("get_model_source_fields", table.clone()),
        ("preview_model", table.clone()),
        ("create_model", definition),
        ("update_model", json!({ "model_id": id, "name": "People" })),
        ("get_model", json!({ "model_id": id })),
        ("list_models", json!({})),
        ("sample_records", json!({ "model_id": id })),
        ("list_model_syncs", json!({ "model_id": id })),
        ("delete_model", json!({ "model_id": id, "force": true })),
    ] {
        session.call(tool, arguments).await;
    }
    for entry in log(&sandbox).await {
        let differences = entry["differences"].as_array().unwrap();
        // The test itself sends no version.
        let is_test = differences
            .contains(&json!("X-Polytomic-Version: missing; the newest version applies"));
        assert!(is_test || differences.is_empty(), "{entry}");
    }
}

#[tokio::test]
async fn the_clock_moves() {
    let sandbox = Sandbox::start();
    let body = users(json!({}));
    let created = sandbox.post_with_key("/api/models", "expires-in-a-day", &body).await;
    sandbox.wait_for_job(&created.body["job"]).await;
    let before = sandbox.get("/sandbox/clock").await.data().clone();
    assert_eq!(before["offset_seconds"], 0);
    let day = 24 * 60 * 60;
    let moved = sandbox.post("/sandbox/clock", &json!({ "advance_seconds": day + 60 })).await;
    assert_eq!(moved.data()["offset_seconds"], day + 60);
    assert!(moved.data()["now"].as_str() > before["now"].as_str(), "{}", moved.text);
    let job = &created.body["job"]["job_id"];
    let expired = sandbox.get(&format!("/api/jobs/createmodel/{}", job.as_str().unwrap())).await;
    expired.error_message(404);
    let again = sandbox.post_with_key("/api/models", "expires-in-a-day", &body).await;
    assert_ne!(again.data()["id"], created.data()["id"]);
    let moved = sandbox.post("/sandbox/clock", &json!({ "now": "2031-02-03T04:05:06Z" })).await;
    assert!(
        moved.data()["now"].as_str().unwrap().starts_with("2031-02-03T04:05:0"),
        "{}",
        moved.text
    );
    let later = sandbox.post("/api/models", &body).await;
    assert!(
        later.data()["created_at"].as_str().unwrap().starts_with("2031-02-03"),
        "{}",
        later.text
    );
    let real = sandbox.post("/sandbox/clock", &json!({ "offset_seconds": 0 })).await;
    assert_eq!(real.data()["offset_seconds"], 0);
    for body in [
        json!({}),
        json!({ "advance_seconds": 1, "offset_seconds": 1 }),
        json!({ "advance_seconds": "1h" }),
        json!({ "now": "tomorrow" }),
        json!({ "advance": 5 }),
        json!({ "offset_seconds": i64::MAX }),
    ] {
        sandbox.post("/sandbox/clock", &body).await.error_message(400);
    }
}

#[tokio::test]
async fn a_reset_leaves_everything_as_at_the_first_start() {
    let rule = "list_model_syncs:status=500";
    let sandbox = Sandbox::start_with(&["--fault", rule]);
    let connections = sandbox.get("/api/connections").await.text;
    let body = users(json!({}));
    let first = sandbox.post_with_key("/api/models", "before-the-reset", &body).await;
    sandbox.delete(&format!("/api/connections/{CONNECTION}?force=true")).await;
    sandbox.post("/sandbox/clock", &json!({ "advance_seconds": 1_000_000 })).await.data();
    sandbox.delete("/sandbox/faults").await.data();
    sandbox.post("/sandbox/faults", &json!({ "fault": "*:status=503" })).await.data();
    let response = send(sandbox.request(Method::POST, "/sandbox/reset")).await;
    assert_eq!((response.status, response.text.as_str()), (204, ""));
    assert_eq!(log(&sandbox).await, Vec::<Value>::new());
    assert_eq!(sandbox.get("/sandbox/clock").await.data()["offset_seconds"], 0);
    assert_eq!(sandbox.get("/api/models").await.data(), &json!([]));
    assert_eq!(sandbox.get("/api/connections").await.text, connections);
    sandbox.get("/api/syncs").await.error_message(500);
    let job = first.body["job"]["job_id"].as_str().unwrap();
    sandbox.get(&format!("/api/jobs/createmodel/{job}")).await.error_message(404);
    let again = sandbox.post_with_key("/api/models", "before-the-reset", &body).await;
    assert_ne!(again.data()["id"], first.data()["id"]);
}
