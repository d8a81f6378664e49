//! Executions of model syncs: what they write, and how they fail.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::types::Value as Stored;
use serde_json::{Value, json};

use crate::support::{Api, CONNECTION, Sandbox, ScratchFile, TARGET, scratch_file};

/// A database with these statements run.
fn database(sql: &str) -> ScratchFile {
    let file = scratch_file("data.db");
    Connection::open(file.path()).unwrap().execute_batch(sql).unwrap();
    file
}

/// Every row of a table, as stored.
pub(super) fn rows(path: &str, sql: &str) -> Vec<Vec<Stored>> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let count = statement.column_count();
    let rows = statement.query_map([], |row| (0..count).map(|i| row.get(i)).collect()).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

fn tables(path: &str) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema ORDER BY name";
    rows(path, sql).into_iter().map(|row| format!("{:?}", row[0])).collect()
}

async fn connect(sandbox: &Api, file: &ScratchFile) -> Value {
    let body =
        json!({ "name": "File", "type": "sqlite", "configuration": { "path": file.path() } });
    sandbox.post("/api/connections", &body).await.data()["id"].clone()
}

pub(super) async fn model(sandbox: &Api, connection: &Value, configuration: Value) -> Value {
    let body =
        json!({ "connection_id": connection, "name": "Model", "configuration": configuration });
    sandbox.post("/api/models", &body).await.data()["id"].clone()
}

/// A sync of fields to columns of the same name. The first one is the identity.
fn sync_body(model: &Value, fields: &[&str], extra: Value) -> Value {
    let source = |field: &str| json!({ "model_id": model, "field": field });
    let mappings: Vec<Value> =
        fields.iter().map(|field| json!({ "source": source(field), "target": field })).collect();
    let mut body = json!({
        "name": "Sync", "mode": "updateOrCreate", "schedule": { "frequency": "manual" },
        "fields": mappings,
        "identity": { "source": source(fields[0]), "target": fields[0], "function": "Equality" },
        "target": { "connection_id": TARGET, "object": "people" },
    });
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// Creates a sync and returns its path.
pub(super) async fn create(sandbox: &Api, model: &Value, fields: &[&str], extra: Value) -> String {
    let response = sandbox.post("/api/syncs", &sync_body(model, fields, extra)).await;
    format!("/api/syncs/{}", response.data()["id"].as_str().unwrap())
}

/// Starts a sync and returns the path of the execution.
pub(super) async fn start(sandbox: &Api, sync: &str, options: Value) -> String {
    let response = sandbox.post(&format!("{sync}/executions"), &options).await;
    assert_eq!(response.data()["status"], "created", "{}", response.text);
    format!("{sync}/executions/{}", response.data()["id"].as_str().unwrap())
}

/// Polls until the execution has one of the statuses.
pub(super) async fn wait(sandbox: &Api, execution: &str, statuses: &[&str]) -> Value {
    let started = Instant::now();
    loop {
        let response = sandbox.get(execution).await;
        if statuses.contains(&response.data()["status"].as_str().unwrap()) {
            return response.data().clone();
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{}", response.text);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(super) async fn run(sandbox: &Api, sync: &str, options: Value) -> Value {
    let execution = start(sandbox, sync, options).await;
    wait(sandbox, &execution, &["completed", "failed", "canceled"]).await
}

pub(super) fn counts(execution: &Value) -> [u64; 5] {
    let count = |name: &str| execution["counts"][name].as_u64().unwrap();
    ["total", "insert", "update", "delete", "error"].map(count)
}

#[tokio::test]
async fn an_execution_writes_exactly_the_rows_of_the_model() {
    let source = database(
        "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, price REAL, photo BLOB, is_new BOOLEAN, tags JSON);
         INSERT INTO things VALUES
            (9007199254740993, 'Ünïcode \"quoted\"', 0.1, x'00ff10', 1, '[\"a\"]'), (2, NULL, -1e300, x'', 0, NULL),
            (3, '', NULL, NULL, NULL, '{\"b\": 1.50}');
         WITH RECURSIVE c(x) AS (SELECT 10 UNION ALL SELECT x + 1 FROM c LIMIT 5000)
         INSERT INTO things SELECT x, 'name ' || x, x / 7.0, randomblob(8), x % 2, NULL FROM c;",
    );
    let file = scratch_file("writes.db");
    let target = format!("{}.target.db", file.path());
    let sandbox = Sandbox::start_with(&["--data", file.path()]);
    let connection = connect(&sandbox, &source).await;
    let model = model(&sandbox, &connection, json!({ "table": "things" })).await;
    let fields = ["id", "name", "price", "photo", "is_new", "tags"];
    let sync = create(&sandbox, &model, &fields, json!({})).await;

    let none = sandbox.get(&format!("{sync}/status")).await;
    assert_eq!(none.data()["last_execution"], Value::Null, "{}", none.text);
    let execution = run(&sandbox, &sync, json!({})).await;
    assert_eq!(execution["status"], "completed", "{execution}");
    assert_eq!(counts(&execution), [5003, 5003, 0, 0, 0], "{execution}");
    assert_eq!(execution["errors"], json!([]), "{execution}");
    assert!(execution["started_at"].is_string() && execution["completed_at"].is_string());
    let expected = rows(source.path(), "SELECT * FROM things ORDER BY id");
    assert_eq!(rows(&target, "SELECT * FROM people ORDER BY id"), expected);

    // Again, after a change: only what differs is written.
    Connection::open(source.path())
        .unwrap()
        .execute_batch(
            "UPDATE things SET name = 'new' WHERE id = 3; DELETE FROM things WHERE id = 2",
        )
        .unwrap();
    let execution = run(&sandbox, &sync, json!({ "resync": true })).await;
    assert_eq!(counts(&execution), [5002, 0, 1, 0, 0], "{execution}");
    assert_eq!(execution["type"], "resync", "{execution}");
    assert_eq!(
        rows(&target, "SELECT name FROM people WHERE id = 3"),
        [[Stored::Text("new".into())]]
    );
    assert_eq!(rows(&target, "SELECT count(*) FROM people"), [[Stored::Integer(5003)]]);
    let status = sandbox.get(&format!("{sync}/status")).await;
    assert_eq!(status.data()["last_execution"], execution, "{}", status.text);
    assert_eq!(status.data()["current_execution"], Value::Null, "{}", status.text);

    let list = format!("{sync}/executions");
    let newest_first = sandbox.all_ids(&list, "", 50).await;
    assert_eq!(newest_first.len(), 2);
    assert_eq!(newest_first[0], execution["id"].as_str().unwrap());
    let mut oldest_first = sandbox.all_ids(&list, "ascending=true&only_completed=true", 50).await;
    oldest_first.reverse();
    assert_eq!(oldest_first, newest_first);
    assert_eq!(sandbox.all_ids(&list, "limit=1", 1).await, newest_first);

    let log = format!("{list}/{}/consolelog", newest_first[0]);
    let all = sandbox.get(&log).await;
    let lines = all.data()["entries"].as_array().unwrap();
    assert!(lines.last().unwrap()["message"].as_str().unwrap().contains("5002 records"));
    let first = sandbox.get(&format!("{log}?limit=1")).await;
    let cursor = first.data()["next_cursor"].as_str().unwrap();
    let second = sandbox.get(&format!("{log}?after={cursor}")).await;
    assert_eq!(second.data()["entries"].as_array().unwrap(), &lines[1..]);
    sandbox.get(&format!("{log}?after=x")).await.error_message(400);
}

#[tokio::test]
async fn what_was_written_to_the_target_in_memory_is_a_source() {
    let sandbox = Sandbox::start();
    let users = sandbox.create(json!({ "table": "users" })).await["id"].clone();
    let sync = create(&sandbox, &users, &["email", "name"], json!({})).await;
    let execution = run(&sandbox, &sync, json!({})).await;
    assert_eq!(counts(&execution), [1000, 1000, 0, 0, 0], "{execution}");
    let query = "SELECT count(*) AS n, min(email) AS first FROM people";
    let body =
        json!({ "connection_id": TARGET, "name": "Written", "configuration": { "query": query } });
    let model = sandbox.post("/api/models", &body).await;
    let id = model.data()["id"].as_str().unwrap();
    let sample = sandbox.get(&format!("/api/models/{id}/sample")).await;
    let expected = json!({ "n": 1000, "first": "user0001@example.com" });
    let record = &sample.data()["records"][0][id];
    assert_eq!(record["n"], expected["n"], "{}", sample.text);

    let objects = format!("/api/connections/{TARGET}/modelsync/targetobjects");
    let listed = sandbox.get(&objects).await;
    assert_eq!(listed.data()[0]["id"], "public.people", "{}", listed.text);
    assert_eq!(listed.data()[0]["modes"].as_array().unwrap().len(), 7, "{}", listed.text);
    assert_eq!(listed.body["target_creation"]["supported"], true, "{}", listed.text);
    let property = sandbox.get(&format!("{objects}/properties/name")).await;
    assert_eq!(property.data()["id"], "name", "{}", property.text);
    sandbox.get(&format!("{objects}/properties/other")).await.error_message(404);
    let fields = format!("/api/connections/{TARGET}/modelsync/target/fields");
    let described = sandbox.get(&format!("{fields}?target=public.people")).await;
    let names: Vec<&str> = described.data()["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["email", "name"], "{}", described.text);
    assert!(sandbox.get(&fields).await.error_message(400).contains("target: missing"));
    sandbox.get(&format!("{fields}?target=public.other")).await.error_message(404);
    let read_only = format!("/api/connections/{CONNECTION}/modelsync/targetobjects");
    assert!(sandbox.get(&read_only).await.error_message(400).contains(":target:"));
}

#[tokio::test]
async fn each_mode_writes_what_it_says() {
    let source = database(
        "CREATE TABLE people (id INTEGER, name TEXT);
         INSERT INTO people VALUES (1, 'one'), (2, 'two'), (NULL, 'none'), (1, 'uno');",
    );
    let sandbox = Sandbox::start();
    let connection = connect(&sandbox, &source).await;
    let model = model(&sandbox, &connection, json!({ "table": "people" })).await;
    // Counts: total, insert, update, delete, error; a record without an identity is an error where it needs one.
    let cases = [
        ("create", [4, 1, 0, 0, 1], "1 one|2 old|9 nine"),
        ("update", [4, 0, 1, 0, 1], "2 two|9 nine"),
        ("updateOrCreate", [4, 1, 2, 0, 1], "1 uno|2 two|9 nine"),
        ("append", [4, 4, 0, 0, 0], " none|1 one|1 uno|2 old|2 two|9 nine"),
        ("replace", [4, 4, 0, 2, 0], " none|1 one|1 uno|2 two"),
        ("snapshot", [4, 4, 0, 0, 0], " none|1 one|1 uno|2 two"),
        ("remove", [4, 0, 0, 1, 1], "9 nine"),
    ];
    for (mode, expected, content) in cases {
        let target = database(
            "CREATE TABLE people (id INTEGER, name TEXT, kept TEXT DEFAULT 'k');
             INSERT INTO people (id, name) VALUES (2, 'old'), (9, 'nine');",
        );
        let connection = connect(&sandbox, &target).await;
        let extra = json!({
            "mode": mode,
            "target": { "connection_id": connection, "object": "public.people" },
        });
        let sync = create(&sandbox, &model, &["id", "name"], extra).await;
        let test = run(&sandbox, &sync, json!({ "test": true })).await;
        assert_eq!(counts(&test), expected, "{mode}: {test}");
        let content_now = || {
            let sql =
                "SELECT coalesce(id, '') || ' ' || name FROM people ORDER BY coalesce(id, 0), name";
            let text = |row: Vec<Stored>| match &row[0] {
                Stored::Text(text) => text.clone(),
                other => panic!("{other:?}"),
            };
            rows(target.path(), sql).into_iter().map(text).collect::<Vec<_>>().join("|")
        };
        assert_eq!(content_now(), "2 old|9 nine", "{mode}: a test changes nothing");
        let execution = run(&sandbox, &sync, json!({})).await;
        assert_eq!(execution["status"], "completed", "{mode}: {execution}");
        assert_eq!(counts(&execution), expected, "{mode}: {execution}");
        assert_eq!(content_now(), content, "{mode}");
        let errors = execution["errors"].as_array().unwrap();
        assert_eq!(errors.len() as u64, expected[4], "{mode}: {execution}");
        assert_eq!(tables(target.path()), ["Text(\"people\")"], "{mode}");
    }
}

#[tokio::test]
async fn filters_overrides_and_mappings_apply() {
    let source = database(
        "CREATE TABLE people (id INTEGER, name TEXT, age INTEGER, city TEXT);
         INSERT INTO people VALUES (1, 'Ann', 20, 'Rome'), (2, 'Bob', 30, NULL), (3, 'Cid', 40, 'Oslo'), (4, 'Dan', 50, 'Rome');",
    );
    let target = database(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, label TEXT NOT NULL CHECK (label <> 'Dan'));",
    );
    let sandbox = Sandbox::start();
    let connection = connect(&sandbox, &source).await;
    let model = model(&sandbox, &connection, json!({ "table": "people" })).await;
    let source_of = |field: &str| json!({ "model_id": model, "field": field });
    let target_connection = connect(&sandbox, &target).await;
    let extra = json!({
        "fields": [
            { "source": source_of("name"), "target": "label" },
            { "source": source_of("city"), "target": "city", "new": true },
            { "target": "origin", "override_value": "sandbox", "new": true },
        ],
        "filters": [
            { "field": source_of("age"), "function": "LessThan", "value": 30 },
            { "field": source_of("city"), "function": "IsNull" },
            { "field": source_of("name"), "function": "StringStartsWith", "value": "D" },
        ],
        "filter_logic": "(1 OR 2) OR 3",
        "overrides": [{ "field": source_of("city"), "function": "IsNull", "override": "nowhere" }],
        "target": { "connection_id": target_connection, "object": "people" },
    });
    let sync = create(&sandbox, &model, &["id"], extra).await;
    let execution = run(&sandbox, &sync, json!({})).await;
    assert_eq!(counts(&execution), [3, 2, 0, 0, 1], "{execution}");
    assert!(execution["errors"][0].as_str().unwrap().contains("CHECK"), "{execution}");
    let text = |text: &str| Stored::Text(text.to_owned());
    assert_eq!(
        rows(target.path(), "SELECT id, label, city, origin FROM people ORDER BY id"),
        [
            [Stored::Integer(1), text("Ann"), text("Rome"), text("sandbox")],
            [Stored::Integer(2), text("Bob"), text("nowhere"), text("sandbox")],
        ]
    );
    let only = json!({ "identities": ["2"] });
    assert_eq!(counts(&run(&sandbox, &sync, only).await), [1, 0, 0, 0, 0]);
    let only = json!({ "source_identities": [[{ "source": source_of("name"), "value": "Ann" }]] });
    assert_eq!(counts(&run(&sandbox, &sync, only).await), [1, 0, 0, 0, 0]);
}

#[tokio::test]
async fn an_execution_that_fails_says_why_and_writes_nothing() {
    let source = database(
        "CREATE TABLE people (id INTEGER, name TEXT); INSERT INTO people VALUES (1, 'one'), (2, 'two');
         CREATE TABLE documents (id INTEGER, document TEXT); INSERT INTO documents VALUES (1, '{}'), (2, '{}');",
    );
    let target = database("CREATE TABLE other (id INTEGER); CREATE VIEW seen AS SELECT 1 AS id;");
    let sandbox = Sandbox::start();
    let connection = connect(&sandbox, &source).await;
    let target_connection = connect(&sandbox, &target).await;
    let table = model(&sandbox, &connection, json!({ "table": "people" })).await;
    let query = "SELECT id, json_extract(document, '$.name') AS name FROM documents";
    let computed = model(&sandbox, &connection, json!({ "query": query })).await;
    let to = |object: &str| json!({ "connection_id": target_connection, "object": object });
    let source_of = |field: &str| json!({ "model_id": table, "field": field });
    let cases = [
        (json!({ "target": to("seen") }), "seen is a view"),
        (json!({ "target": to("other") }), "no column \"name\""),
        (json!({ "target": to("sales.other") }), "no schema sales"),
        (json!({ "target": to("sqlite_mine") }), "cannot be written"),
        (json!({ "target": { "connection_id": target_connection } }), "target.object: missing"),
        (json!({ "target": { "connection_id": CONNECTION, "object": "x" } }), "read-only data"),
        (
            json!({ "target": { "connection_id": uuid::Uuid::new_v4(), "object": "x" } }),
            "does not exist",
        ),
        (
            json!({ "target": { "connection_id": "d15f3b84-6e29-4c70-b7a3-58c90d2e1f46", "object": "x" } }),
            "of type slack",
        ),
        (json!({ "target": to("new"), "mode": "update", "identity": null }), "identity: missing"),
        (
            json!({ "target": to("new"), "identity": { "source": source_of("id"), "target": "id", "function": "OneOf" } }),
            "by Equality only",
        ),
        (
            json!({ "target": to("new"), "filters": [{ "field": source_of("gone"), "function": "IsNull" }] }),
            "no field \"gone\"",
        ),
        (json!({ "target": to("new"), "filter_logic": "1 AND 2" }), "filter_logic"),
        (
            json!({ "target": to("new"), "filters": [{ "field": source_of("id"), "function": "InTheLast", "value": 1 }] }),
            "does not evaluate InTheLast",
        ),
        (
            json!({ "target": to("new"), "fields": [{ "source": source_of("id"), "target": "id", "encryption_enabled": true }] }),
            "does not encrypt",
        ),
        (
            json!({ "target": to("new"), "fields": [
                { "source": source_of("id"), "target": "id" }, { "source": source_of("name"), "target": "ID" },
            ] }),
            "mapped twice",
        ),
        (json!({ "target": to("new"), "fields": [], "identity": null }), "nothing to read"),
    ];
    let before = std::fs::read(target.path()).unwrap();
    for (extra, expected) in cases {
        let sync = create(&sandbox, &table, &["id", "name"], extra.clone()).await;
        let execution = run(&sandbox, &sync, json!({})).await;
        assert_eq!(execution["status"], "failed", "{extra}: {execution}");
        let error = execution["errors"][0].as_str().unwrap();
        assert!(error.contains(expected), "{extra}: {error}");
        assert_eq!(counts(&execution), [0; 5], "{extra}");
    }
    // The rows before the one that cannot be read are taken back.
    let sync = create(&sandbox, &computed, &["id", "name"], json!({ "target": to("new") })).await;
    Connection::open(source.path())
        .unwrap()
        .execute("UPDATE documents SET document = '{' WHERE id = 2", [])
        .unwrap();
    let execution = run(&sandbox, &sync, json!({})).await;
    assert!(execution["errors"][0].as_str().unwrap().contains("malformed JSON"), "{execution}");
    assert_eq!(execution["status"], "failed", "{execution}");
    assert_eq!(std::fs::read(target.path()).unwrap(), before);
}
