//! Settings: what the server does with them, with none, and with wrong ones.

use serde_json::json;

use crate::support::{Launch, NOBODY, Session, Stub};

const KEY: &str = "test-key-4711";

#[tokio::test]
async fn without_a_key_the_tools_are_listed_and_a_call_says_what_to_set() {
    let mut session = Session::open(&Launch::bare()).await;
    let tools = session.request("tools/list", json!({})).await;
    assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), 9);
    let error = session.call_err("list_connections", json!({})).await;
    assert_eq!((&error["code"], &error["outcome"]), (&json!("not_configured"), &json!("not_sent")));
    let hint = error["hint"].as_str().unwrap();
    for word in ["POLYTOMIC_API_KEY", "POLYTOMIC_ORGANIZATION_ID", "--sandbox"] {
        assert!(hint.contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_variable_is_the_error_of_the_call() {
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
async fn a_wrong_flag_stops_the_start() {
    for (flags, part) in [
        (&["--timeout-seconds", "soon"][..], "--timeout-seconds: expected a whole number"),
        (&["--timeout-second", "5"], "--timeout-seconds"),
        (&["--api-key", "x"], "unexpected argument"),
        (&["--sandbox-data", "x"], "--sandbox-data goes with --sandbox"),
        (&["demmo"], "demo"),
    ] {
        let launch = flags.iter().fold(Launch::bare(), |launch, flag| launch.flag(flag));
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
async fn a_flag_beats_its_variable() {
    let stub = Stub::start().await;
    stub.json("GET", "/api/connections", 200, json!({"data": []})).await;
    let launch = Launch::against("http://127.0.0.1:9").flag("--base-url").flag(&stub.url());
    let mut session = Session::open(&launch).await;
    session.call("list_connections", json!({})).await;
}

#[tokio::test]
async fn a_proxy_is_not_asked_for_this_machine() {
    let stub = Stub::start().await;
    stub.json("GET", "/api/connections", 200, json!({"data": []})).await;
    let launch = Launch::against(&stub.url())
        .variable("HTTP_PROXY", "http://127.0.0.1:9")
        .variable("http_proxy", "http://127.0.0.1:9");
    let mut session = Session::open(&launch).await;
    session.call("list_connections", json!({})).await;
}

#[tokio::test]
async fn the_sandbox_beats_the_key_and_says_so() {
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
async fn a_file_that_is_no_sandbox_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("letter.txt");
    std::fs::write(&file, "Dear reader").unwrap();
    let launch = Launch::sandbox().flag("--sandbox-data").flag(file.to_str().unwrap());
    let (status, stdout, stderr) = launch.output().await;
    assert_eq!((status, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("error: ") && stderr.contains("letter.txt"), "{stderr}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "Dear reader");
}

#[tokio::test]
async fn no_key_is_told_to_anyone_at_any_level_of_the_log() {
    let stub = Stub::start().await;
    let at = format!("/api/models/{NOBODY}");
    // Some servers echo what they were sent.
    let echo = json!({"message": format!("bad key {KEY}"), "metadata": {"authorization": KEY}});
    stub.json("GET", &at, 401, echo).await;
    stub.json("GET", "/api/connections", 200, json!({"data": []})).await;
    for level in ["off", "error", "warn", "info", "debug", "trace"] {
        let launch = Launch::against(&stub.url())
            .variable("POLYTOMIC_LOG", level)
            .variable("RUST_LOG", "trace");
        let mut session = Session::open(&launch).await;
        session.call("list_connections", json!({})).await;
        let error = session.call_err("get_model", json!({"model_id": NOBODY})).await;
        assert!(error["details"]["message"].as_str().unwrap().contains("[redacted]"), "{error}");
        session.send_raw(b"{broken\n").await;
        session.next().await;
        let story = session.story();
        // Every byte of stdout parsed so far; so does the rest.
        let ended = session.close().await;
        assert!(!story.contains(KEY) && !ended.stderr.contains(KEY), "{level}: {story}");
        assert!(ended.rest.is_empty(), "{level}: {:?}", ended.rest);
        if level == "off" {
            assert_eq!(ended.stderr, "");
        }
    }
}

#[tokio::test]
async fn a_misspelt_variable_is_warned_of() {
    let launch = Launch::against("http://127.0.0.1:9").variable("POLYTOMIC_BASE_URI", "x");
    let ended = Session::open(&launch).await.close().await;
    assert!(ended.stderr.contains("did you mean POLYTOMIC_BASE_URL?"), "{}", ended.stderr);
}

#[tokio::test]
async fn help_and_version_are_answered_on_stdout() {
    let (status, stdout, stderr) = Launch::bare().flag("--help").output().await;
    assert_eq!((status, stderr.as_str()), (0, ""));
    let first = stdout.lines().next().unwrap();
    assert!(first.len() < 80 && !first.ends_with('.'), "{first}");
    for setting in polytomic_mcp::config::SETTINGS {
        if let Some(flag) = setting.flag() {
            assert!(stdout.contains(&format!("--{flag}")), "{flag}\n{stdout}");
        }
    }
    insta::assert_snapshot!("help", stdout);
    let (status, stdout, _) = Launch::bare().flag("--version").output().await;
    assert_eq!((status, stdout.trim()), (0, concat!("polytomic-mcp ", env!("CARGO_PKG_VERSION"))));
}
