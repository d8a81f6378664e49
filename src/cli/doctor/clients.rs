//! The entries of clients that start this program: whether they can, and whether they start this version.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::Check;
use crate::cli::setup::found::{ConfiguredEntry, Program, configured_entries};

const NAME: &str = "clients";
/// A program that prints its version ends at once.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);

/// Checks the entries of all clients on this machine.
pub(super) fn check() -> Check {
    let (mut well, mut notes, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for ConfiguredEntry { client, file, content } in configured_entries() {
        match content {
            Err(problem) => notes.push(format!("not read: {problem}")),
            Ok(program) => match problem(&program) {
                None => well.push(format!("{} ({})", client.title, program.name)),
                Some(problem) => {
                    problems.push((
                        client.id,
                        format!("{}: {problem} ({})", client.title, file.display()),
                    ));
                }
            },
        }
    }
    let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
    let Some((first, _)) = problems.first() else {
        return match well.as_slice() {
            [] => {
                Check::ok(NAME, format!("none has an entry; polytomic-mcp setup adds one{notes}"))
            }
            well => Check::ok(NAME, format!("{}{notes}", well.join(", "))),
        };
    };
    let fix = format!(
        "Run polytomic-mcp setup {first}, which writes the path of this program into the entry."
    );
    let problems: Vec<&str> = problems.iter().map(|(_, problem)| problem.as_str()).collect();
    Check::failed(NAME, format!("{}{notes}", problems.join("; ")), fix)
}

/// What is wrong with the program of an entry.
fn problem(program: &Program) -> Option<String> {
    let command = program.command.as_str();
    let path = Path::new(command);
    if !path.is_absolute() {
        return Some(format!("{command:?} is no absolute path, and the client may not find it"));
    }
    if !path.is_file() {
        return Some(format!("{command} does not exist"));
    }
    let expected = concat!("polytomic-mcp ", env!("CARGO_PKG_VERSION"));
    match version(command) {
        None => Some(format!("{command} does not start")),
        Some(version) if version == expected => None,
        Some(version) => Some(format!("{command} is {version:?}, and this is {expected}")),
    }
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
