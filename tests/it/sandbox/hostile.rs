//! Statements that must not run, and statements that must be stopped.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CONNECTION, Sandbox, scratch_file};

const ENDLESS: &str =
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) AS n FROM c";
const COUNTS: &str = "SELECT (SELECT count(*) FROM public.sqlite_schema) AS objects,
    (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM orders) AS orders,
    (SELECT sum(length(email)) FROM users) AS emails";

#[tokio::test]
async fn statements_that_are_not_read_only_are_rejected() {
    let sandbox = Sandbox::start();
    let file = scratch_file("stolen.db");
    let vacuum = format!("VACUUM INTO '{}'", file.path());
    let attach = format!("ATTACH '{}' AS x", file.path());
    let before = sandbox.records(json!({ "query": COUNTS })).await;
    let many = "SELECT 1;".repeat(50_000);
    let cases = [
        ("insert", "INSERT INTO users (id) VALUES (1)", "INSERT is not allowed"),
        ("update", "UPDATE users SET email = 'x'", "UPDATE is not allowed"),
        ("delete", "DELETE FROM users", "DELETE is not allowed"),
        ("replace", "REPLACE INTO users (id) VALUES (1)", "REPLACE is not allowed"),
        ("returning", "WITH x AS (SELECT 1) DELETE FROM users RETURNING id", "is not read-only"),
        ("with insert", "WITH x AS (SELECT 1) INSERT INTO users (id) SELECT 1", "is not read-only"),
        ("drop", "DROP TABLE users", "DROP is not allowed"),
        ("create", "CREATE TABLE public.x (y)", "CREATE is not allowed"),
        ("temporary", "CREATE TEMP TABLE x (y)", "CREATE is not allowed"),
        ("attach", &attach, "ATTACH is not allowed"),
        ("detach", "DETACH public", "DETACH is not allowed"),
        ("vacuum", &vacuum, "VACUUM is not allowed"),
        ("pragma", "PRAGMA query_only = 0", "PRAGMA is not allowed"),
        ("pragma after a comment", "/* x */ -- y\n PRAGMA user_version", "PRAGMA is not allowed"),
        ("pragma as a table", "SELECT * FROM pragma_table_info('users')", "cannot be read;"),
        ("count over a pragma", "SELECT count(*) FROM pragma_database_list", "cannot be read;"),
        ("explain", "EXPLAIN SELECT 1", "EXPLAIN is not allowed"),
        ("begin", "BEGIN", "BEGIN is not allowed"),
        ("extension function", "SELECT load_extension('x.so') AS x", "load_extension"),
        ("tokenizer function", "SELECT fts3_tokenizer('simple') AS x", "fts3_tokenizer"),
        ("other database", "SELECT * FROM main.sqlite_schema", "cannot be read;"),
        ("page statistics", "SELECT * FROM dbstat", "cannot be read;"),
        ("two statements", "SELECT 1 AS x; DROP TABLE users", "only one statement"),
        ("two selects", "SELECT 1 AS x; SELECT 2 AS x", "only one statement"),
        ("many statements", &many, "only one statement"),
        ("only a comment", "-- comment", "expected a SELECT"),
        ("unclosed comment", "/* SELECT 1", "expected a SELECT"),
        ("NUL", "SELECT 1\0; DROP TABLE users", "NUL"),
        ("parameters", "SELECT ?1 AS x", "parameters"),
        ("duplicate column", "SELECT id, email AS id FROM users", "duplicate column \"id\""),
        ("misspelt column", "SELECT emial FROM users", "no such column: emial"),
        ("misspelt column in quotes", "SELECT \"emial\" FROM users", "no such column"),
        ("unknown table", "SELECT * FROM nope", "no such table: nope"),
        ("syntax error", "SELECT FROM WHERE", "syntax error"),
        ("too many columns", "SELECT 1", "too many columns"),
        ("too deeply nested", "SELECT 1", "SQLite error"),
        ("too long value", "SELECT zeroblob(2000000) AS x", "too big"),
        ("too many long values", "SELECT zeroblob(1000000) AS x FROM users", "select fewer"),
    ];
    let columns = (0..2001).map(|n| format!("1 AS c{n}")).collect::<Vec<_>>().join(",");
    let (wide, deep) = (format!("SELECT {columns}"), format!("SELECT {}1", "(".repeat(20_000)));
    for (label, query, expected) in cases {
        let query = match label {
            "too many columns" => &wide,
            "too deeply nested" => &deep,
            _ => query,
        };
        let response = sandbox.preview(query).await;
        assert!(response.error_message(400).contains(expected), "{label}: {}", response.text);
    }
    assert_eq!(sandbox.records(json!({ "query": COUNTS })).await, before);
    assert!(!std::path::Path::new(file.path()).exists());
    assert_eq!(sandbox.get("/api/models").await.data().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn every_kind_of_read_only_statement_runs() {
    let sandbox = Sandbox::start();
    let cases = [
        ("values", "VALUES (1, 'a'), (2, 'b')", 2),
        ("with", "WITH a AS (SELECT 1 AS x UNION SELECT 2) SELECT * FROM a", 2),
        ("unused with", "WITH a AS (SELECT 1 AS x) SELECT count(*) AS n FROM a", 1),
        ("semicolon", "  SELECT 1 AS x ; -- the end", 1),
        ("a view", "SELECT * FROM monthly_revenue LIMIT 3", 3),
        ("qualified", "SELECT u.id FROM public.users u JOIN orders o ON o.user_id = u.id", 20),
        ("JSON", "SELECT value FROM contacts, json_each(tags) LIMIT 2", 2),
        (
            "JSON operators",
            "SELECT settings ->> 'invoice_day' AS day FROM subscriptions LIMIT 1",
            1,
        ),
        ("windows", "SELECT row_number() OVER (ORDER BY id) AS n FROM users LIMIT 4", 4),
        (
            "dates",
            "SELECT strftime('%Y', signup_date) AS y, count(*) AS n FROM users GROUP BY 1",
            4,
        ),
        ("like", "SELECT id FROM users WHERE email LIKE 'user000%' AND name GLOB '*'", 9),
        ("numbers", "SELECT round(avg(balance), 2) AS b, abs(-2) AS r FROM users", 1),
        ("no rows", "SELECT id FROM users WHERE 0", 0),
        (
            "endless, read in part",
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c",
            20,
        ),
    ];
    for (label, query, rows) in cases {
        let records = sandbox.records(json!({ "query": query })).await;
        assert_eq!(records.len(), rows, "{label}: {records:?}");
    }
}

#[tokio::test]
async fn an_endless_query_is_stopped_after_ten_seconds_and_does_not_delay_others() {
    let sandbox = Sandbox::start();
    let body = json!({ "connection_id": CONNECTION, "configuration": { "query": ENDLESS } });
    let started = Instant::now();
    let endless = sandbox.post_with_key("/api/model-preview", "endless-query", &body);
    let others = async {
        // The first request must claim the key before the second one is sent.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let conflict = sandbox.post_with_key("/api/model-preview", "endless-query", &body).await;
        assert!(conflict.error_message(409).contains("still running"), "{}", conflict.text);
        for _ in 0..5 {
            let sent = Instant::now();
            sandbox.create(json!({ "table": "orders" })).await;
            sandbox.get("/api/me").await.data();
            assert!(sent.elapsed() < Duration::from_secs(8), "{:?}", sent.elapsed());
        }
    };
    let (response, ()) = tokio::join!(endless, others);
    assert!(response.error_message(400).contains("async=true"), "{}", response.text);
    let elapsed = started.elapsed().as_secs_f64();
    assert!((9.5..13.0).contains(&elapsed), "{elapsed} s");
    let repeated = sandbox.post_with_key("/api/model-preview", "endless-query", &body).await;
    assert_eq!((repeated.status, repeated.text), (400, response.text));
}

#[tokio::test]
async fn long_values_do_not_keep_every_reader() {
    let sandbox = Sandbox::start();
    // SQLite's own functions take longer for each than a request may.
    let queries = [
        "SELECT instr(printf('%.400000c', 'a'), printf('%.200000c', 'a') || 'b') AS x",
        "SELECT length(replace(printf('%.400000c', 'a'), printf('%.200000c', 'a') || 'b', 'c')) AS x",
        "SELECT length(trim(printf('%.400000c', 'a'), replace(printf('%.200000c', 'b'), 'b', 'bc') || 'a')) AS x",
        "SELECT length(unhex(printf('%.400000c', 'x'), printf('%.300000c', 'y') || 'x')) AS x",
    ];
    let slow = queries.map(|query| sandbox.preview(query));
    let next = async { sandbox.preview("SELECT 1 AS x").await.data().clone() };
    let (slow, next) = tokio::join!(futures_util::future::join_all(slow), next);
    assert_eq!(next["fields"][0]["example"], 1);
    let examples = slow.iter().map(|response| &response.body["data"]["fields"][0]["example"]);
    assert_eq!(examples.collect::<Vec<_>>(), [&json!(0), &json!(400_000), &json!(0), &Value::Null]);
    assert!(slow[3].error_message(400).contains("ignored characters"), "{}", slow[3].text);
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_to_be_run_in_the_background() {
    let sandbox = Sandbox::start();
    let mut session = sandbox.session().await;
    let arguments = json!({ "connection_id": CONNECTION, "configuration": { "query": ENDLESS } });
    let error = session.call_err("preview_model", arguments).await;
    assert_eq!(error["code"], "timeout", "{error}");
    assert!(error["hint"].as_str().unwrap().contains("`async` true"), "{error}");
}

#[tokio::test]
async fn a_disconnect_stops_the_query() {
    let sandbox = Sandbox::start();
    let body = json!({ "connection_id": CONNECTION, "configuration": { "query": ENDLESS } });
    for round in 0..2 {
        // As many queries as there are permits: if one were still running, the sample below would wait.
        let clients = (0..4).map(|n| {
            let mut request = sandbox
                .request(Method::POST, "/api/model-preview")
                .timeout(Duration::from_millis(300))
                .json(&body);
            if n % 2 == 0 {
                request = request.header("Idempotency-Key", format!("round-{round}-client-{n}"));
            }
            tokio::spawn(request.send())
        });
        for client in clients.collect::<Vec<_>>() {
            assert!(client.await.unwrap().unwrap_err().is_timeout());
        }
        let sent = Instant::now();
        sandbox.records(json!({ "table": "users" })).await;
        assert!(sent.elapsed() < Duration::from_secs(8), "{:?}", sent.elapsed());
    }
    // Nothing was written, so the key is free for another request.
    let body = json!({ "connection_id": CONNECTION, "configuration": { "table": "users" } });
    let response = sandbox.post_with_key("/api/model-preview", "round-0-client-0", &body).await;
    response.data();
}

#[tokio::test]
async fn a_query_cannot_exceed_the_memory_limit() {
    let sandbox = Sandbox::start();
    // Each value is large and differs from the others in its first characters: the limit is reached within a
    // second, long before the time limit of a query, also on a busy machine.
    let many_large_values = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
                  SELECT count(DISTINCT x || printf('%.300000c', 'x')) AS n FROM c";
    let response = sandbox.preview(many_large_values).await;
    assert!(response.error_message(400).contains("memory"), "{}", response.text);
    sandbox.create(json!({ "table": "users" })).await;
}

#[tokio::test]
async fn endless_background_jobs_do_not_delay_the_shutdown() {
    let sandbox = Sandbox::start();
    let body = json!({ "connection_id": CONNECTION, "configuration": { "query": ENDLESS } });
    for _ in 0..6 {
        let response = sandbox.post("/api/model-preview?async=true", &body).await;
        assert_eq!(response.data(), &Value::Null, "{}", response.text);
    }
    let sent = Instant::now();
    sandbox.records(json!({ "table": "users" })).await;
    assert!(sent.elapsed() < Duration::from_secs(8), "{:?}", sent.elapsed());
    let pending = tokio::spawn(send_endless(&sandbox, &body));
    let stopped = Instant::now();
    let status = sandbox.terminate();
    assert!(stopped.elapsed() < Duration::from_secs(20), "{:?}", stopped.elapsed());
    assert_eq!(status.code(), Some(0));
    assert!(pending.await.unwrap().is_err());
}

fn send_endless(
    sandbox: &Sandbox,
    body: &Value,
) -> impl Future<Output = reqwest::Result<reqwest::Response>> + use<> {
    sandbox.request(Method::POST, "/api/model-preview").json(body).send()
}
