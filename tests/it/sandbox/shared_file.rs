//! Several processes with one data file, and processes that die while they use it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CONNECTION, Sandbox, scratch_file, users};

const ENDLESS: &str =
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) AS n FROM c";

#[tokio::test]
async fn what_one_process_creates_the_others_see() {
    let file = scratch_file("shared.db");
    let arguments = ["--data", file.path()];
    let (first, second) = (Sandbox::start_with(&arguments), Sandbox::start_with(&arguments));
    assert_ne!(first.key, second.key);
    let created = first.post_with_key("/api/models", "shared-key", &users(json!({}))).await;
    let path = format!("/api/models/{}", created.data()["id"].as_str().unwrap());
    assert_eq!(second.get(&path).await.data(), created.data());
    let repeated = second.post_with_key("/api/models", "shared-key", &users(json!({}))).await;
    assert_eq!(repeated.text, created.text);
    let updated = second.put(&path, &users(json!({ "name": "Renamed" }))).await;
    assert_eq!(first.get(&path).await.data(), updated.data());
    let job = first.post("/api/model-preview?async=true", &users(json!({}))).await;
    assert_eq!(second.wait_for_job(&job.body["job"]).await["status"], "done");
    assert_eq!(second.delete(&path).await.status, 204);
    first.get(&path).await.error_message(404);
}

#[tokio::test]
async fn a_process_takes_over_what_a_dead_one_left() {
    let file = scratch_file("taken-over.db");
    let arguments = ["--data", file.path()];
    let (first, second) = (Sandbox::start_with(&arguments), Sandbox::start_with(&arguments));
    let endless = json!({ "connection_id": CONNECTION, "configuration": { "query": ENDLESS } });
    let started = first.post("/api/model-preview?async=true", &endless).await;
    let running = tokio::time::timeout(
        Duration::from_millis(300),
        first.post_with_key("/api/model-preview", "left-running", &endless),
    );
    assert!(running.await.is_err());
    // While the first lives, its work is its own.
    let path =
        format!("/api/jobs/previewmodel/{}", started.body["job"]["job_id"].as_str().unwrap());
    assert_eq!(second.get(&path).await.data()["status"], "running");
    first.kill();

    let lost = second.get(&path).await;
    assert_eq!(lost.data()["status"], "failed", "{}", lost.text);
    assert!(lost.data()["error"].as_str().unwrap().contains("stopped"), "{}", lost.text);
    // A request whose process is gone has changed nothing, so its key is free.
    second.post_with_key("/api/model-preview", "left-running", &users(json!({}))).await.data();
    let directory = std::path::Path::new(file.path()).parent().unwrap();
    let name = std::path::Path::new(file.path()).file_name().unwrap().to_str().unwrap();
    let locks = std::fs::read_dir(directory).unwrap().filter(|entry| {
        let entry = entry.as_ref().unwrap().file_name().into_string().unwrap();
        entry.starts_with(name) && entry.ends_with("-lock")
    });
    assert_eq!(locks.count(), 1);
    assert_eq!(second.terminate().code(), Some(0));
}

/// A file of the first release that had files.
#[tokio::test]
async fn a_file_of_version_1_is_migrated() {
    let file = scratch_file("version-1.db");
    let model = json!({
        "id": "8c5e1f6e-5a0b-4c57-9f0e-2b8f6d3a9c41", "name": "Old", "type": "sqlite", "version": 3,
        "organization_id": "7d1c1f6e-5a0b-4c57-9f0e-2b8f6d3a9c41", "connection_id": CONNECTION,
        "configuration": { "table": "public.users" }, "fields": [],
        "created_at": "2026-01-01T00:00:00.000000Z", "updated_at": "2026-01-01T00:00:00.000000Z",
        "created_by": { "id": "c2a4e0b8-93d7-4f16-8a5d-6e1b7f20d394", "name": "x", "type": "user" },
        "updated_by": { "id": "c2a4e0b8-93d7-4f16-8a5d-6e1b7f20d394", "name": "x", "type": "user" },
    });
    let connection = rusqlite::Connection::open(file.path()).unwrap();
    // As released, without the table of syncs, which came later.
    connection
        .execute_batch(
            "CREATE TABLE models (id TEXT PRIMARY KEY, updated_at TEXT NOT NULL, body TEXT NOT NULL);
             CREATE TABLE jobs (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
                status TEXT NOT NULL, error TEXT, result TEXT);
             CREATE TABLE idempotency (key TEXT PRIMARY KEY, claimed_at INTEGER NOT NULL, status INTEGER, body BLOB);
             PRAGMA application_id = 1347244866; PRAGMA user_version = 1;",
        )
        .unwrap();
    let updated_at = model["updated_at"].as_str().unwrap();
    connection
        .execute(
            "INSERT INTO models VALUES (?1, ?2, ?3)",
            [model["id"].as_str().unwrap(), updated_at, &model.to_string()],
        )
        .unwrap();
    connection
        .execute(
            "INSERT INTO idempotency VALUES ('from-version-1', unixepoch(), 200, CAST('{\"data\": null}' AS BLOB))",
            [],
        )
        .unwrap();
    drop(connection);

    let sandbox = Sandbox::start_with(&["--data", file.path()]);
    let list = sandbox.get("/api/models").await;
    assert_eq!(list.data()[0]["name"], "Old", "{}", list.text);
    let repeated = sandbox.post_with_key("/api/models", "from-version-1", &users(json!({}))).await;
    assert_eq!(repeated.text, "{\"data\": null}");
    assert_eq!(sandbox.get("/api/syncs").await.data(), &json!([]));
}

/// SQLite's locks on a file end when its process opens and closes the file in another way.
#[tokio::test]
async fn a_connection_to_the_data_of_the_sandbox_is_refused_and_harmless() {
    let file = scratch_file("own.db");
    let target = format!("{}.target.db", file.path());
    let arguments = ["--data", file.path()];
    let sandbox = Sandbox::start_with(&arguments);
    sandbox.post("/api/models", &users(json!({ "name": "before" }))).await.data();
    for path in [file.path(), &target] {
        let body = json!({ "name": "x", "type": "sqlite", "configuration": { "path": path } });
        let status = sandbox.post("/api/connections/test", &body).await.status;
        assert_eq!(status, if path == target { 200 } else { 400 });
        // The last one that closes a database removes its journal; this is not the last one.
        let other = rusqlite::Connection::open(path).unwrap();
        other.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
    }
    let after = sandbox.post("/api/models", &users(json!({ "name": "after" }))).await;
    sandbox.kill();

    let sandbox = Sandbox::start_with(&arguments);
    let list = sandbox.get("/api/models").await;
    assert_eq!(list.data()[0], *after.data(), "{}", list.text);
    assert_eq!(list.data().as_array().unwrap().len(), 2, "{}", list.text);
    // The lock of the killed process is gone, and nobody else can read the file.
    let directory = std::path::Path::new(file.path()).parent().unwrap();
    let name = std::path::Path::new(file.path()).file_name().unwrap().to_str().unwrap();
    let files: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|entry| entry.starts_with(name))
        .collect();
    assert_eq!(files.iter().filter(|file| file.ends_with("-lock")).count(), 1, "{files:?}");
    use std::os::unix::fs::PermissionsExt;
    for suffix in ["", "-wal"] {
        let metadata = std::fs::metadata(format!("{}{suffix}", file.path())).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{suffix}");
    }
}

/// Creates models until the process dies, which `count` counts down to. Returns the keys, with the ids of those that were
/// acknowledged.
async fn create_until_killed(
    sandbox: &Sandbox,
    prefix: String,
    count: &AtomicI64,
) -> Vec<(String, Option<String>)> {
    let mut sent = Vec::new();
    loop {
        let key = format!("{prefix}-{}", sent.len());
        let body = users(json!({ "name": key }));
        let request = sandbox.request(Method::POST, "/api/models").json(&body);
        let id = async {
            let response = request.header("Idempotency-Key", &key).send().await.ok()?;
            let body: Value = response.json().await.ok()?;
            Some(body["data"]["id"].as_str().unwrap().to_owned())
        }
        .await;
        let is_acknowledged = id.is_some();
        sent.push((key, id));
        if !is_acknowledged {
            return sent;
        }
        // The other clients have requests in flight.
        if count.fetch_sub(1, Ordering::Relaxed) == 1 {
            let mut kill = std::process::Command::new("kill");
            assert!(kill.args(["-KILL", &sandbox.process_id()]).status().unwrap().success());
        }
    }
}

/// Creates models with a process that is not killed. Each create succeeds at once.
async fn create_some(sandbox: &Sandbox, round: i64) -> BTreeMap<String, String> {
    let mut created = BTreeMap::new();
    for number in 0..10 {
        let name = format!("round-{round}-survivor-{number}");
        let body = users(json!({ "name": name }));
        let response = sandbox.post("/api/models", &body).await;
        created.insert(name, response.data()["id"].as_str().unwrap().to_owned());
    }
    created
}

#[tokio::test]
async fn ten_kills_under_load_lose_nothing_and_double_nothing() {
    #[expect(clippy::disallowed_methods, reason = "set for a longer run than that of CI")]
    let rounds = std::env::var("SANDBOX_KILLS").map_or(10, |rounds| rounds.parse().unwrap());
    let file = scratch_file("killed.db");
    let arguments = ["--data", file.path()];
    // The one that goes on while others die.
    let survivor = Sandbox::start_with(&arguments);
    let mut expected = BTreeMap::new();
    for round in 0..rounds {
        let victim = Sandbox::start_with(&arguments);
        let count = AtomicI64::new(5 + round * 7 % 23);
        let clients = (0..6).map(|client| {
            create_until_killed(&victim, format!("round-{round}-client-{client}"), &count)
        });
        let victims = futures_util::future::join_all(clients);
        let (sent, others) = tokio::join!(victims, create_some(&survivor, round));
        expected.extend(others);
        for (key, id) in sent.into_iter().flatten() {
            let body = users(json!({ "name": key }));
            let again = survivor.post_with_key("/api/models", &key, &body).await;
            let final_id = again.data()["id"].as_str().unwrap().to_owned();
            assert!(id.is_none_or(|id| id == final_id), "{key}: acknowledged, and created again");
            expected.insert(key, final_id);
        }
    }
    let mut found = BTreeMap::new();
    for model in survivor.all("/api/models", "", 50).await {
        let name = model["name"].as_str().unwrap().to_owned();
        assert_eq!(model["fields"].as_array().unwrap().len(), 13, "half-written: {model}");
        let id = model["id"].as_str().unwrap().to_owned();
        assert_eq!(found.insert(name.clone(), id), None, "{name} exists twice");
    }
    assert_eq!(found, expected);
}
