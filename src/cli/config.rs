//! `config`: prints the settings with their values and where those are from.

use std::io::Write;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::error::CliError;
use super::plain_text::plain_text;
use crate::config::{Config, ReportedSetting, SettingKind};

pub(super) fn command() -> Command {
    Command::new("config")
        .about("Print the settings, and where their values are from")
        .after_help(
            "Examples:\n  \
             polytomic-mcp config                       The settings a server would have\n  \
             polytomic-mcp config --profile production  The same with a profile\n  \
             polytomic-mcp config path                  Where the settings file is, or would be",
        )
        .arg(
            Arg::new("what")
                .value_name("path")
                .value_parser(["path"])
                .help("Print only the path of the settings file"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print one JSON object"))
}

pub(super) fn run(matches: &ArgMatches, config: &Config) -> Result<(), CliError> {
    let path = config.report.path.as_deref();
    if matches.get_one::<String>("what").is_some() {
        let Some(path) = path else {
            return Err(CliError::failed("there is no settings file")
                .with_hint("set POLYTOMIC_CONFIG to an absolute path"));
        };
        return Ok(writeln!(std::io::stdout(), "{}", path.display())?);
    }
    let key = config.key_origin();
    let text = match matches.get_flag("json") {
        true => format!("{:#}\n", as_json(config, &key)),
        false => as_text(config, &key),
    };
    write!(std::io::stdout(), "{text}")?;
    match config.invalid_setting() {
        None => Ok(()),
        Some(problem) => {
            Err(CliError::failed(problem).with_hint("every call fails until it is corrected"))
        }
    }
}

fn as_text(config: &Config, key: &str) -> String {
    let path = match config.report.path.as_deref() {
        Some(path) if path.exists() => plain_text(&path.display().to_string()),
        Some(path) => format!("{} (does not exist)", plain_text(&path.display().to_string())),
        None => "none".to_owned(),
    };
    let profile = config.profile.as_deref().map_or_else(|| "none".to_owned(), plain_text);
    let mut text = format!("file     {path}\nprofile  {profile}\napi key  {}\n\n", plain_text(key));
    let settings = || config.report.settings.iter().filter(|reported| !is_secret(reported));
    let width = |column: fn(&ReportedSetting) -> usize| settings().map(column).max().unwrap_or(0);
    let names = width(|reported| reported.setting.name.len());
    let values = width(|reported| shown(reported).chars().count()).min(40);
    for reported in settings() {
        let (name, value) = (reported.setting.name, shown(reported));
        text += &format!("{name:<names$}  {value:<values$}  {}\n", reported.origin);
    }
    for warning in &config.warnings {
        text += &format!("\nwarning: {}\n", plain_text(warning));
    }
    text
}

fn as_json(config: &Config, key: &str) -> Value {
    let settings: Map<String, Value> = config
        .report
        .settings
        .iter()
        .map(|reported| {
            let value = match reported.setting.kind {
                SettingKind::Secret => json!({"origin": reported.origin.to_string()}),
                _ => json!({"value": reported.value, "origin": reported.origin.to_string()}),
            };
            (reported.setting.name.to_owned(), value)
        })
        .collect();
    let path = config.report.path.as_deref();
    json!({
        "file": path.map(|path| path.display().to_string()),
        "file_exists": path.is_some_and(std::path::Path::exists),
        "profile": config.profile,
        "api_key": key,
        "settings": settings,
        "problem": config.invalid_setting(),
        "warnings": config.warnings,
    })
}

fn is_secret(reported: &ReportedSetting) -> bool {
    reported.setting.is_secret()
}

fn shown(reported: &ReportedSetting) -> String {
    match reported.value.as_deref() {
        None | Some("") => "–".to_owned(),
        Some(value) => plain_text(value),
    }
}
