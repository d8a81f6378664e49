//! Where the API key comes from: a variable, a file or a command.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Launch, Session, Stub, make_pipe, wait_until};

pub(super) async fn stub() -> Stub {
    let stub = Stub::start().await;
    stub.json("GET", "/api/connections", 200, json!({"data": []})).await;
    stub
}

pub(super) fn at(stub: &Stub) -> Launch {
    Launch::bare().variable("POLYTOMIC_BASE_URL", &stub.url())
}

pub(super) fn write_key(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_key_is_read_from_a_file_or_a_command_at_the_first_call() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("the key");
    write_key(&path, "\u{feff} file-key-4711\r\n", 0o600);
    let path = path.to_str().unwrap();
    for (name, value, key) in [
        ("POLYTOMIC_API_KEY_FILE", path.to_owned(), "file-key-4711"),
        ("POLYTOMIC_API_KEY_COMMAND", format!("cat '{path}'"), "file-key-4711"),
        ("POLYTOMIC_API_KEY_COMMAND", "printf %s \"command key\"".to_owned(), "command key"),
        ("POLYTOMIC_API_KEY_COMMAND", "echo $HOME;true".to_owned(), "$HOME;true"),
    ] {
        let stub = stub().await;
        let mut session = Session::open(&at(&stub).variable(name, &value)).await;
        session.call("list_connections", json!({})).await;
        let requests = stub.requests().await;
        assert_eq!(requests[0].headers["authorization"], format!("Bearer {key}"), "{value}");
        let stderr = session.close().await.stderr;
        assert!(!stderr.contains("key-4711") && !stderr.contains("other users"), "{stderr}");
    }
}

#[tokio::test]
async fn a_source_that_gives_no_key_is_the_error_of_the_call() {
    let directory = tempfile::tempdir().unwrap();
    let (empty, gone) = (directory.path().join("empty"), directory.path().join("gone"));
    write_key(&empty, " \n", 0o600);
    let (lines, pipe) = (directory.path().join("lines"), make_pipe(directory.path()));
    write_key(&lines, "one\ntwo\n", 0o600);
    for (name, value, part) in [
        ("POLYTOMIC_API_KEY_FILE", gone.to_str().unwrap(), "cannot be used"),
        ("POLYTOMIC_API_KEY_FILE", directory.path().to_str().unwrap(), "it is not a file"),
        ("POLYTOMIC_API_KEY_FILE", empty.to_str().unwrap(), "it is empty"),
        ("POLYTOMIC_API_KEY_FILE", lines.to_str().unwrap(), "it has several lines"),
        ("POLYTOMIC_API_KEY_FILE", pipe.to_str().unwrap(), "it is not a file"),
        ("POLYTOMIC_API_KEY_FILE", "/dev/zero", "it is not a file"),
        ("POLYTOMIC_CA_FILE", pipe.to_str().unwrap(), "it is not a file"),
        ("POLYTOMIC_CA_FILE", "/dev/zero", "it is not a file"),
        ("POLYTOMIC_CONFIG", pipe.to_str().unwrap(), "it is not a file"),
        ("POLYTOMIC_API_KEY_FILE", "key.txt", "expected an absolute path, got \"key.txt\""),
        ("POLYTOMIC_API_KEY_COMMAND", "false", "ended with exit status: 1"),
        ("POLYTOMIC_API_KEY_COMMAND", "true", "printed nothing"),
        ("POLYTOMIC_API_KEY_COMMAND", "printf 'a\\nb'", "printed several lines"),
        ("POLYTOMIC_API_KEY_COMMAND", "no-such-program-4711 x", "cannot be started"),
        ("POLYTOMIC_API_KEY_COMMAND", "echo 'a", "expected a command line"),
    ] {
        let stub = stub().await;
        let launch = match name {
            "POLYTOMIC_CA_FILE" => at(&stub).variable("POLYTOMIC_API_KEY", "k"),
            _ => at(&stub),
        };
        let mut session = Session::open(&launch.variable(name, value)).await;
        let error = session.call_err("list_connections", json!({})).await;
        assert_eq!(error["code"], "not_configured", "{value}: {error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{value}: {error}");
        assert_eq!(stub.requests().await.len(), 0);
    }
}

#[tokio::test]
async fn what_the_command_prints_on_stderr_is_shown_nowhere() {
    let stub = stub().await;
    let command = "sh -c 'echo vault-is-locked >&2; exit 3'";
    let mut session =
        Session::open(&at(&stub).variable("POLYTOMIC_API_KEY_COMMAND", command)).await;
    let error = session.call_err("list_connections", json!({})).await;
    assert!(error["hint"].as_str().unwrap().contains("in a terminal"), "{error}");
    let exit = session.close().await;
    assert!(!format!("{error} {}", exit.stderr).contains("vault-is-locked"), "{}", exit.stderr);
}

#[tokio::test]
async fn a_command_may_leave_something_running() {
    let directory = tempfile::tempdir().unwrap();
    let marker = directory.path().join("pid");
    let stub = stub().await;
    // The child keeps stdout open.
    let command = format!("sh -c 'echo key-4711; sleep 300 & echo $! > {}'", marker.display());
    let launch = at(&stub).variable("POLYTOMIC_API_KEY_COMMAND", &command);
    let mut session = Session::open(&launch).await;
    session.call("list_connections", json!({})).await;
    let id = fs::read_to_string(&marker).unwrap();
    let killed = std::process::Command::new("kill").arg(id.trim()).status().unwrap();
    assert!(killed.success(), "it was still running");
    let requests = stub.requests().await;
    assert_eq!(requests[0].headers["authorization"], "Bearer key-4711");
}

/// A call that waits for a key command without an end.
struct EndlessCommand {
    session: Session,
    call: i64,
    /// Process of the command.
    id: String,
}

impl EndlessCommand {
    /// Returns once the command runs.
    async fn start(stub: &Stub) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let marker = directory.path().join("pid");
        let command = format!("sh -c 'echo $$ > {}; sleep 300'", marker.display());
        let launch = at(stub).variable("POLYTOMIC_API_KEY_COMMAND", &command);
        let mut session = Session::open(&launch).await;
        let call = session.start_call("list_connections", json!({})).await;
        let read = || fs::read_to_string(&marker).unwrap_or_default();
        wait_until("the command", async || read().ends_with('\n')).await;
        Self { session, call, id: read().trim().to_owned() }
    }

    async fn wait_for_end(&self) {
        let process = format!("/proc/{}", self.id);
        wait_until("the end of the command", async || !Path::new(&process).exists()).await;
    }
}

#[tokio::test]
async fn a_signal_ends_the_command() {
    let stub = stub().await;
    let mut command = EndlessCommand::start(&stub).await;
    command.session.signal("-TERM");
    command.session.wait().await;
    command.wait_for_end().await;
}

#[tokio::test]
async fn a_call_can_be_cancelled_while_the_command_runs() {
    let stub = stub().await;
    let mut command = EndlessCommand::start(&stub).await;
    command.session.cancel(command.call).await;
    command.session.expect_silence().await;
    command.session.signal("-TERM");
    command.session.wait().await;
    command.wait_for_end().await;
}

#[tokio::test]
async fn a_command_that_does_not_end_is_ended_after_ten_seconds() {
    let stub = stub().await;
    let mut command = EndlessCommand::start(&stub).await;
    let started = Instant::now();
    let response = command.session.next().await;
    let error = command.session.expect_error(&response);
    assert!(started.elapsed() > Duration::from_secs(8), "{:?}", started.elapsed());
    assert_eq!((&error["code"], &error["outcome"]), (&json!("not_configured"), &json!("not_sent")));
    assert!(error["message"].as_str().unwrap().contains("did not end within 10 s"), "{error}");
    command.wait_for_end().await;
    assert_eq!(stub.requests().await.len(), 0);
}

#[tokio::test]
async fn a_key_file_that_others_can_read_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    write_key(&path, "file-key-4711", 0o644);
    let stub = stub().await;
    let launch = at(&stub).variable("POLYTOMIC_API_KEY_FILE", path.to_str().unwrap());
    let mut session = Session::open(&launch).await;
    session.call("list_connections", json!({})).await;
    let stderr = session.close().await.stderr;
    assert!(stderr.contains("other users can read the key file"), "{stderr}");
}

#[tokio::test]
async fn two_sources_of_the_same_precedence_are_an_error_that_names_both() {
    let stub = stub().await;
    let both = at(&stub)
        .variable("POLYTOMIC_API_KEY", "a")
        .variable("POLYTOMIC_API_KEY_COMMAND", "echo b");
    let mut session = Session::open(&both).await;
    let error = session.call_err("list_connections", json!({})).await;
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("POLYTOMIC_API_KEY and POLYTOMIC_API_KEY_COMMAND"), "{error}");
    // A variable has precedence over the file, so that is no contradiction.
    let launch = at(&stub).variable("POLYTOMIC_API_KEY", "from-variable");
    let launch = launch.with_settings("api_key_command = \"echo from-file\"");
    Session::open(&launch).await.call("list_connections", json!({})).await;
    let requests = stub.requests().await;
    assert_eq!(requests[0].headers["authorization"], "Bearer from-variable");
}
