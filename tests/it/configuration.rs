//! Settings: what the server does with them, with none, and with wrong ones.

use polytomic_mcp::sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{
    CONNECTION, Launch, Session, Stub, UNKNOWN_ID, default_tools, job, make_pipe, scratch_file,
};

#[tokio::test]
async fn without_a_key_the_tools_are_listed_and_a_call_names_the_variables() {
    let mut session = Session::open(&Launch::bare()).await;
    let tools = session.request("tools/list", json!({})).await;
    assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), default_tools());
    let error = session.call_err("list_connections", json!({})).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("not_configured"), &json!("not_sent")));
    let hint = error["hint"].as_str().unwrap();
    for word in ["POLYTOMIC_API_KEY", "POLYTOMIC_ORGANIZATION_ID", "--sandbox"] {
        assert!(hint.contains(word), "{error}");
    }
}

#[tokio::test]
async fn an_invalid_variable_is_the_error_of_the_call() {
    for (name, value, part) in [
        ("POLYTOMIC_API_KEY", "", "No API key"),
        ("POLYTOMIC_API_KEY", "${POLYTOMIC_API_KEY}", "No API key"),
        ("POLYTOMIC_API_KEY", "a\nb", "header"),
        ("POLYTOMIC_ORGANIZATION_ID", "a:b", "colon"),
        ("POLYTOMIC_BASE_URL", "http://polytomic.example.com", "plain http"),
        ("POLYTOMIC_BASE_URL", "https://user:hunter2@polytomic.example.com", "password"),
        ("POLYTOMIC_BASE_URL", "ftp://polytomic.example.com", "scheme"),
        ("POLYTOMIC_TIMEOUT_SECONDS", "soon", "POLYTOMIC_TIMEOUT_SECONDS"),
        ("POLYTOMIC_MAX_LINE_BYTES", "-1", "POLYTOMIC_MAX_LINE_BYTES"),
        ("POLYTOMIC_SANDBOX", "maybe", "POLYTOMIC_SANDBOX"),
        ("POLYTOMIC_API_VERSION", "a\nb", "version"),
    ] {
        let launch = Launch::against("http://127.0.0.1:9").variable(name, value);
        let mut session = Session::open(&launch).await;
        let error = session.call_err("list_connections", json!({})).await;
        assert_eq!(error["code"], "not_configured", "{name}={value}: {error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{name}={value}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{name}={value}: {error}");
    }
}

#[tokio::test]
async fn an_invalid_flag_stops_the_start() {
    for (flags, part) in [
        (
            &["--timeout-seconds", "soon"][..],
            "invalid value 'soon' for '--timeout-seconds <NUMBER>'",
        ),
        (&["--timeout-second", "5"], "--timeout-seconds"),
        (&["--api-key", "x"], "unexpected argument"),
        (&["--sandbox-data", "x"], "--sandbox-data requires --sandbox"),
        (&["--base-url", "http://polytomic.example.com"], "plain http"),
        (
            &["--state", "state"],
            "--state: expected an absolute path, a redis:// or rediss:// URL, or off, got \"state\"",
        ),
        (&["--timeout-seconds", "-1"], "invalid value '-1'"),
        (&["--timeout-seconds", "601"], "601 is not in 1..=600"),
        (&["--log", "loud"], "invalid value 'loud'"),
        (&["--mask", "pii"], "invalid value 'pii' for '--mask <KIND>'"),
        (&["rpc", "--listen", "8080"], "127.0.0.1:8080"),
        (&["schemas", "--timeout-seconds", "5"], "unexpected argument"),
        (&["demmo"], "demo"),
    ] {
        let key = Launch::bare().variable("POLYTOMIC_API_KEY", "test-key-4711");
        let launch = key.flags(flags);
        let (status, stdout, stderr) = launch.output().await;
        assert_eq!((status, stdout.as_str()), (2, ""), "{flags:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(part), "{flags:?}: {stderr}");
    }
}

#[tokio::test]
async fn an_organization_id_makes_the_key_basic() {
    let stub = Stub::start().await;
    stub.json("GET", "/api/connections", 200, json!({"data": null})).await;
    let launch = Launch::against(&format!("{}///", stub.url()))
        .variable("POLYTOMIC_ORGANIZATION_ID", " org ")
        .variable("POLYTOMIC_API_VERSION", "2024-02-08");
    let mut session = Session::open(&launch).await;
    let found = session.call("list_connections", json!({})).await;
    assert_eq!(found, json!({"connections": []}));
    let requests = stub.requests().await;
    // org:test-key-4711
    assert_eq!(requests[0].headers["authorization"], "Basic b3JnOnRlc3Qta2V5LTQ3MTE=");
    assert_eq!(requests[0].headers["x-polytomic-version"], "2024-02-08");
    assert_eq!(requests[0].url.path(), "/api/connections");
}

#[tokio::test]
async fn a_flag_has_precedence_over_its_variable() {
    let stub = Stub::start().await;
    stub.json("GET", "/api/connections", 200, json!({"data": []})).await;
    let launch = Launch::against("http://127.0.0.1:9").flag("--base-url").flag(&stub.url());
    let mut session = Session::open(&launch).await;
    session.call("list_connections", json!({})).await;
}

#[tokio::test]
async fn loopback_addresses_bypass_the_proxy() {
    let stub = Stub::start().await;
    stub.json("GET", "/api/connections", 200, json!({"data": []})).await;
    let launch = Launch::against(&stub.url())
        .variable("HTTP_PROXY", "http://127.0.0.1:9")
        .variable("http_proxy", "http://127.0.0.1:9");
    let mut session = Session::open(&launch).await;
    session.call("list_connections", json!({})).await;
}

#[tokio::test]
async fn the_sandbox_has_precedence_over_the_key_and_is_announced() {
    let stub = Stub::start().await;
    let launch = Launch::against(&stub.url()).flag("--sandbox");
    let mut session = Session::open(&launch).await;
    let found = session.call("list_connections", json!({})).await;
    assert_eq!(found["connections"][0]["name"], "SQLite (sandbox)");
    let ended = session.close().await;
    for word in ["sandbox", "POLYTOMIC_API_KEY", "POLYTOMIC_BASE_URL"] {
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
    }
    assert_eq!(stub.lines().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_key_of_a_sandbox_is_not_sent_to_polytomic() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let launch = Launch::bare().variable("POLYTOMIC_API_KEY", sandbox.api_key());
    let mut session = Session::open(&launch).await;
    let error = session.call_err("list_connections", json!({})).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("not_configured"), &json!("not_sent")));
    assert!(error["hint"].as_str().unwrap().contains("POLYTOMIC_BASE_URL"), "{error}");
    let launch = launch.variable("POLYTOMIC_BASE_URL", sandbox.url());
    let mut session = Session::open(&launch).await;
    session.call("list_connections", json!({})).await;
}

#[tokio::test]
async fn the_sandbox_keeps_its_models_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sandbox.db");
    let launch = Launch::sandbox().flag("--sandbox-data").flag(file.to_str().unwrap());
    let mut session = Session::open(&launch).await;
    let id = session.create_model("Users", "public.users").await;
    session.close().await;
    let mut session = Session::open(&launch).await;
    let read = session.call("get_model", json!({"model_id": id})).await;
    assert_eq!(read["model"]["name"], "Users");
}

#[tokio::test]
async fn a_sandbox_file_that_cannot_be_used_is_the_error_of_each_call() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let letter =
        "Dear reader, this is not a database, although it is long enough to hold a header.";
    std::fs::write(at("letter.txt"), letter).unwrap();
    let other = rusqlite::Connection::open(at("other.db")).unwrap();
    other.execute_batch("CREATE TABLE t (x)").unwrap();
    make_pipe(directory.path());
    for (name, reason) in [
        ("no/such/directory/x.db", "cannot open"),
        ("", "not a regular file"),
        ("letter.txt", "is not a sandbox store; it was not modified"),
        ("letter.txt/x.db", "cannot open"),
        ("other.db", "is not a sandbox store"),
        ("pipe", "not a regular file"),
    ] {
        let launch = || Launch::sandbox().flag("--sandbox-data").flag(&at(name));
        let mut session = Session::open(&launch()).await;
        let tools = session.request("tools/list", json!({})).await;
        assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), default_tools(), "{name}");
        for _ in 0..2 {
            let error = session.call_err("list_connections", json!({})).await;
            assert_eq!(
                (&error["code"], &error["outcome"]),
                (&json!("not_configured"), &json!("not_sent"))
            );
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(reason) && message.contains(&at(name)), "{name}: {error}");
            assert!(
                error["hint"].as_str().unwrap().contains("POLYTOMIC_SANDBOX_DATA"),
                "{name}: {error}"
            );
        }
        let ended = session.close().await;
        assert_eq!(ended.status, Some(0), "{name}");
        assert!(
            ended.stderr.contains("calls will fail") && ended.stderr.contains(reason),
            "{}",
            ended.stderr
        );
        let mut rpc = Session::start(&launch().flag("rpc"));
        let response = rpc.request("list_connections", json!({})).await;
        assert_eq!(response["error"]["data"]["code"], "not_configured", "{name}: {response}");
        // A shell sees the reason at once.
        for (command, status, code) in [
            (&["call", "list_connections"][..], 3, "not_configured"),
            (&["sandbox", "--data", &at(name)], 1, ""),
        ] {
            let launch = launch().flags(command);
            let (ended, stdout, stderr) = launch.output().await;
            assert_eq!(ended, status, "{name}: {stderr}");
            let error: Value = serde_json::from_str(&stdout).unwrap_or_default();
            assert_eq!(error["error"]["code"].as_str().unwrap_or_default(), code, "{stdout}");
            assert!(stderr.contains("error: ") && stderr.contains(reason), "{name}: {stderr}");
        }
    }
    assert_eq!(std::fs::read_to_string(at("letter.txt")).unwrap(), letter);
    assert!(other.prepare("SELECT x FROM t").is_ok());
}

#[tokio::test]
async fn servers_share_a_sandbox_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sandbox.db");
    let launch = Launch::sandbox().flag("--sandbox-data").flag(file.to_str().unwrap());
    let mut first = Session::open(&launch).await;
    let id = first.create_model("Users", "public.users").await;
    let mut second = Session::open(&launch).await;
    let read = second.call("get_model", json!({"model_id": id})).await;
    assert_eq!(read["model"]["name"], "Users");
    second.call("delete_model", json!({"model_id": id})).await;
    let error = first.call_err("get_model", json!({"model_id": id})).await;
    assert_eq!(error["code"], "not_found", "{error}");
    assert_eq!(first.close().await.status, Some(0));
    second.call("list_models", json!({})).await;
}

#[tokio::test]
async fn the_key_is_never_written_at_any_log_level() {
    // A key with characters that JSON writers and URLs spell in other ways.
    let key = "test/key+4711==";
    let pair = "b3JnOnRlc3Qva2V5KzQ3MTE9PQ=="; // org:test/key+4711==
    let spellings =
        [key, "test\\/key", "test%2Fkey%2B4711%3D%3D", pair, "b3JnOnRlc3Qva2V5KzQ3MTE9PQ%3D%3D"];
    let stub = Stub::start().await;
    let at = format!("/api/models/{UNKNOWN_ID}");
    // Some servers echo what they were sent.
    let echo = r#"{"message": "you sent test/key+4711== as Basic b3JnOnRlc3Qva2V5KzQ3MTE9PQ==",
        "key": "test\/key+4711==", "metadata": {"test%2Fkey%2B4711%3D%3D": "b3JnOnRlc3Qva2V5KzQ3MTE9PQ==",
        "lower": "test%2fkey%2b4711%3d%3d", "part": "?key=test/key%2B4711=="}}"#;
    let refused = ResponseTemplate::new(302)
        .set_body_raw(echo, "application/json")
        .insert_header("location", "/?key=test%2Fkey%2B4711%3D%3D")
        .insert_header("x-request-id", pair);
    stub.on("GET", &at, refused).await;
    let names = format!(
        r#"{{"data": [{{"name": "It is {key}", "status": "test\/key+4711==", "{pair}": 1}}]}}"#
    );
    let found = ResponseTemplate::new(200).set_body_raw(names, "application/json");
    stub.on("GET", "/api/connections", found).await;
    let started = json!({"job": job("createmodel", "failed", Value::Null)});
    let mut failed = started.clone();
    failed["job"]["error"] = json!(format!("no access with {key}"));
    stub.json("POST", "/api/models", 200, failed).await;
    let odd = json!({"data": {"records": key}});
    stub.json("GET", &format!("{at}/sample"), 200, odd).await;
    // Without a level in POLYTOMIC_LOG that in RUST_LOG counts.
    for level in ["off", "error", "warn", "info", "debug", "trace", ""] {
        for organization in [None, Some("org")] {
            let audit_log = scratch_file("audit.jsonl");
            let mut launch = Launch::against(&stub.url())
                .variable("POLYTOMIC_API_KEY", key)
                .variable("POLYTOMIC_AUDIT_LOG", audit_log.path())
                .variable("RUST_LOG", "trace");
            if !level.is_empty() {
                launch = launch.variable("POLYTOMIC_LOG", level);
            }
            if let Some(organization) = organization {
                launch = launch.variable("POLYTOMIC_ORGANIZATION_ID", organization);
            }
            let mut session = Session::open(&launch).await;
            let found = session.call("list_connections", json!({})).await;
            assert_eq!(found["connections"][0]["name"], "It is [redacted API key]");
            let id = json!({"model_id": UNKNOWN_ID});
            let error = session.call_err("get_model", id.clone()).await;
            assert!(
                error["details"]["message"].as_str().unwrap().contains("[redacted API key]"),
                "{error}"
            );
            let definition = json!({"connection_id": UNKNOWN_ID, "name": "a", "configuration": {}});
            let error = session.call_err("create_model", definition).await;
            assert_eq!(error["details"]["error"], "no access with [redacted API key]");
            session.call_err("sample_records", id).await;
            session.send_raw(b"{broken\n").await;
            session.next().await;
            let story = session.transcript();
            // Every byte of stdout parsed so far; so does the rest.
            let ended = session.close().await;
            assert!(ended.rest.is_empty(), "{level}: {:?}", ended.rest);
            let audit = std::fs::read_to_string(audit_log.path()).unwrap();
            assert_eq!(audit.lines().count(), 2, "{audit}");
            for spelling in spellings {
                // Without an organization nothing but the key itself was sent.
                if organization.is_some() || !spelling.starts_with("b3Jn") {
                    assert!(!story.contains(spelling), "{level}: {spelling} in {story}");
                    assert!(!ended.stderr.contains(spelling), "{level}: {}", ended.stderr);
                    assert!(!audit.contains(spelling), "{level}: {audit}");
                }
            }
            match level {
                "off" => assert_eq!(ended.stderr, ""),
                "" | "trace" => assert!(ended.stderr.contains("DEBUG"), "{}", ended.stderr),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn records_are_never_logged() {
    let stub = Stub::start().await;
    let secret = "Jane Doe 123-45-6789";
    let at = format!("/api/models/{UNKNOWN_ID}");
    stub.json("GET", &at, 200, json!({"data": {"name": [secret]}})).await;
    let records = json!({"data": {"records": [{"m": {"name": secret}}]}});
    stub.json("GET", &format!("{at}/sample"), 200, records).await;
    stub.json("GET", "/api/connections", 400, json!({"message": secret})).await;
    let launch = Launch::against(&stub.url()).variable("POLYTOMIC_LOG", "trace");
    let mut session = Session::open(&launch).await;
    session.call_err("get_model", json!({"model_id": UNKNOWN_ID})).await;
    session.call("sample_records", json!({"model_id": UNKNOWN_ID})).await;
    session.call_err("list_connections", json!({})).await;
    let ended = session.close().await;
    assert!(
        ended.stderr.contains("call_id=1") && ended.stderr.contains("get_model"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("Jane"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_problem_that_fails_every_call_is_a_warning_at_the_start() {
    for (launch, part) in [
        (Launch::bare(), "No API key"),
        (Launch::bare().variable("POLYTOMIC_TIMEOUT_SECONDS", "soon"), "POLYTOMIC_TIMEOUT_SECONDS"),
        (Launch::bare().variable("POLYTOMIC_SANDBOX", "maybe"), "POLYTOMIC_SANDBOX"),
        (
            Launch::sandbox().variable("POLYTOMIC_TIMEOUT_SECONDS", "soon"),
            "POLYTOMIC_TIMEOUT_SECONDS",
        ),
    ] {
        let ended = Session::open(&launch).await.close().await;
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        assert!(ended.stderr.contains("calls will fail"), "{part}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn the_settings_of_the_client_apply_to_the_sandbox_too() {
    let launch = Launch::sandbox().variable("POLYTOMIC_TIMEOUT_SECONDS", "3");
    let mut session = Session::open(&launch).await;
    let endless =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) n FROM c";
    let arguments = json!({"connection_id": CONNECTION, "configuration": {"query": endless}});
    let error = session.call_err("preview_model", arguments).await;
    assert_eq!(error["code"], "timeout", "{error}");
    assert!(error["message"].as_str().unwrap().contains("after 3 s"), "{error}");
}

#[tokio::test]
async fn a_misspelled_variable_is_a_warning() {
    let launch = Launch::against("http://127.0.0.1:9").variable("POLYTOMIC_TIMEOUT_SECOND", "3");
    let ended = Session::open(&launch).await.close().await;
    assert!(ended.stderr.contains("did you mean POLYTOMIC_TIMEOUT_SECONDS?"), "{}", ended.stderr);
}

#[tokio::test]
async fn help_and_version_are_printed_on_stdout() {
    let (status, stdout, stderr) = Launch::bare().flag("--help").output().await;
    assert_eq!((status, stderr.as_str()), (0, ""));
    let first = stdout.lines().next().unwrap();
    assert!(first.len() < 80 && !first.ends_with('.'), "{first}");
    for setting in polytomic_mcp::config::SETTINGS {
        if let Some(flag) = setting.flag() {
            let is_listed =
                stdout.contains(&format!("--{flag} ")) || stdout.contains(&format!("--{flag}\n"));
            assert_eq!(is_listed, !setting.for_ports, "{flag}\n{stdout}");
        }
    }
    insta::assert_snapshot!("help", stdout);
    let (status, stdout, _) = Launch::bare().flag("--version").output().await;
    assert_eq!((status, stdout.trim()), (0, concat!("polytomic-mcp ", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn the_file_of_the_sandbox_may_be_in_the_home_folder() {
    let launch = Launch::sandbox();
    let words = ["--sandbox-data", "~/models.db", "call", "list_models"];
    let (status, _, stderr) =
        words.iter().fold(launch.clone(), |launch, word| launch.flag(word)).output().await;
    assert_eq!(status, 0, "{stderr}");
    assert!(launch.home().join("models.db").exists(), "{stderr}");
}
