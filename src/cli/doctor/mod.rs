//! `doctor`: checks one after the other what a call needs, and says what to repair.
//!
//! `service` checks the way to the API and the credential, `tools` what clients are shown, `clients` whether they start this program; here is how they are printed.

mod clients;
mod service;
mod tools;

use std::io::{IsTerminal, Write};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;
use serde_json::json;
use serde_with::skip_serializing_none;

use super::error::CliError;
use super::plain_text::plain_text;
use crate::config::Config;
use crate::log;

const SETTINGS: &str = "settings";

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Failed,
    /// Something before it failed.
    Skipped,
}

/// One check: a line for people, an object for scripts.
#[skip_serializing_none]
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    message: String,
    /// What to do; for a failed check.
    fix: Option<String>,
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, message: message.into(), fix: None }
    }

    fn failed(name: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, status: Status::Failed, message: message.into(), fix: Some(fix.into()) }
    }

    fn skipped(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, status: Status::Skipped, message: message.into(), fix: None }
    }
}

pub(super) fn command() -> Command {
    Command::new("doctor")
        .about("Check settings, network, credential and clients, and say what to repair")
        .after_help(
            "Examples:\n  \
             polytomic-mcp doctor\n  \
             polytomic-mcp doctor --profile production\n  \
             polytomic-mcp doctor --json\n\n\
             Exit status: 0 all is well, 1 a check failed.",
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print one JSON object"))
}

/// `config`: the settings, or why no server starts with them.
pub(super) fn run(
    matches: &ArgMatches,
    config: Result<Config, String>,
    command_line: &Command,
) -> Result<(), CliError> {
    let is_json = matches.get_flag("json");
    let mut checks = match config {
        Ok(config) => checks(config)?,
        Err(problem) => without_settings(problem),
    };
    checks.push(clients::check(command_line));
    let failed = checks.iter().filter(|check| check.status == Status::Failed).count();
    let mut stdout = std::io::stdout().lock();
    if is_json {
        writeln!(stdout, "{:#}", json!({"ok": failed == 0, "checks": checks}))?;
    } else {
        let is_terminal = stdout.is_terminal();
        for check in &checks {
            write!(stdout, "{}", line(check, is_terminal))?;
        }
    }
    match failed {
        0 => Ok(()),
        1 => Err(CliError::failed("one check failed")),
        failed => Err(CliError::failed(format!("{failed} checks failed"))),
    }
}

fn checks(config: Config) -> Result<Vec<Check>, CliError> {
    log::start(config.log);
    let mut checks = vec![settings(&config)];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    checks.extend(runtime.block_on(service::checks(&config))?);
    checks.push(tools::check(config));
    Ok(checks)
}

fn without_settings(problem: String) -> Vec<Check> {
    const REASON: &str = "the settings are invalid";
    let fix =
        "Correct or unset it; no server starts with it. polytomic-mcp --help lists the settings.";
    let mut checks = vec![Check::failed(SETTINGS, problem, fix)];
    checks.extend(service::skipped(REASON));
    checks.push(Check::skipped(tools::NAME, REASON));
    checks
}

fn line(check: &Check, is_colored: bool) -> String {
    let (sign, color) = match check.status {
        Status::Ok => ("✓", console::Color::Green),
        Status::Failed => ("✗", console::Color::Red),
        Status::Skipped => ("–", console::Color::Yellow),
    };
    let sign =
        console::style(sign).fg(color).force_styling(is_colored && console::colors_enabled());
    let mut line = format!("{sign} {:<11} {}\n", check.name, plain_text(&check.message));
    if let Some(fix) = &check.fix {
        line += &format!("  {:<11} {}\n", "", plain_text(fix));
    }
    line
}

/// The settings, and where those that differ from the default are from.
fn settings(config: &Config) -> Check {
    if let Some(problem) = config.invalid_setting().or_else(|| config.service_problem()) {
        let fix = "Correct it; polytomic-mcp config prints all settings with their origins.";
        return Check::failed(SETTINGS, problem, fix);
    }
    let file = match config.report.path.as_deref() {
        Some(path) if path.exists() => path.display().to_string(),
        _ => "no settings file".to_owned(),
    };
    let profile = config.profile.as_ref().map(|name| format!(", profile {name}"));
    let set: Vec<String> = config
        .report
        .settings
        .iter()
        .filter(|reported| !reported.origin.is_default())
        .map(|reported| format!("{} ({})", reported.setting.name, reported.origin))
        .collect();
    let set = if set.is_empty() { "all defaults".to_owned() } else { set.join(", ") };
    Check::ok(SETTINGS, format!("{file}{}; {set}", profile.unwrap_or_default()))
}
