//! A client that does not read stderr: nothing that is written there stops the conversation or delays the exit.

use std::io::PipeReader;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use serde_json::{Value, json};

use crate::support::{
    CONNECTION, Launch, Sandbox, Server, Session, Stub, Terminal, UNKNOWN_ID, open_terminal,
    wait_until,
};

/// Many times what a pipe holds, even at a hundred bytes each.
const MESSAGES: usize = 5_000;

const MAX_WAIT: Duration = Duration::from_secs(20);

/// A pipe that is full; its reader reads nothing.
fn full_pipe() -> (Stdio, PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    fill(&writer);
    (writer.into(), reader)
}

/// Writes until nothing more fits. A terminal takes a little more after a while.
fn fill(output: impl AsFd) {
    let flags = fcntl_getfl(&output).unwrap();
    fcntl_setfl(&output, flags | OFlags::NONBLOCK).unwrap();
    let mut written = 0;
    loop {
        let before = written;
        while let Ok(bytes) = rustix::io::write(&output, b"x") {
            written += bytes;
        }
        if written == before {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(written > 1_000, "{written}");
    fcntl_setfl(&output, flags).unwrap();
}

/// Sends calls that fail at once, and checks that each gets its response.
async fn make_calls(session: &mut Session) {
    const AT_ONCE: usize = 250;
    for first in (0..MESSAGES).step_by(AT_ONCE) {
        for id in first..first + AT_ONCE {
            let params = json!({"name": "get_model", "arguments": {}});
            let call =
                json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
            session.send(call).await;
        }
        for _ in 0..AT_ONCE {
            assert_eq!(session.next().await["result"]["isError"], true);
        }
    }
}

#[tokio::test]
async fn unknown_notifications_do_not_stop_calls_and_are_counted() {
    let mut session = Session::start_without_reading_stderr(&Launch::bare());
    session.initialize("2025-11-25").await;
    for _ in 0..MESSAGES {
        session.send(json!({"jsonrpc": "2.0", "method": "notifications/unknown"})).await;
    }
    make_calls(&mut session).await;
    // Their warning is logged once and counted, so that it fits.
    let exit = session.close().await;
    assert_eq!((exit.status, exit.rest), (Some(0), Vec::new()));
    let about: Vec<_> =
        exit.stderr.lines().filter(|line| line.contains("message dropped")).collect();
    assert_eq!(about.len(), 2, "{about:?}");
    assert!(about[0].contains("a notification that this server does not handle"), "{about:?}");
    assert!(about[1].ends_with(&format!(" repeats not logged: {}", MESSAGES - 1)), "{about:?}");
}

#[tokio::test]
async fn calls_at_trace_get_a_response_and_dropped_lines_are_counted() {
    let launch = Launch::bare().flag("--log").flag("trace");
    let mut session = Session::start_without_reading_stderr(&launch);
    session.initialize("2025-11-25").await;
    make_calls(&mut session).await;
    make_calls(&mut session).await;
    // A client that begins to read learns how many lines are missing, and gets the following ones.
    session.read_stderr();
    wait_until("a count of dropped lines", async || {
        session.stderr().contains(" log lines were dropped")
    })
    .await;
    let lines = session.stderr().lines().filter(|line| line.contains("call failed")).count();
    let count = session.stderr();
    let count = count.lines().find(|line| line.contains(" log lines were dropped")).unwrap();
    let dropped: usize = count.split(' ').find_map(|word| word.parse().ok()).unwrap();
    assert_eq!(lines + dropped, 2 * MESSAGES, "{count}");
    session.call_err("get_model", json!({})).await;
    let exit = session.close().await;
    assert_eq!(exit.status, Some(0));
    assert!(exit.stderr.trim_end().lines().last().unwrap().contains("call failed"));
}

#[tokio::test]
async fn servers_start_serve_and_end_with_a_full_stderr() {
    for subcommand in [None, Some("rpc")] {
        let (stderr, _reader) = full_pipe();
        let launch = Launch::sandbox().flag("--log").flag("trace");
        let launch = subcommand.map_or(launch.clone(), |name| launch.flag(name));
        let mut session = Session::start_with_stderr(&launch, stderr);
        let method = match subcommand {
            None => {
                session.initialize("2025-11-25").await;
                "tools/list"
            }
            Some(_) => "list_connections",
        };
        for _ in 0..50 {
            let response = session.request(method, json!({})).await;
            assert!(response["result"].is_object(), "{response}");
        }
        assert_eq!(session.close().await.status, Some(0), "{subcommand:?}");
    }
}

#[tokio::test]
async fn servers_over_http_end_on_a_signal_with_a_full_stderr() {
    let (stderr, _reader) = full_pipe();
    let launch = Launch::sandbox().flag("--log").flag("trace");
    let server = Server::start_with_stderr(launch, stderr).await;
    for _ in 0..50 {
        let call = server.call("list_connections", json!({}));
        let response = tokio::time::timeout(MAX_WAIT, call).await.expect("a response");
        assert_eq!(response["result"]["connections"][0]["id"], CONNECTION);
    }
    assert_eq!(server.terminate().await.code(), Some(0));

    let (stderr, _reader) = full_pipe();
    let sandbox = Sandbox::start_at_trace(stderr);
    for _ in 0..50 {
        let response = tokio::time::timeout(MAX_WAIT, sandbox.get("/api/connections")).await;
        assert_eq!(response.expect("a response").data()[0]["id"], CONNECTION);
    }
    assert_eq!(sandbox.terminate().code(), Some(0));
}

#[tokio::test]
async fn commands_end_with_their_status_with_a_full_stderr() {
    let stub = Stub::start().await;
    let model = json!({"data": {"id": UNKNOWN_ID, "name": "Users"}});
    stub.json("GET", &format!("/api/models/{UNKNOWN_ID}"), 200, model).await;
    let id = format!("model_id={UNKNOWN_ID}");
    let against = || Launch::against(&stub.url()).flag("--log").flag("trace").flag("call");
    for (label, launch, status) in [
        ("a call", against().flag("get_model").flag(&id), 0),
        ("a call over the sandbox", Launch::sandbox().flag("call").flag("list_models"), 0),
        ("a failed call", against().flag("get_identity"), 1),
        ("invalid arguments", against().flag("get_model").flag("id=1"), 2),
        ("wrong usage", Launch::bare().flag("--unknown"), 2),
        (
            "an unusable sandbox",
            Launch::sandbox()
                .flag("--sandbox-data")
                .flag("/dev/null/x")
                .flag("call")
                .flag("list_models"),
            3,
        ),
        ("help", Launch::bare().flag("--help"), 0),
    ] {
        let (stderr, _reader) = full_pipe();
        let mut command = launch.command();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn();
        let output = tokio::time::timeout(MAX_WAIT, child.unwrap().wait_with_output());
        let output = output.await.unwrap_or_else(|_| panic!("{label}: it does not end")).unwrap();
        assert_eq!(output.status.code(), Some(status), "{label}");
    }
}

#[tokio::test]
async fn everything_logged_before_the_exit_arrives_at_a_slow_reader() {
    let launch = Launch::bare().flag("--log").flag("trace");
    let mut session = Session::start_without_reading_stderr(&launch);
    session.initialize("2025-11-25").await;
    // More than a pipe holds, less than the queue.
    for _ in 0..2_000 {
        session.call_err("get_model", json!({})).await;
    }
    session.read_stderr();
    wait_until("more than the pipe held", async || session.stderr().len() > 128 << 10).await;
    let exit = session.close().await;
    let lines = exit.stderr.lines().filter(|line| line.contains("call failed")).count();
    assert_eq!((exit.status, lines), (Some(0), 2_000));
}

/// A call on a terminal; the response takes long enough for a spinner.
async fn call_on(terminal: OwnedFd) -> std::process::Output {
    let stub = Stub::slow(Duration::from_millis(500)).await;
    let launch = Launch::against(&stub.url()).flag("call").flag("get_model");
    let launch = launch.flag(&format!("model_id={UNKNOWN_ID}"));
    let mut command = launch.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(terminal);
    let child = command.spawn().unwrap();
    drop(command); // and with it our copy of the terminal
    let output = tokio::time::timeout(MAX_WAIT, child.wait_with_output());
    output.await.expect("it ends").unwrap()
}

#[tokio::test]
async fn a_call_on_a_terminal_shows_a_spinner_and_removes_it() {
    let (screen, terminal) = Terminal::open();
    let output = call_on(terminal).await;
    assert_eq!(output.status.code(), Some(0));
    let seen = screen.finish();
    assert!(seen.contains("get_model: the call is running (0 s)"), "{seen:?}");
    let last = seen.trim_end_matches('\r').rsplit('\r').next().unwrap();
    assert!(!last.is_empty() && last.trim().is_empty(), "{seen:?}");
}

#[tokio::test]
async fn a_call_on_a_terminal_that_is_stopped_returns_its_result() {
    let (_master, terminal) = open_terminal();
    fill(&terminal);
    let output = call_on(terminal).await;
    assert_eq!(output.status.code(), Some(0));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["model"]["id"], UNKNOWN_ID);
}
