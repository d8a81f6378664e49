//! Runs a program without a shell for what it prints, such as the API key.
//!
//! Its time is limited as a whole, and what it has started is ended with it. What it prints on stderr is dropped: it may
//! contain the key, and the user sees it by running the command in a terminal.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long output may follow the end of the command. What it leaves running may keep the pipe open.
const OUTPUT_GRACE: Duration = Duration::from_millis(200);
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Far more than a key or a version has.
const MAX_OUTPUT_BYTES: u64 = 64 << 10;

/// Held while a program runs: a password manager is not asked twice at once.
static TURN: Mutex<()> = Mutex::new(());
/// The process group of the program that is running.
static RUNNING: Mutex<Option<u32>> = Mutex::new(None);

/// Runs a program and returns what it printed.
///
/// # Errors
/// What went wrong, as the end of a sentence about the program.
pub(crate) fn run(
    program: &str,
    arguments: &[String],
    timeout: Duration,
) -> Result<String, String> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|error| format!("cannot be started: {error}"))?;
    set_running(Some(child.id()));
    let output = read(&mut child);
    let status = wait(&mut child, timeout);
    set_running(None);
    let Some(status) = status? else {
        return Err(format!("did not end within {} s", timeout.as_secs()));
    };
    if !status.success() {
        return Err(format!("ended with {status}"));
    }
    let mut text = Vec::new();
    let until = Instant::now() + OUTPUT_GRACE;
    // The sender is dropped at the end of the output.
    while let Ok(chunk) = output.recv_timeout(until.saturating_duration_since(Instant::now())) {
        text.extend_from_slice(&chunk);
    }
    String::from_utf8(text).map_err(|_| "printed no text".to_owned())
}

/// Ends the program that is running, for a process that is about to end.
pub(crate) fn stop() {
    let running = *RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(id) = running {
        kill_group(id);
    }
}

fn set_running(id: Option<u32>) {
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = id;
}

fn read(child: &mut Child) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    let stdout = child.stdout.take();
    std::thread::spawn(move || {
        let Some(stdout) = stdout else { return };
        let mut stdout = stdout.take(MAX_OUTPUT_BYTES);
        let mut chunk = vec![0; 4096];
        while let Ok(length @ 1..) = stdout.read(&mut chunk) {
            let read = chunk.get(..length).unwrap_or_default().to_vec();
            if sender.send(read).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Waits for the end; none if it did not come in time.
fn wait(child: &mut Child, timeout: Duration) -> Result<Option<ExitStatus>, String> {
    let deadline = Instant::now() + timeout;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(Some(status)),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL_INTERVAL),
            Ok(None) => {
                kill_group(child.id());
                let _ = child.kill();
                let _ = child.wait();
                return Ok(None);
            }
            Err(error) => return Err(format!("was lost: {error}")),
        }
    }
}

#[cfg(unix)]
fn kill_group(id: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill_group(_: u32) {}
