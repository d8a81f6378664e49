//! Connections to a PostgreSQL server, which the tests start if it is installed.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::compat::skip;
use crate::support::Sandbox;

const PASSWORD: &str = "Password-of-the-server";
const DATA: &str = r#"
    CREATE TABLE people (
        id bigint PRIMARY KEY, name text UNIQUE, born date, seen timestamptz, score numeric(10, 2), is_new boolean,
        tags text[], extra jsonb, list jsonb, photo bytea, code uuid
    );
    INSERT INTO people VALUES
        (9007199254740991, 'Žofie', '1990-02-03', '2024-05-06 07:08:09+00', 12.50, true, '{a,b}', '{"k": 1}', '[1]',
         '\x00ff', '0e37df36-f698-11e6-8dd4-cb9ced3df976'),
        (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    CREATE VIEW named AS SELECT name FROM people WHERE name IS NOT NULL;
    CREATE SEQUENCE numbers;
    CREATE SCHEMA "Odd ""schema""";
    CREATE TABLE "Odd ""schema"""."Ta.ble" ("a b" int, "select" int, PRIMARY KEY ("select", "a b"));
    INSERT INTO "Odd ""schema"""."Ta.ble" VALUES (1, 2);
"#;

/// A server on a free port, stopped at the end.
struct Server {
    binaries: PathBuf,
    directory: PathBuf,
    port: u16,
}

impl Server {
    /// `None` if PostgreSQL is not installed, or cannot be started by this user.
    fn start() -> Option<Self> {
        let Some(binaries) = find_binaries() else {
            skip("there is no PostgreSQL on this machine: apt-get install postgresql");
            return None;
        };
        let name = format!("postgres-{}", uuid::Uuid::new_v4().simple());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let server = Self { binaries, directory, port };
        if id("-u", None) == 0 {
            let path = server.directory.to_str().unwrap();
            assert!(Command::new("chown").args(["postgres", path]).status().unwrap().success());
        }
        let password = server.directory.join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        let pwfile = format!("--pwfile={}", password.display());
        let data = server.directory.join("data");
        let data = data.to_str().unwrap();
        server.run(
            "initdb",
            &["-D", data, "-U", "owner", "-A", "scram-sha-256", "-E", "UTF8", "-N", &pwfile],
        );
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        );
        let log = server.directory.join("log");
        server.run(
            "pg_ctl",
            &["-D", data, "-w", "-l", log.to_str().unwrap(), "-o", &options, "start"],
        );
        let port = port.to_string();
        let psql = server
            .command("psql")
            .env("PGPASSWORD", PASSWORD)
            .stdout(Stdio::null())
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "owner",
                "-v",
                "ON_ERROR_STOP=1",
                "-c",
                DATA,
                "postgres",
            ])
            .status()
            .unwrap();
        assert!(psql.success());
        Some(server)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command.current_dir(&self.directory).stdin(Stdio::null());
        // The server refuses to run as root.
        if id("-u", None) == 0 {
            command.uid(id("-u", Some("postgres"))).gid(id("-g", Some("postgres")));
        }
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = self.command(program);
        let status = command.args(arguments).stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "{program} {arguments:?}");
    }

    fn configuration(&self) -> Value {
        json!({
            "hostname": "127.0.0.1", "port": self.port, "database": "postgres", "username": "owner",
            "password": PASSWORD, "ssl": false,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.directory.join("data");
        let stop = ["-D", data.to_str().unwrap(), "-m", "immediate", "-w", "stop"];
        let _ = self.command("pg_ctl").args(stop).stdout(Stdio::null()).status();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn find_binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    #[expect(clippy::disallowed_methods, reason = "the machine's own PATH")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has_server = |directory: &PathBuf| {
        ["initdb", "pg_ctl", "psql"].iter().all(|name| Path::new(directory).join(name).exists())
    };
    debian.chain(std::env::split_paths(&path)).find(has_server)
}

/// What `id` prints of a user.
fn id(option: &str, user: Option<&str>) -> u32 {
    let output = Command::new("id").arg(option).args(user).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn with(configuration: &Value, name: &str, value: Value) -> Value {
    let mut configuration = configuration.clone();
    configuration[name] = value;
    configuration
}

#[tokio::test]
async fn a_postgresql_server_is_a_source() {
    let Some(server) = Server::start() else { return };
    let sandbox = Sandbox::start();
    let configuration = server.configuration();
    let body = json!({ "name": "PG", "type": "postgresql", "configuration": configuration });
    let created = sandbox.post("/api/connections", &body).await;
    assert_eq!(created.data()["configuration"]["password"], "********");
    let id = created.data()["id"].as_str().unwrap();

    let source = sandbox.get(&format!("/api/connections/{id}/modelsync/source")).await;
    let items = &source.data()["items"];
    assert_eq!(items["table"]["items"], json!(["public.people", "Odd \"schema\".Ta.ble"]));
    assert_eq!(items["view"]["items"], json!(["public.named"]));

    let schema = sandbox.get(&format!("/api/connections/{id}/schemas/public.people")).await;
    let field = |field: &Value| {
        let text = |name: &str| field[name].as_str().unwrap().to_owned();
        (text("name"), text("type"), text("remote_type"), field["is_primary_key"] == true)
    };
    let fields: Vec<_> = schema.data()["fields"].as_array().unwrap().iter().map(field).collect();
    let expected = [
        ("id", "number", "int8", true),
        ("name", "string", "text", false),
        ("born", "datetime", "date", false),
        ("seen", "datetime", "timestamptz", false),
        ("score", "number", "numeric", false),
        ("is_new", "boolean", "bool", false),
        ("tags", "array", "_text", false),
        ("extra", "object", "jsonb", false),
        ("list", "array", "jsonb", false),
        ("photo", "binary", "bytea", false),
        ("code", "string", "uuid", false),
    ];
    let expected = expected.map(|(name, r#type, remote, is_key)| {
        (name.to_owned(), r#type.to_owned(), remote.to_owned(), is_key)
    });
    assert_eq!(fields, expected);
    let odd = "Odd%20%22schema%22.Ta.ble";
    let records = sandbox.get(&format!("/api/connections/{id}/schemas/{odd}/records")).await;
    assert_eq!(records.data(), &json!([{ "a b": 1, "select": 2 }]));
    let odd = sandbox.get(&format!("/api/connections/{id}/schemas/{odd}")).await;
    assert_eq!(odd.data()["fields"][0]["is_primary_key"], true);

    let query = json!({ "query": "SELECT * FROM people ORDER BY id DESC; " });
    let model = json!({ "connection_id": id, "name": "M", "configuration": query });
    let model = sandbox.post("/api/models", &model).await;
    let model_id = model.data()["id"].as_str().unwrap();
    let sample = sandbox.get(&format!("/api/models/{model_id}/sample")).await;
    let record = &sample.data()["records"][0][model_id];
    assert_eq!(record["id"], 9_007_199_254_740_991_i64);
    assert_eq!((&record["name"], &record["photo"]), (&json!("Žofie"), &json!("AP8=")));
    assert_eq!((&record["score"], &record["tags"]), (&json!(12.5), &json!(["a", "b"])));
    assert_eq!(sample.data()["records"][1][model_id]["name"], Value::Null);
    for response in [&created, &source, &schema, &sample, &sandbox.get("/api/connections").await] {
        assert!(!response.text.contains(PASSWORD), "{}", response.text);
    }

    for (query, expected) in [
        ("DELETE FROM people", "DELETE is not allowed"),
        ("WITH d AS (DELETE FROM people RETURNING id) SELECT * FROM d", "query:"),
        ("SELECT setval('x', 1)", "query:"),
        ("SELECT 1 AS x; DROP TABLE people", "query:"),
        ("SELECT 1) q; DROP TABLE people; --", "query:"),
        ("SELECT nextval('numbers')", "not read-only"),
        ("SELECT 1 AS x, 2 AS x", "duplicate column"),
        ("SELECT $1::int AS x", "parameters"),
        ("SELECT nothing FROM people", "does not exist"),
        ("SELECT repeat('x', 10000000) AS x", "exceed"),
    ] {
        let body = json!({ "connection_id": id, "configuration": { "query": query } });
        let response = sandbox.post("/api/model-preview", &body).await;
        assert!(response.error_message(400).contains(expected), "{query}: {}", response.text);
    }
    let body =
        json!({ "connection_id": id, "configuration": { "query": "SELECT pg_sleep(60) AS x" } });
    let response = sandbox.post("/api/model-preview", &body).await;
    assert!(response.error_message(400).contains("async=true"), "{}", response.text);
    let count = json!({ "connection_id": id, "configuration": { "query": "SELECT count(*) AS n FROM people" } });
    let preview = sandbox.post("/api/model-preview", &count).await;
    assert_eq!(preview.data()["fields"][0]["example"], 2);

    for (name, value, expected) in [
        ("password", json!("wrong-Password"), "password authentication failed"),
        ("database", json!("nothing"), "does not exist"),
        ("port", json!(1), "cannot be read"),
        ("port", json!(70_000), "configuration.port"),
        ("ssl", json!(true), "configuration.ssl"),
    ] {
        let body = json!({ "name": "PG", "type": "postgresql", "configuration": with(&configuration, name, value) });
        let response = sandbox.post("/api/connections", &body).await;
        assert!(response.error_message(422).contains(expected), "{name}: {}", response.text);
        assert!(!response.text.contains("Password"), "{}", response.text);
    }
}
