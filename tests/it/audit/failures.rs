//! A log that cannot be written: no start, and no write.

use std::fs;

use serde_json::json;

use super::Log;
use crate::support::{Launch, Session, Stub, UNKNOWN_ID, definition, make_pipe};

#[tokio::test]
async fn a_file_that_cannot_be_opened_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing/log");
    let (missing, folder) = (missing.to_str().unwrap(), directory.path().to_str().unwrap());
    let pipe = make_pipe(directory.path());
    for (path, reason) in [
        (missing, "No such file"),
        (folder, "Is a directory"),
        (pipe.to_str().unwrap(), "not a regular file"),
        ("/dev/null", "not a regular file"),
    ] {
        let by_flag = Launch::sandbox().flag("--audit-log").flag(path);
        let by_variable = Launch::sandbox().variable("POLYTOMIC_AUDIT_LOG", path);
        for launch in [by_flag, by_variable] {
            let call = launch.clone().flag("call").flag("list_models");
            for launch in [launch.clone(), launch.flag("rpc"), call] {
                let (status, stdout, stderr) = launch.output().await;
                assert_eq!((status, stdout.as_str()), (1, ""), "{stderr}");
                assert!(stderr.contains(reason) && stderr.contains(path), "{stderr}");
                assert!(stderr.contains("POLYTOMIC_AUDIT_LOG"), "{stderr}");
            }
        }
    }
}

#[tokio::test]
async fn a_write_that_cannot_have_its_line_is_not_sent() {
    let stub = Stub::slow(std::time::Duration::ZERO).await;
    let log = Log::new();
    let mut session = Session::open(&log.of(Launch::against(&stub.url()))).await;
    fs::remove_file(&log.path).unwrap();
    // What stands in its place while the server runs: nothing that keeps a line.
    let pipe = make_pipe(log.path.parent().unwrap());
    for target in [pipe.as_path(), "/dev/full".as_ref(), "/dev/null".as_ref(), "/".as_ref()] {
        std::os::unix::fs::symlink(target, &log.path).unwrap();
        let error = session.call_err("create_model", definition()).await;
        let outcome = (&error["code"], &error["outcome"]);
        assert_eq!(outcome, (&json!("not_configured"), &json!("not_sent")), "{target:?}");
        assert!(error["message"].as_str().unwrap().contains(log.path()), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("POLYTOMIC_AUDIT_LOG"), "{error}");
        fs::remove_file(&log.path).unwrap();
    }
    std::os::unix::fs::symlink("/dev/full", &log.path).unwrap();
    // Reads and dry runs have no line, and refusals need none.
    session.call("get_model", json!({"model_id": UNKNOWN_ID})).await;
    session
        .call("update_model", json!({"model_id": UNKNOWN_ID, "name": "A", "dry_run": true}))
        .await;
    let error = session
        .call_err("update_model", json!({"model_id": UNKNOWN_ID, "expected_version": 9}))
        .await;
    assert_eq!(error["code"], "conflict");
    let lines = stub.lines().await;
    assert!(lines.iter().all(|line| line.starts_with("GET ")), "{lines:?}");
}

#[tokio::test]
async fn a_write_after_the_failure_uses_the_same_key_as_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("log");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("writes.jsonl");
    let api = crate::support::FaultyServer::start(vec![crate::support::Fault::Hang]).await;
    let launch = Launch::against(&api.url).variable("POLYTOMIC_AUDIT_LOG", path.to_str().unwrap());
    let mut session = Session::open(&launch).await;
    let id = session.start_call("create_model", definition()).await;
    api.wait_for_requests(1).await;
    session.cancel(id).await;
    api.wait_for_disconnects(1).await;
    fs::rename(&folder, directory.path().join("moved")).unwrap();
    let error = session.call_err("create_model", definition()).await;
    assert_eq!(error["outcome"], "not_sent");
    assert_eq!(api.received().len(), 1);
    fs::create_dir(&folder).unwrap();
    session.start_call("create_model", definition()).await;
    api.wait_for_requests(2).await;
    assert_eq!(api.received()[0].key, api.received()[1].key, "the first outcome is still unknown");
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_created_again() {
    let log = Log::new();
    let mut session = Session::open(&log.of(Launch::sandbox())).await;
    session.create_model("Users", "public.users").await;
    let rotated = log.path.with_extension("1");
    fs::rename(&log.path, &rotated).unwrap();
    session.create_model("People", "public.users").await;
    assert_eq!((super::lines(&rotated).len(), log.lines().len()), (2, 2));
}

#[tokio::test]
async fn a_torn_line_does_not_swallow_the_next_one() {
    let log = Log::new();
    fs::write(&log.path, "{\"time\":\"2026").unwrap();
    let mut session = Session::open(&log.of(Launch::sandbox())).await;
    session.create_model("Users", "public.users").await;
    let text = fs::read_to_string(&log.path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "{\"time\":\"2026"));
    let (_, stdout, stderr) = Launch::bare().flag("audit").flag(log.path()).output().await;
    assert_eq!(stdout.lines().count(), 2, "{stdout}");
    assert!(stderr.contains("1 line is incomplete"), "{stderr}");
}

#[tokio::test]
async fn a_relative_path_and_the_home_are_resolved() {
    let home = tempfile::tempdir().unwrap();
    let launch = |path: &str| {
        let launch = Launch::sandbox().flag("--audit-log").flag(path);
        launch.variable("HOME", home.path().to_str().unwrap()).flag("call").flag("list_models")
    };
    for (path, expected) in [("a.jsonl", "a.jsonl"), ("~/b.jsonl", "b.jsonl")] {
        let (status, _, stderr) = launch(path).output_in(home.path()).await;
        assert_eq!(status, 0, "{stderr}");
        assert!(home.path().join(expected).is_file(), "{path}");
    }
}

#[tokio::test]
async fn a_log_that_others_can_change_is_reported() {
    let log = Log::new();
    for (mode, is_reported) in [(0o600, false), (0o644, false), (0o620, true), (0o602, true)] {
        fs::write(&log.path, "").unwrap();
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(&log.path, permissions).unwrap();
        let session = Session::open(&log.of(Launch::sandbox())).await;
        let stderr = session.close().await.stderr;
        let is_named = stderr.contains("other users can change the audit log");
        assert_eq!(is_named && stderr.contains("chmod"), is_reported, "{mode:o}: {stderr}");
    }
}
