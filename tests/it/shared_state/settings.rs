//! The setting: what it takes, and that no output has the password.

use crate::support::{Launch, REDIS_PASSWORD, Redis, Session};

const URL: &str = "redis://user:redis-key-4711@redis.example.com:6380/2";

async fn output(launch: Launch) -> (i32, String) {
    // It fails if the output has a key, which the password is.
    let (status, stdout, stderr) = launch.output().await;
    (status, stdout + &stderr)
}

#[tokio::test]
async fn the_password_is_in_no_output() {
    let launch = || Launch::against("http://127.0.0.1:9").variable("POLYTOMIC_STATE", URL);
    let shown = "redis://********@redis.example.com:6380/2";
    for flags in [&["config"][..], &["config", "--json"]] {
        let (status, output) = output(launch().flags(flags)).await;
        assert_eq!(status, 0, "{output}");
        assert!(output.contains(shown), "{output}");
    }
    for flags in [
        &["doctor"][..],
        &["--help"],
        &["tools"],
        &["setup", "cursor", "--print"],
        &["setup", "cursor", "--dry-run"],
        &["login", "--help"],
    ] {
        output(launch().flags(flags)).await;
    }
    for log in ["trace", "debug"] {
        let launch = launch().flags(["call", "list_connections"]).variable("POLYTOMIC_LOG", log);
        output(launch.variable("RUST_LOG", "trace")).await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_reported_without_it() {
    let Some(redis) = Redis::start() else { return };
    for (password, log) in [("wrong-key-4711", "warn"), (REDIS_PASSWORD, "trace")] {
        let api = super::stub().await;
        let url = format!("redis://:{password}@{}", redis.address());
        let launch = Launch::against(&api.url())
            .variable("POLYTOMIC_STATE", &url)
            .variable("POLYTOMIC_LOG", log)
            .variable("RUST_LOG", "trace");
        let mut session = Session::open(&super::required(launch)).await;
        if password == REDIS_PASSWORD {
            session.call("create_model", crate::support::definition()).await;
            continue;
        }
        let error = session.call_err("create_model", crate::support::definition()).await;
        super::unreachable(&error, &redis.address());
        assert!(error["details"]["cause"].as_str().unwrap().contains("password"), "{error}");
        let stderr = session.close().await.stderr;
        assert!(stderr.contains("password is wrong or missing"), "{stderr}");
    }
}

#[tokio::test]
async fn an_invalid_url_is_an_error_that_does_not_quote_it() {
    for (value, reason) in [
        ("redis://", "got a URL without a host."),
        ("http://:redis-key-4711@host", "got a URL of another kind."),
        (
            "redis://:redis-key-4711@host/x",
            "got a URL with a path that is no number of a database.",
        ),
        ("rediss://:redis-key-4711@host/#insecure", "got a URL with a query or a fragment."),
    ] {
        let launch = Launch::against("http://127.0.0.1:9").variable("POLYTOMIC_STATE", value);
        let mut session = Session::open(&launch).await;
        let error = session.call_err("list_connections", serde_json::json!({})).await;
        assert_eq!(error["code"], "not_configured", "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("POLYTOMIC_STATE: expected an absolute path"), "{message}");
        assert!(message.ends_with(reason), "{message}");
        let (_, output) = output(launch.flag("config")).await;
        assert!(output.contains("://********"), "{output}");
    }
}

#[tokio::test]
async fn a_password_is_not_taken_from_the_command_line() {
    // A process without it in its list of arguments is all that `setup` can write then.
    for command in [&["config"][..], &["setup", "cursor", "--print"]] {
        let launch = Launch::against("http://127.0.0.1:9").flags(["--state", URL]).flags(command);
        let (status, output) = output(launch).await;
        assert_ne!(status, 0, "{output}");
        assert!(output.contains("Set POLYTOMIC_STATE"), "{output}");
    }
    let launch = Launch::unconfigured().flags([
        "--state",
        "redis://redis.example.com",
        "setup",
        "cursor",
        "--print",
    ]);
    let (status, output) = output(launch).await;
    assert_eq!(status, 0, "{output}");
    assert!(output.contains("\"redis://redis.example.com\""), "{output}");
}

#[tokio::test]
async fn a_state_that_is_required_and_off_stops_the_start() {
    let launch = super::required(Launch::against("http://127.0.0.1:9"));
    let (status, output) = output(launch.variable("POLYTOMIC_STATE", "off")).await;
    assert_ne!(status, 0, "{output}");
    assert!(output.contains("POLYTOMIC_STATE_REQUIRED requires a state"), "{output}");
}
