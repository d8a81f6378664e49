//! Connections to SQLite files.

use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Api, Response, Sandbox};

/// A directory that is removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn create() -> Self {
        let name = format!("sources-{}", uuid::Uuid::new_v4().simple());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// A database made by these statements.
    fn database(&self, name: &str, statements: &str) -> String {
        let path = self.path(name);
        Connection::open(&path).unwrap().execute_batch(statements).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn connect(api: &Api, path: &str) -> Response {
    let body = json!({ "name": "File", "type": "sqlite", "configuration": { "path": path } });
    api.post("/api/connections", &body).await
}

async fn id_of_new(api: &Api, path: &str) -> String {
    connect(api, path).await.data()["id"].as_str().unwrap().to_owned()
}

/// The first value of the first record of a table.
async fn first_value(api: &Api, id: &str, schema: &str) -> Value {
    let schema: String = url::form_urlencoded::byte_serialize(schema.as_bytes()).collect();
    let path = format!("/api/connections/{id}/schemas/{}/records", schema.replace('+', "%20"));
    let response = api.get(&path).await;
    response.data()[0].as_object().unwrap().values().next().unwrap().clone()
}

#[tokio::test]
async fn a_file_with_any_name_is_a_source() {
    let (sandbox, directory) = (Sandbox::start(), Directory::create());
    let names = [
        "plain.db",
        "with space.db",
        "50%25.db",
        "a?mode=rwc&x=y.db",
        "a#fragment.db",
        "quo'te\"s.db",
        "ümläut 日本.db",
        "new\nline",
        "back\\slash",
        "%3f",
        "immutable=1&vfs=memdb",
    ];
    for name in names {
        let statements = "CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('right'); CREATE VIEW w AS SELECT * FROM t";
        let path = directory.database(name, statements);
        let id = id_of_new(&sandbox, &path).await;
        assert_eq!(first_value(&sandbox, &id, "public.t").await, "right", "{name}");
    }
    let two_slashes = format!("/{}", directory.path("plain.db"));
    let id = id_of_new(&sandbox, &two_slashes).await;
    assert_eq!(first_value(&sandbox, &id, "public.w").await, "right");
    // Nothing was created beside them.
    let left = std::fs::read_dir(&directory.0).unwrap().count();
    assert_eq!(left, names.len());
}

#[tokio::test]
async fn what_is_no_readable_database_is_refused_with_the_reason() {
    let (sandbox, directory) = (Sandbox::start(), Directory::create());
    let fifo = directory.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let text = directory.path("notes.txt");
    std::fs::write(&text, "These are notes, longer than the header of a database.").unwrap();
    let corrupt = directory.path("corrupt.db");
    let mut bytes = b"SQLite format 3\0".to_vec();
    bytes.extend([0xff; 5_000]);
    std::fs::write(&corrupt, bytes).unwrap();
    let store = directory.path("store.db");
    let other = Sandbox::start_with(&["--data", &store]);
    let cases = [
        ("FIFO", fifo, "is not a file"),
        ("directory", directory.path("."), "is not a file"),
        ("text file", text, "is not a SQLite database"),
        ("missing file", directory.path("missing.db"), "cannot be read"),
        ("relative path", "missing.db".to_owned(), "not an absolute path"),
        ("header only", corrupt, "is not a SQLite database"),
        ("data of a sandbox", store, "is the data of a sandbox"),
        ("nothing", String::new(), "not an absolute path"),
        ("NUL", "/tmp/a\0b".to_owned(), "cannot be read"),
    ];
    for (label, path, expected) in cases {
        let created = connect(&sandbox, &path).await;
        assert!(created.error_message(422).contains(expected), "{label}: {}", created.text);
        let body = json!({ "type": "sqlite", "configuration": { "path": path } });
        let tested = sandbox.post("/api/connections/test", &body).await;
        assert!(tested.error_message(400).contains(expected), "{label}: {}", tested.text);
    }
    drop(other);
    let missing = directory.path("later.db");
    let body = json!({
        "name": "Later", "type": "sqlite", "configuration": { "path": missing }, "validate": false,
    });
    let created = sandbox.post("/api/connections", &body).await;
    let path = format!("/api/connections/{}", created.data()["id"].as_str().unwrap());
    let source = sandbox.get(&format!("{path}/modelsync/source")).await;
    assert!(source.error_message(400).contains("cannot be read"), "{}", source.text);
    directory.database("later.db", "CREATE TABLE t (v)");
    let source = sandbox.get(&format!("{path}/modelsync/source")).await;
    assert_eq!(source.data()["items"]["table"]["items"], json!(["public.t"]));
}

#[tokio::test]
async fn names_within_a_database_may_hold_any_character() {
    let (sandbox, directory) = (Sandbox::start(), Directory::create());
    let path = directory.database(
        "names.db",
        r#"CREATE TABLE "quo""te's [x] `y`" ("col""umn" TEXT, "select" INTEGER PRIMARY KEY);
           INSERT INTO "quo""te's [x] `y`" VALUES ('a', 1);
           CREATE TABLE "a.b" (v); INSERT INTO "a.b" VALUES (2);
           CREATE TABLE "ta/ble %" (v); INSERT INTO "ta/ble %" VALUES (3);
           CREATE VIEW "vi""ew" AS SELECT "col""umn" AS "x'y" FROM "quo""te's [x] `y`";
           CREATE TABLE pairs (a INTEGER, b TEXT, c TEXT UNIQUE, PRIMARY KEY (b, a)) WITHOUT ROWID"#,
    );
    let id = id_of_new(&sandbox, &path).await;
    for (schema, expected) in [
        ("public.quo\"te's [x] `y`", json!("a")),
        ("public.a.b", json!(2)),
        ("public.ta/ble %", json!(3)),
        ("public.vi\"ew", json!("a")),
    ] {
        assert_eq!(first_value(&sandbox, &id, schema).await, expected, "{schema}");
    }
    let body = |table: &str| json!({ "connection_id": id, "configuration": { "table": table } });
    let model = sandbox.post("/api/model-preview", &body("quo\"te's [x] `y`")).await;
    assert_eq!(model.data()["identifier"], "select", "{}", model.text);
    let pairs = sandbox.get(&format!("/api/connections/{id}/schemas/public.pairs")).await;
    let keys = |field: &Value| (field["name"].clone(), field["is_primary_key"].clone());
    let fields: Vec<_> = pairs.data()["fields"].as_array().unwrap().iter().map(keys).collect();
    let expected = [("a", true), ("b", true), ("c", false)];
    assert_eq!(fields, expected.map(|(name, is_key)| (json!(name), json!(is_key))));
}

#[tokio::test]
async fn a_file_is_read_as_it_is_at_the_time() {
    let (sandbox, directory) = (Sandbox::start(), Directory::create());
    for (name, mode, encoding) in [
        ("delete.db", "delete", "UTF-8"),
        ("wal.db", "wal", "UTF-8"),
        ("utf-16.db", "delete", "UTF-16be"),
    ] {
        let path = directory.path(name);
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch(&format!("PRAGMA encoding = '{encoding}'")).unwrap();
        let _: String = writer
            .query_row(&format!("PRAGMA journal_mode = {mode}"), [], |row| row.get(0))
            .unwrap();
        writer.execute_batch("CREATE TABLE t (v); INSERT INTO t VALUES ('größer')").unwrap();
        let id = id_of_new(&sandbox, &path).await;
        assert_eq!(first_value(&sandbox, &id, "public.t").await, "größer", "{name}");
        // What is in the journal only, too.
        writer.execute_batch("UPDATE t SET v = 'new'; CREATE TABLE u AS SELECT 5 AS n").unwrap();
        assert_eq!(first_value(&sandbox, &id, "public.t").await, "new", "{name}");
        assert_eq!(first_value(&sandbox, &id, "public.u").await, 5, "{name}");
        writer.execute_batch("BEGIN; UPDATE t SET v = 'uncommitted'").unwrap();
        assert_eq!(first_value(&sandbox, &id, "public.t").await, "new", "{name}");
        writer.execute_batch("ROLLBACK; DROP TABLE u").unwrap();
        let gone = sandbox.get(&format!("/api/connections/{id}/schemas/public.u/records")).await;
        assert!(gone.error_message(404).contains("There is no schema public.u"), "{}", gone.text);
        drop(writer);
        assert_eq!(first_value(&sandbox, &id, "public.t").await, "new", "{name}, closed");
        let query = json!({ "query": "SELECT upper(replace(trim(v), 'e', 'é')) AS x FROM t" });
        let body = json!({ "connection_id": id, "name": "M", "configuration": query });
        let preview = sandbox.post("/api/model-preview", &body).await;
        assert_eq!(preview.data()["fields"][0]["example"], "NéW", "{name}");
    }
}

#[tokio::test]
async fn a_view_that_fails_does_not_affect_the_others() {
    let (sandbox, directory) = (Sandbox::start(), Directory::create());
    let path = directory.database(
        "views.db",
        "CREATE TABLE t (v); INSERT INTO t VALUES (1); CREATE TABLE gone (v);
         CREATE VIEW of_gone AS SELECT v FROM gone; DROP TABLE gone;
         CREATE VIEW circle AS SELECT * FROM circle;
         CREATE VIEW denied AS SELECT load_extension('x') AS v;
         CREATE VIEW overflow AS SELECT abs(-9223372036854775808) AS v;
         CREATE VIEW trimmed AS SELECT trim('  x ') AS v",
    );
    let id = id_of_new(&sandbox, &path).await;
    for (view, expected) in [
        ("of_gone", "no such table"),
        ("circle", "circularly defined"),
        ("denied", "load_extension"),
        ("overflow", "integer overflow"),
    ] {
        for rest in ["", "/records"] {
            let url = format!("/api/connections/{id}/schemas/public.{view}{rest}");
            let response = sandbox.get(&url).await;
            assert!(response.error_message(400).contains(expected), "{view}: {}", response.text);
        }
    }
    assert_eq!(first_value(&sandbox, &id, "public.t").await, 1);
    assert_eq!(first_value(&sandbox, &id, "public.trimmed").await, "x");
    let body = json!({ "connection_id": id, "configuration": { "query": "DELETE FROM t" } });
    sandbox.post("/api/model-preview", &body).await.error_message(400);
    assert_eq!(first_value(&sandbox, &id, "public.t").await, 1);
}
