//! Statements that must not run, and statements that must not run for long.

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
async fn nothing_but_reading_is_possible() {
    let sandbox = Sandbox::start();
    let file = scratch_file("stolen.db");
    let vacuum = format!("VACUUM INTO '{}'", file.path());
    let attach = format!("ATTACH '{}' AS x", file.path());
    let before = sandbox.records(json!({ "query": COUNTS })).await;
    let many = "SELECT 1;".repeat(50_000);
    let cases = [
        ("insert", "INSERT INTO users (id) VALUES (1)", "INSERT is not run"),
        ("update", "UPDATE users SET email = 'x'", "UPDATE is not run"),
        ("delete", "DELETE FROM users", "DELETE is not run"),
        ("replace", "REPLACE INTO users (id) VALUES (1)", "REPLACE is not run"),
        ("returning", "WITH x AS (SELECT 1) DELETE FROM users RETURNING id", "only reading"),
        ("with insert", "WITH x AS (SELECT 1) INSERT INTO users (id) SELECT 1", "only reading"),
        ("drop", "DROP TABLE users", "DROP is not run"),
        ("create", "CREATE TABLE public.x (y)", "CREATE is not run"),
        ("temporary", "CREATE TEMP TABLE x (y)", "CREATE is not run"),
        ("attach", &attach, "ATTACH is not run"),
        ("detach", "DETACH public", "DETACH is not run"),
        ("vacuum", &vacuum, "VACUUM is not run"),
        ("pragma", "PRAGMA query_only = 0", "PRAGMA is not run"),
        ("pragma after a comment", "/* x */ -- y\n PRAGMA user_version", "PRAGMA is not run"),
        ("pragma as a table", "SELECT * FROM pragma_table_info('users')", "cannot be read here"),
        ("pragma, counted", "SELECT count(*) FROM pragma_database_list", "cannot be read here"),
        ("explain", "EXPLAIN SELECT 1", "EXPLAIN is not run"),
        ("begin", "BEGIN", "BEGIN is not run"),
        ("extension", "SELECT load_extension('x.so') AS x", "load_extension"),
        ("tokenizer", "SELECT fts3_tokenizer('simple') AS x", "fts3_tokenizer"),
        ("other database", "SELECT * FROM main.sqlite_schema", "cannot be read here"),
        ("pages", "SELECT * FROM dbstat", "cannot be read here"),
        ("two statements", "SELECT 1 AS x; DROP TABLE users", "only one statement"),
        ("two good ones", "SELECT 1 AS x; SELECT 2 AS x", "only one statement"),
        ("very many", &many, "only one statement"),
        ("nothing", "-- only words", "expected a SELECT"),
        ("an open comment", "/* SELECT 1", "expected a SELECT"),
        ("NUL", "SELECT 1\0; DROP TABLE users", "NUL"),
        ("parameters", "SELECT ?1 AS x", "parameters"),
        ("a column twice", "SELECT id, email AS id FROM users", "two columns are named \"id\""),
        ("a slip", "SELECT emial FROM users", "no such column: emial"),
        ("a slip in quotes", "SELECT \"emial\" FROM users", "no such column"),
        ("no such table", "SELECT * FROM nope", "no such table: nope"),
        ("syntax", "SELECT FROM WHERE", "syntax error"),
        ("too many columns", "SELECT 1", "too many columns"),
        ("too deep", "SELECT 1", "SQLite says"),
        ("too long a value", "SELECT zeroblob(2000000) AS x", "too big"),
        ("too many long values", "SELECT zeroblob(1000000) AS x FROM users", "select less"),
    ];
    let columns = (0..2001).map(|n| format!("1 AS c{n}")).collect::<Vec<_>>().join(",");
    let (wide, deep) = (format!("SELECT {columns}"), format!("SELECT {}1", "(".repeat(20_000)));
    for (label, query, words) in cases {
        let query = match label {
            "too many columns" => &wide,
            "too deep" => &deep,
            _ => query,
        };
        let answer = sandbox.preview(query).await;
        assert!(answer.error_message(400).contains(words), "{label}: {}", answer.text);
    }
    assert_eq!(sandbox.records(json!({ "query": COUNTS })).await, before);
    assert!(!std::path::Path::new(file.path()).exists());
    assert_eq!(sandbox.get("/api/models").await.data().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn reading_of_every_kind_is_possible() {
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
            "endless, but read in part",
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
async fn an_endless_query_is_stopped_after_ten_seconds_and_holds_nobody_up() {
    let sandbox = Sandbox::start();
    let body = json!({ "connection_id": CONNECTION, "configuration": { "query": ENDLESS } });
    let started = Instant::now();
    let endless = sandbox.post_with_key("/api/model-preview", "endless-query", &body);
    let others = async {
        // Until the first one has the key, a second would become the first.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let busy = sandbox.post_with_key("/api/model-preview", "endless-query", &body).await;
        assert!(busy.error_message(409).contains("still running"), "{}", busy.text);
        for _ in 0..5 {
            let asked = Instant::now();
            sandbox.create(json!({ "table": "orders" })).await;
            sandbox.get("/api/me").await.data();
            assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        }
    };
    let (answer, ()) = tokio::join!(endless, others);
    assert!(answer.error_message(408).contains("async=true"), "{}", answer.text);
    let waited = started.elapsed().as_secs_f64();
    assert!((9.5..13.0).contains(&waited), "{waited} s");
    let again = sandbox.post_with_key("/api/model-preview", "endless-query", &body).await;
    assert_eq!((again.status, again.text), (408, answer.text));
}

#[tokio::test]
async fn a_client_that_leaves_stops_its_query() {
    let sandbox = Sandbox::start();
    let body = json!({ "connection_id": CONNECTION, "configuration": { "query": ENDLESS } });
    for round in 0..2 {
        // Four queries at once: were one of them still running, the sample below would wait.
        let impatient = (0..4).map(|n| {
            let mut request = sandbox
                .request(Method::POST, "/api/model-preview")
                .timeout(Duration::from_millis(300))
                .json(&body);
            if n % 2 == 0 {
                request = request.header("Idempotency-Key", format!("round-{round}-client-{n}"));
            }
            tokio::spawn(request.send())
        });
        for client in impatient.collect::<Vec<_>>() {
            assert!(client.await.unwrap().unwrap_err().is_timeout());
        }
        let asked = Instant::now();
        sandbox.records(json!({ "table": "users" })).await;
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    }
    // Nothing came of it, so the key is free for another request.
    let body = json!({ "connection_id": CONNECTION, "configuration": { "table": "users" } });
    let answer = sandbox.post_with_key("/api/model-preview", "round-0-client-0", &body).await;
    answer.data();
}

#[tokio::test]
async fn a_query_cannot_take_all_the_memory() {
    let sandbox = Sandbox::start();
    let greedy = "WITH RECURSIVE c(x) AS (SELECT randomblob(100000) UNION SELECT randomblob(100000)
                  FROM c) SELECT count(*) AS n FROM c";
    let answer = sandbox.preview(greedy).await;
    assert!(answer.error_message(400).contains("memory"), "{}", answer.text);
    sandbox.create(json!({ "table": "users" })).await;
}

#[tokio::test]
async fn endless_background_jobs_do_not_delay_the_end() {
    let sandbox = Sandbox::start();
    let body = json!({ "connection_id": CONNECTION, "configuration": { "query": ENDLESS } });
    for _ in 0..6 {
        let answer = sandbox.post("/api/model-preview?async=true", &body).await;
        assert_eq!(answer.data(), &Value::Null, "{}", answer.text);
    }
    let asked = Instant::now();
    sandbox.records(json!({ "table": "users" })).await;
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let waiting = tokio::spawn(send_endless(&sandbox, &body));
    let stopped = Instant::now();
    let status = sandbox.terminate();
    assert!(stopped.elapsed() < Duration::from_millis(2500), "{:?}", stopped.elapsed());
    assert_eq!(status.code(), Some(0));
    assert!(waiting.await.unwrap().is_err());
}

fn send_endless(
    sandbox: &Sandbox,
    body: &Value,
) -> impl Future<Output = reqwest::Result<reqwest::Response>> + use<> {
    sandbox.request(Method::POST, "/api/model-preview").json(body).send()
}
