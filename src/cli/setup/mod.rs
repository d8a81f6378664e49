//! `setup`: writes this server into the configuration of MCP clients, and removes it again.

mod binary;
mod choice;
mod clients;
mod diff;
mod edit;
mod file;
pub(super) mod found;
mod places;
mod plan;
mod steps;

use std::io::{self, Write};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::CliError;
use super::plain_text::{plain_lines, plain_text};
use crate::config::{self, Config, Origin};
use crate::stderr;

pub use clients::{CLIENTS, Client, Format, KeySupply, Link, Places, Scope, Server, Shape, System};

/// Cursor counts the name of the server into the names of its tools, which have at most so many characters.
pub(super) const MAX_TOOL_NAME_CHARACTERS: usize = 60;
/// What is left of it is for the name of the tool.
pub(super) const MAX_NAME_CHARACTERS: usize = 30;
const DEFAULT_NAME: &str = "polytomic";

pub(super) fn command() -> Command {
    let clients = CLIENTS.iter().map(|client| client.id);
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    Command::new("setup")
        .about("Add this server to Claude, VS Code, Cursor and other clients")
        .long_about(
            "Add this server to the configuration of MCP clients.\n\n\
             Without a name it lists the clients of this machine and asks. Only the entry of this server is written, and a \
             copy of the file is kept beside it. Any flag for a setting becomes an argument of the server. The API key is \
             never written: it is stored by `polytomic-mcp login`, or comes from the client with --client-key.",
        )
        .after_help(
            "Examples:\n  \
             polytomic-mcp setup                                 List the clients of this machine\n  \
             polytomic-mcp setup claude-code vscode --sandbox    Try it without an account\n  \
             polytomic-mcp setup cursor --profile production --read-only\n  \
             polytomic-mcp setup codex --dry-run                 Show what would change\n  \
             polytomic-mcp setup cursor --remove",
        )
        .arg(
            Arg::new("clients")
                .value_name("CLIENT")
                .num_args(0..)
                .value_parser(PossibleValuesParser::new(clients))
                .help("Clients to add it to"),
        )
        .arg(
            Arg::new("name")
                .long("name")
                .value_name("NAME")
                .value_parser(parse_name)
                .help("Name of the server in the client [default: polytomic, or polytomic-PROFILE]"),
        )
        .arg(
            Arg::new("scope")
                .long("scope")
                .value_name("SCOPE")
                .value_parser(["user", "project"])
                .default_value("user")
                .hide_possible_values(true)
                .help("Whose configuration: user, or project for the working folder"),
        )
        .arg(switch(
            "client-key",
            "Let the client provide the key: VS Code asks for it, others pass on POLYTOMIC_API_KEY",
        ))
        .arg(switch("print", "Print the entry, and write nothing"))
        .arg(switch("dry-run", "Show what would change, and write nothing").conflicts_with("print"))
        .arg(switch("remove", "Remove the server").conflicts_with_all(["print", "client-key"]))
}

fn parse_name(name: &str) -> Result<String, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=MAX_NAME_CHARACTERS).contains(&name.len()) && name.chars().all(is_name) {
        Ok(name.to_owned())
    } else {
        Err(format!("expected letters, digits, - and _, at most {MAX_NAME_CHARACTERS}"))
    }
}

/// Runs the command. `flags`: those of the subcommand, then those of the program.
pub(super) fn run(
    matches: &ArgMatches,
    flags: &[&ArgMatches],
    config: &Config,
) -> Result<(), CliError> {
    let is_removal = matches.get_flag("remove");
    if let Some(problem) = config.invalid_setting().filter(|_| !is_removal) {
        return Err(CliError::usage(problem).with_hint("nothing was written"));
    }
    let is_for_service = !is_removal && !config.has_sandbox();
    if let Some(problem) = config.service_problem().filter(|_| is_for_service) {
        return Err(CliError::usage(problem).with_hint("nothing was written"));
    }
    let has_client_key = matches.get_flag("client-key");
    if has_client_key && config.has_sandbox() {
        return Err(CliError::usage("--client-key has no effect with --sandbox"));
    }
    let scope = match matches.get_one::<String>("scope").map(String::as_str) {
        Some("project") => Scope::Project,
        _ => Scope::User,
    };
    let folders = places::Folders::current().ok_or_else(|| {
        CliError::failed("there is no home directory").with_hint("set HOME to an absolute path")
    })?;
    let is_preview = matches.get_flag("print") || matches.get_flag("dry-run");
    let chosen: Vec<&'static Client> = match matches.get_many::<String>("clients") {
        Some(ids) => ids.filter_map(|id| Client::named(id)).collect(),
        None => choice::choose(&folders, is_removal)?,
    };
    if chosen.is_empty() {
        return Ok(());
    }
    let binary = binary::find()?;
    let given_name = matches.get_one::<String>("name");
    let named_after = profile_on_command_line(config).filter(|_| given_name.is_none());
    let server = Server {
        name: given_name.cloned().unwrap_or_else(|| default_name(named_after)),
        command: binary.path,
        arguments: config::command_line(flags),
        has_client_key,
    };
    if let Some(warning) = binary.warning.filter(|_| !is_removal) {
        warn(&warning);
    }
    let mut failures = 0;
    for client in &chosen {
        let step = steps::Step { client, scope, server: &server, named_after, folders: &folders };
        let result = if is_removal && !matches.get_flag("dry-run") {
            step.remove()
        } else if is_removal {
            step.preview_removal()
        } else if matches.get_flag("print") {
            step.print(chosen.len() > 1)
        } else if is_preview {
            step.preview()
        } else {
            step.add()
        };
        match result {
            Ok(text) => say(&text)?,
            Err(error) => {
                failures += 1;
                warn_of(client, &error);
            }
        }
    }
    if failures > 0 {
        let of = chosen.len();
        let message = match (failures, of) {
            (1, 1) => "the client is unchanged".to_owned(),
            (failures, of) => format!("unchanged clients: {failures} of {of}"),
        };
        return Err(CliError::failed(message));
    }
    if !is_removal {
        for line in advice(config, has_client_key, is_preview) {
            stderr::print(&plain_lines(&line));
        }
    }
    Ok(())
}

fn warn_of(client: &Client, error: &CliError) {
    stderr::print(&plain_text(&format!("error: {}: {}", client.title, error.message)));
    if let Some(hint) = &error.hint {
        stderr::print(&plain_text(&format!("hint: {hint}")));
    }
}

/// The profile that becomes an argument of the server.
fn profile_on_command_line(config: &Config) -> Option<&str> {
    let mut settings = config.report.settings.iter();
    let is_flag = settings
        .any(|reported| reported.setting.name == "profile" && reported.origin == Origin::Flag);
    config.profile.as_deref().filter(|_| is_flag)
}

/// Two profiles stand side by side.
fn default_name(profile: Option<&str>) -> String {
    let Some(profile) = profile else { return DEFAULT_NAME.to_owned() };
    let profile =
        profile.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' });
    let name = format!("{DEFAULT_NAME}-{}", profile.collect::<String>());
    name.chars().take(MAX_NAME_CHARACTERS).collect()
}

/// What is left to do, and what the user may expect to be in the entry and is not.
fn advice(config: &Config, has_client_key: bool, is_preview: bool) -> Vec<String> {
    let mut advice = Vec::new();
    let is_key = |name: &str| name == "api_key" || name == "rpc_token";
    let variables: Vec<String> = config
        .report
        .settings
        .iter()
        .filter(|reported| reported.origin == Origin::Variable && !is_key(reported.setting.name))
        .map(|reported| reported.setting.variable())
        .collect();
    if !variables.is_empty() {
        advice.push(format!(
            "note: {} of this shell is not part of the entry; pass the flag, or use a profile",
            variables.join(", ")
        ));
    }
    if has_client_key || config.has_sandbox() || config.has_lasting_key() {
        return advice;
    }
    let login = config::with_profile("polytomic-mcp login", config.profile.as_deref());
    let verb = if is_preview { "store" } else { "now store" };
    advice.push(format!("hint: {verb} an API key with `{login}`; until then every call fails"));
    advice
}

fn warn(text: &str) {
    stderr::print(&plain_text(&format!("warning: {text}")));
}

fn say(text: &str) -> Result<(), CliError> {
    Ok(writeln!(io::stdout(), "{}", plain_lines(text))?)
}
