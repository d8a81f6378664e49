//! What the program understands, and what runs for it.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};

use super::{CliError, call, completions, rpc, schemas, serve, tools};
use crate::config;
use crate::tools::TOOLS;

const ABOUT: &str = "Typed tools over the Polytomic API for AI assistants, editors and scripts";
const AFTER: &str = "\
Without a command it is an MCP server on stdin and stdout, to be started by an assistant or editor.

Examples:
  polytomic-mcp demo                        see it work, without an account
  polytomic-mcp --sandbox                   MCP server over the embedded sandbox
  POLYTOMIC_API_KEY=… polytomic-mcp         MCP server over your Polytomic organization
  polytomic-mcp call list_models            one call from a shell

Exit status: 0 done, 1 the operation failed, 2 wrong usage; `call --help` has more.";

/// Runs the program with the process's arguments.
pub fn run() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version go to stdout with 0, wrong usage to stderr with 2.
            let _ = error.print();
            if let Some(hint) = hint(&error) {
                let _ = writeln!(std::io::stderr(), "\nhint: {hint}");
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match dispatch(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let mut stderr = std::io::stderr();
            if !failure.message.is_empty() {
                let _ = writeln!(stderr, "error: {}", failure.message);
            }
            if let Some(hint) = &failure.hint {
                let _ = writeln!(stderr, "hint: {hint}");
            }
            ExitCode::from(failure.status)
        }
    }
}

/// What is meant by two slips that are easily made: a tool in place of a command, and a tool's argument as a
/// flag.
fn hint(error: &clap::Error) -> Option<String> {
    let word = |kind| match error.get(kind)? {
        ContextValue::String(word) => Some(word.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = word(ContextKind::InvalidSubcommand)?;
            let is_tool = TOOLS.entries().any(|tool| tool.name == word);
            is_tool.then(|| format!("polytomic-mcp call {word}"))
        }
        ErrorKind::UnknownArgument => {
            let name = word(ContextKind::InvalidArg)?.trim_start_matches('-');
            let is_call = std::env::args().any(|argument| argument == "call");
            is_call.then(|| format!("an argument of the tool is given as {name}=VALUE"))
        }
        _ => None,
    }
}

fn command() -> Command {
    let command = Command::new("polytomic-mcp")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(format!(
            "{AFTER}\n\nIn the environment only:\n{}",
            config::secrets_help().trim_end()
        ))
        .args(config::arguments())
        .subcommand(call::command().args(config::arguments()))
        .subcommand(tools::command())
        .subcommand(rpc::command().args(config::arguments()))
        .subcommand(schemas::command())
        .subcommand(completions::command());
    #[cfg(feature = "sandbox")]
    let command = command.subcommand(super::demo::command()).subcommand(super::sandbox::command());
    command
}

fn dispatch(matches: &ArgMatches) -> Result<(), CliError> {
    let configured = |flags: &[&ArgMatches]| {
        let hint = "polytomic-mcp --help shows the settings";
        config::read(flags).map_err(|message| CliError::usage(message).with_hint(hint))
    };
    if let Some((name @ ("demo" | "tools" | "schemas" | "completions"), _)) = matches.subcommand()
        && let Some(flag) = config::first_flag(matches)
    {
        return Err(CliError::usage(format!("--{flag} has no effect on {name}.")));
    }
    match matches.subcommand() {
        #[cfg(feature = "sandbox")]
        Some(("demo", matches)) => super::demo::run(matches),
        #[cfg(feature = "sandbox")]
        Some(("sandbox", own)) => super::sandbox::run(own, configured(&[matches])?),
        Some(("tools", matches)) => tools::run(matches),
        Some(("schemas", matches)) => schemas::run(matches),
        Some(("completions", matches)) => completions::run(matches, command()),
        Some(("call", own)) => call::run(own, configured(&[own, matches])?),
        Some(("rpc", own)) => rpc::run(own, configured(&[own, matches])?),
        _ => serve::run(configured(&[matches])?),
    }
}

/// Reads an address to listen on.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an address and a port, e.g. 127.0.0.1:8080".to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        super::command().debug_assert();
    }
}
