//! The entries of clients that start this program: whether they can, and whether they start this version.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::Check;
use crate::cli::setup::Scope;
use crate::cli::setup::found::{ConfiguredEntry, Program, configured_entries};

const NAME: &str = "clients";
/// A program that prints its version ends at once.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);

/// Checks the entries of all clients on this machine.
pub(super) fn check() -> Check {
    let (mut well, mut notes, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    let mut fixes = Vec::new();
    for entry in configured_entries() {
        let (title, file) = (entry.client.title, entry.file.display());
        match &entry.content {
            Err(problem) => notes.push(format!("not read: {problem}")),
            Ok(program) => match problem(program, entry.scope) {
                None => well.push(format!("{title} ({})", program.name)),
                Some(problem) => {
                    problems.push(format!("{title}: {problem} ({file})"));
                    fixes.push(fix(&entry));
                }
            },
        }
    }
    let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
    if !problems.is_empty() {
        return Check::failed(NAME, format!("{}{notes}", problems.join("; ")), fixes.join(" "));
    }
    match well.as_slice() {
        [] => Check::ok(NAME, format!("none has an entry; polytomic-mcp setup adds one{notes}")),
        well => Check::ok(NAME, format!("{}{notes}", well.join(", "))),
    }
}

/// What writes the path of this program into an entry, and keeps its arguments.
fn fix(entry: &ConfiguredEntry) -> String {
    match entry.setup_command() {
        Some(command) => format!("Run: {command}"),
        None => format!("Write the path of this program into {}.", entry.file.display()),
    }
}

/// What is wrong with the program of an entry.
fn problem(program: &Program, scope: Scope) -> Option<String> {
    let command = program.command.as_str();
    let path = Path::new(command);
    if !path.is_absolute() {
        return Some(format!("{command:?} is no absolute path, and the client may not find it"));
    }
    if !path.is_file() {
        return Some(format!("{command} does not exist"));
    }
    // The file of a project may be anybody's, and what it names is not started.
    if scope == Scope::Project || is_this_program(path) {
        return None;
    }
    let expected = concat!("polytomic-mcp ", env!("CARGO_PKG_VERSION"));
    match version(command) {
        None => Some(format!("{command} does not start")),
        Some(version) if version == expected => None,
        Some(version) => Some(format!("{command} is {version:?}, and this is {expected}")),
    }
}

fn is_this_program(path: &Path) -> bool {
    let this = std::env::current_exe().and_then(fs::canonicalize);
    this.is_ok_and(|this| fs::canonicalize(path).is_ok_and(|path| path == this))
}

/// The first line that the program prints about itself.
fn version(command: &str) -> Option<String> {
    let mut child = Command::new(command)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdout = child.stdout.take()?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stdout.take(200).read_to_end(&mut text);
        let _ = sender.send(text);
    });
    let text = receiver.recv_timeout(VERSION_TIMEOUT);
    let _ = child.kill();
    let _ = child.wait();
    let text = String::from_utf8(text.ok()?).ok()?;
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}
