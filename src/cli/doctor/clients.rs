//! The entries of clients that start this program: whether they can, and whether they start this version.

use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::Command;

use super::Check;
use crate::cli::setup::Scope;
use crate::cli::setup::found::{ConfiguredEntry, Program, configured_entries};
use crate::config;

const NAME: &str = "clients";
/// A program that prints its version ends at once.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);

/// Checks the entries of all clients on this machine. `command_line` is what their arguments have to fit.
pub(super) fn check(command_line: &Command) -> Check {
    let (mut well, mut problems, mut fixes) = (Vec::new(), Vec::new(), Vec::new());
    for entry in configured_entries() {
        let (title, file) = (entry.client.title, entry.file.display());
        match &entry.content {
            Err(problem) => {
                problems.push(format!("{title}: its file is not understood: {problem}"));
                fixes.push(format!("Correct {file}; the client may ignore all of it."));
            }
            Ok(program) => match problem(program, entry.scope) {
                None => match settings_problem(command_line, program) {
                    None => well.push(format!("{title} ({})", program.name)),
                    Some(problem) => {
                        problems.push(format!("{title}: {} in {file}: {problem}", program.name));
                        fixes.push(format!(
                            "Create the profile, or correct the arguments of {} in {file}.",
                            program.name
                        ));
                    }
                },
                Some(problem) => {
                    problems.push(format!("{title}: {problem} ({file})"));
                    fixes.push(fix(&entry));
                }
            },
        }
    }
    if !problems.is_empty() {
        return Check::failed(NAME, problems.join("; "), fixes.join(" "));
    }
    match well.as_slice() {
        [] => Check::ok(NAME, "none has an entry; polytomic-mcp setup adds one"),
        well => Check::ok(NAME, well.join(", ")),
    }
}

/// What is wrong with the settings file and the profile of an entry. Variables of this shell do not reach the server.
fn settings_problem(command_line: &Command, program: &Program) -> Option<String> {
    let words = ["polytomic-mcp"].into_iter().chain(program.arguments.iter().map(String::as_str));
    let matches = match command_line.clone().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            return Some(format!(
                "its arguments are invalid: {}",
                line.trim_start_matches("error: ")
            ));
        }
    };
    let subcommand = matches.subcommand().map(|(_, matches)| matches);
    let flags: Vec<_> = subcommand.into_iter().chain([&matches]).collect();
    config::problem_of_file(&flags, program.variables.clone())
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
    let text = config::run_program(command, &["--version".to_owned()], VERSION_TIMEOUT).ok()?;
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}
