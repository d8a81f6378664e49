//! Parses the command line and runs the subcommand.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};

use super::error::CliError;
use super::plain_text::plain_lines;
use super::{audit, call, completions, http, login, rpc, schemas, serve, setup, tools};
use crate::tools::TOOLS;
use crate::{config, log, stderr};

const ABOUT: &str = "Typed tools over the Polytomic API for AI assistants, editors and scripts";
const AFTER: &str = "\
Without a command, serve MCP on stdin and stdout, for an assistant or editor to start.

Examples:
  polytomic-mcp demo                    Run a complete session against the sandbox
  polytomic-mcp setup                   Add it to an assistant or editor
  polytomic-mcp --sandbox               Serve MCP over the sandbox
  POLYTOMIC_API_KEY=… polytomic-mcp     Serve MCP over your Polytomic organization
  polytomic-mcp call list_models        Call one tool

Exit status: 0 success, 1 failed operation, 2 wrong usage; see also `call --help`.";

/// Runs the command line of the process.
pub fn run() -> ExitCode {
    let status = run_command();
    log::finish();
    status
}

fn run_command() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(mut error) => {
            let hint = hint(&error);
            if hint.is_some() {
                // clap only knows what is spelled alike, e.g. --api-version for --api-key.
                error.remove(ContextKind::Suggested);
                if error.remove(ContextKind::SuggestedArg).is_some() {
                    error.remove(ContextKind::Usage);
                }
            }
            // Help and version go to stdout with status 0, wrong usage to stderr with status 2.
            if error.use_stderr() {
                stderr::print(&plain_lines(error.to_string().trim_end()));
            } else {
                let _ = error.print();
            }
            if let Some(hint) = hint {
                stderr::print(&plain_lines(&format!("\nhint: {hint}")));
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match dispatch(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.message.is_empty() {
                stderr::print(&plain_lines(&format!("error: {}", error.message)));
            }
            if let Some(hint) = &error.hint {
                stderr::print(&plain_lines(&format!("hint: {hint}")));
            }
            ExitCode::from(error.status)
        }
    }
}

/// A hint for common mistakes: a command that other MCP servers have, the name of a tool in place of a command, a secret
/// or an argument of a tool as a flag, a flag of another command.
fn hint(error: &clap::Error) -> Option<String> {
    let word = |kind| match error.get(kind)? {
        ContextValue::String(word) => Some(word.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = word(ContextKind::InvalidSubcommand)?;
            if ["mcp", "run", "serve", "server", "start", "stdio"].contains(&word) {
                return Some(
                    "polytomic-mcp without a command serves MCP on stdin and stdout".to_owned(),
                );
            }
            let is_tool = TOOLS.entries().any(|tool| tool.name == word);
            is_tool.then(|| format!("polytomic-mcp call {word}"))
        }
        ErrorKind::UnknownArgument => {
            let name = word(ContextKind::InvalidArg)?.trim_start_matches('-');
            let has_command = |command: &str| std::env::args().any(|argument| argument == command);
            let on_port = ["http", "rpc", "sandbox"].into_iter().find(|name| has_command(name));
            let secret = match (name, on_port) {
                ("token", Some("http" | "rpc")) => "http-token",
                _ => name,
            };
            if let Some(variable) = config::secret_variable(secret) {
                return Some(format!(
                    "set {variable}; there is no flag, since others can read command lines"
                ));
            }
            if has_command("call") {
                return Some(format!("pass an argument of the tool as {name}=VALUE"));
            }
            if ["listen", "port"].contains(&name) {
                let command = on_port.unwrap_or("http");
                return Some(format!(
                    "polytomic-mcp {command} --listen 127.0.0.1:8080 serves on a port"
                ));
            }
            let is_data = name == "sandbox-data" && has_command("sandbox");
            is_data.then(|| "the file of the command sandbox is --data FILE".to_owned())
        }
        _ => None,
    }
}

/// All commands and flags, from which completions and the man page are generated.
pub fn command() -> Command {
    let command = Command::new("polytomic-mcp")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(format!(
            "{AFTER}\n\nEnvironment variables without a flag:\n{}",
            config::secrets_help().trim_end()
        ))
        .args(config::arguments())
        .subcommand(call::command().args(config::arguments()))
        .subcommand(tools::command().args(config::selection_arguments()))
        .subcommand(http::command().args(config::arguments()).args(config::port_arguments()))
        .subcommand(rpc::command().args(config::arguments()).args(config::port_arguments()))
        .subcommand(schemas::command().args(config::selection_arguments()))
        .subcommand(setup::command().args(config::arguments()))
        .subcommand(login::login_command().args(config::arguments()))
        .subcommand(login::logout_command().args(config::arguments()))
        .subcommand(
            super::config::command().args(config::arguments()).args(config::port_arguments()),
        )
        .subcommand(super::doctor::command().args(config::arguments()))
        .subcommand(audit::command())
        .subcommand(completions::command());
    #[cfg(feature = "sandbox")]
    let command = command.subcommand(super::demo::command()).subcommand(super::sandbox::command());
    command
}

fn dispatch(matches: &ArgMatches) -> Result<(), CliError> {
    let configured = |flags: &[&ArgMatches]| {
        let hint = "see polytomic-mcp --help for the settings";
        config::read(flags).map_err(|message| CliError::usage(message).with_hint(hint))
    };
    let has_no_effect = match matches.subcommand() {
        Some(("demo" | "audit" | "completions", _)) => config::first_flag(matches),
        Some(("tools" | "schemas", _)) => config::first_flag_beyond_selection(matches),
        _ => None,
    };
    if let Some((flag, (name, _))) = has_no_effect.zip(matches.subcommand()) {
        return Err(CliError::usage(format!("--{flag} has no effect on {name}")));
    }
    match matches.subcommand() {
        #[cfg(feature = "sandbox")]
        Some(("demo", matches)) => super::demo::run(matches),
        #[cfg(feature = "sandbox")]
        Some(("sandbox", subcommand)) => super::sandbox::run(subcommand, configured(&[matches])?),
        Some(("tools", subcommand)) => tools::run(subcommand, configured(&[subcommand, matches])?),
        Some(("schemas", subcommand)) => {
            schemas::run(subcommand, configured(&[subcommand, matches])?)
        }
        Some(("setup", subcommand)) => {
            let flags = [subcommand, matches];
            setup::run(subcommand, &flags, &configured(&flags)?)
        }
        Some(("login", subcommand)) => {
            login::login(subcommand, configured(&[subcommand, matches])?)
        }
        Some(("logout", subcommand)) => login::logout(&configured(&[subcommand, matches])?),
        Some(("doctor", subcommand)) => {
            super::doctor::run(subcommand, config::read(&[subcommand, matches]), &command())
        }
        Some(("config", subcommand)) => {
            super::config::run(subcommand, &configured(&[subcommand, matches])?)
        }
        Some(("audit", matches)) => audit::run(matches),
        Some(("completions", matches)) => completions::run(matches, command()),
        Some(("call", subcommand)) => call::run(subcommand, configured(&[subcommand, matches])?),
        Some(("http", subcommand)) => http::run(subcommand, configured(&[subcommand, matches])?),
        Some(("rpc", subcommand)) => rpc::run(subcommand, configured(&[subcommand, matches])?),
        _ => serve::run(configured(&[matches])?),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
