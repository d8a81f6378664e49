//! `login` and `logout`: store the API key of a profile where only the user can read it, and remove it.
//!
//! The key is checked with the API before it is stored, so that a wrong one is noticed now and not by an assistant.

use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Command};
use console::Term;
use toml_edit::Value;

use super::error::CliError;
use super::identity::in_words;
use super::plain_text::plain_text;
use crate::config::{
    Config, Origin, ReportedSetting, Setting, SettingKind, StoredKeys, add_to_settings, heir,
    trimmed_key, with_profile,
};
use crate::polytomic::{CallOptions, Client, ConfigurationError, Identity};
use crate::registry::{ErrorCode, ToolError};
use crate::{log, stderr};

/// Far more than a key has.
const MAX_KEY_BYTES: u64 = 64 << 10;

pub(super) fn login_command() -> Command {
    Command::new("login")
        .about("Check an API key and store it for a profile")
        .long_about(
            "Check an API key and store it for a profile.\n\n\
             Asks for the key without showing it, or reads it from stdin, or takes it from --api-key-file or --api-key-command. With --profile it belongs to that profile, which is \
             created in the settings file if it does not exist; without, to servers that name none. The key is stored in \
             keys.toml beside the settings file, readable by you only; `polytomic-mcp config path` prints the place.",
        )
        .after_help(
            "Examples:\n  \
             polytomic-mcp login\n  \
             polytomic-mcp login --profile production\n  \
             op read op://Private/polytomic/key | polytomic-mcp login --profile production\n  \
             polytomic-mcp login --sandbox --profile try",
        )
        .arg(
            Arg::new("unchecked")
                .long("unchecked")
                .action(ArgAction::SetTrue)
                .help("Store the key without checking it, e.g. without a network"),
        )
}

pub(super) fn logout_command() -> Command {
    Command::new("logout")
        .about("Remove the stored API key of a profile")
        .after_help("Example:\n  polytomic-mcp logout --profile production")
}

/// Stores a key, for a profile that need not exist yet.
pub(super) fn login(matches: &ArgMatches, config: Config) -> Result<(), CliError> {
    log::start(config.log);
    let profile = config.profile.clone();
    if let Some(problem) = config.invalid_setting_but_profile() {
        return Err(CliError::usage(problem));
    }
    let settings_file = config.report.path.clone();
    let add_to_settings = |profile: Option<&str>, values: &[(&str, Value)]| match &settings_file {
        Some(path) => add_to_settings(path, profile, values).map_err(CliError::failed),
        None => Ok(()),
    };
    let keys = place_for_keys(&config)?;
    #[cfg(feature = "sandbox")]
    if config.sandbox {
        let name = profile.as_deref().unwrap_or("sandbox");
        add_to_settings(Some(name), &[("sandbox", true.into())])?;
        return say(&format!(
            "Profile {name:?} uses the built-in sandbox. Start it with: {}",
            with_profile("polytomic-mcp", Some(name))
        ));
    }
    if let Some(other) = config.other_key_source() {
        return Err(CliError::failed(format!("{other} already says where the API key is"))
            .with_hint("remove it first: two sources at once are an error"));
    }
    // A file that cannot be used is noticed before anybody types a key.
    let old_key = keys.get(profile.as_deref()).map_err(configuration_error)?;
    let place = place(&config);
    if let (None, Some(path)) = (&profile, &settings_file) {
        refuse_other_place_of_profile(path, &keys, &place)?;
    }
    let key = match config.key_of_flag().map_err(configuration_error)? {
        Some(key) => checked_key(&key)?,
        None => read_key()?,
    };
    if !matches.get_flag("unchecked") {
        let identity = check(config.clone().with_key(&key))?;
        let at = config.base_url().map(|url| format!(" at {url}")).unwrap_or_default();
        say(&format!("The key works: {}{at}.", in_words(&identity)))?;
    }
    let set = |key: Option<&str>| keys.set(profile.as_deref(), key).map_err(configuration_error);
    // Whatever fails or stops in between, no key is left that would be sent to the address of the other one.
    if old_key.is_some() && !place.is_empty() {
        set(None)?;
    }
    let values: Vec<(&str, Value)> =
        place.iter().map(|(setting, text)| (setting.name, toml_value(setting, text))).collect();
    if let Err(error) = add_to_settings(profile.as_deref(), &values) {
        set(old_key.as_deref())?;
        return Err(error);
    }
    set(Some(&key))?;
    let start = with_profile("polytomic-mcp", profile.as_deref());
    for (name, value) in &values {
        say(&format!("Set for it in the settings file: {name} = {}", value.to_string().trim()))?;
    }
    say(&format!(
        "The key is stored in {}. Servers started with `{start}` use it.",
        keys.path().display()
    ))?;
    if let Some(variable) = config.key_variable() {
        stderr::print(&format!(
            "warning: {variable} is set here, and has precedence over the stored key"
        ));
    }
    Ok(())
}

/// The settings that say where the key is sent, as they have to be kept with it: servers must not send it elsewhere. A
/// profile keeps its address in any case, so that no change outside it is one of the address.
fn place(config: &Config) -> Vec<(&'static Setting, String)> {
    let is_kept = |reported: &&ReportedSetting| match (reported.setting.name, &reported.origin) {
        ("base_url" | "organization_id" | "allow_http", Origin::Flag | Origin::Variable) => true,
        ("base_url", Origin::File(_) | Origin::Default) => config.profile.is_some(),
        _ => false,
    };
    let kept = config.report.settings.iter().filter(is_kept);
    kept.filter_map(|reported| Some((reported.setting, reported.value.clone()?))).collect()
}

fn toml_value(setting: &Setting, text: &str) -> Value {
    match setting.kind {
        SettingKind::Switch => (text == "1").into(),
        _ => text.into(),
    }
}

/// Refuses what would send the stored key of a profile elsewhere.
fn refuse_other_place_of_profile(
    path: &Path,
    keys: &StoredKeys,
    place: &[(&'static Setting, String)],
) -> Result<(), CliError> {
    let Some((name, setting)) = heir(path, keys, place).map_err(CliError::failed)? else {
        return Ok(());
    };
    let setting = setting.name;
    let message = format!(
        "profile {name:?} has a stored key and no {setting} of its own, which would change with this"
    );
    Err(CliError::failed(message).with_hint(format!(
        "name a profile for the new key with --profile, or write {setting} into profile {name:?} first"
    )))
}

pub(super) fn logout(config: &Config) -> Result<(), CliError> {
    let keys = place_for_keys(config)?;
    let profile = config.profile.as_deref();
    let of = profile.map_or_else(String::new, |name| format!(" of profile {name:?}"));
    if keys.get(profile).map_err(configuration_error)?.is_none() {
        return say(&format!("There is no stored key{of}."));
    }
    keys.set(profile, None).map_err(configuration_error)?;
    say(&format!("The stored key{of} is removed from {}.", keys.path().display()))
}

fn place_for_keys(config: &Config) -> Result<StoredKeys, CliError> {
    config.stored_keys().ok_or_else(|| {
        CliError::failed("there is no folder for settings")
            .with_hint("set POLYTOMIC_CONFIG to an absolute path")
    })
}

/// Reads the key without showing it, or from stdin.
fn read_key() -> Result<String, CliError> {
    let key = if io::stdin().is_terminal() {
        stderr::print("Polytomic API key (not shown):");
        stderr::flush();
        Term::stderr().read_secure_line()?
    } else {
        let mut text = String::new();
        io::stdin().take(MAX_KEY_BYTES).read_to_string(&mut text)?;
        text
    };
    checked_key(&key)
}

fn checked_key(key: &str) -> Result<String, CliError> {
    let key = trimmed_key(key);
    if key.is_empty() || key.contains(char::is_whitespace) {
        let got = if key.is_empty() { "nothing" } else { "several words" };
        return Err(CliError::failed(format!("expected an API key, got {got}"))
            .with_hint("create one in the settings of Polytomic"));
    }
    Ok(key.to_owned())
}

/// Gets the identity of the key.
fn check(config: Config) -> Result<Identity, CliError> {
    let client = config.client().map_err(configuration_error)?;
    let client = Client::new(client).map_err(|error| CliError::failed(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let identity = runtime.block_on(client.get_identity(&CallOptions::default()));
    identity.map_err(|error| {
        let ToolError { code, message, hint, .. } = ToolError::from(error);
        let hint = match code {
            ErrorCode::Unauthorized => {
                "copy the key again, and check base_url and organization_id".to_owned()
            }
            _ => format!("{hint} --unchecked stores the key all the same."),
        };
        let message = format!("the key is not stored: {message}");
        CliError { status: 3, ..CliError::failed(message) }.with_hint(hint)
    })
}

fn configuration_error(error: ConfigurationError) -> CliError {
    CliError::failed(error.message).with_hint(error.hint)
}

fn say(text: &str) -> Result<(), CliError> {
    Ok(writeln!(io::stdout(), "{}", plain_text(text))?)
}
