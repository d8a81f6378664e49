//! Reads the settings into the configuration of a process.
//!
//! clap rejects an invalid flag at the start. An invalid variable or settings file does not stop the start, so that an
//! assistant shows the reason as the error of a call instead of a dead server. The exceptions are variables of settings that
//! protect: with a misspelled one, a server would do more than it should, or elsewhere.

use std::time::Duration;

use clap::ArgMatches;
use tracing::level_filters::LevelFilter;

use super::configuration::Config;
use super::keys::KeySource;
use super::paths::{absolute_path, file_path};
use super::report::Report;
use super::service::Service;
use super::setting::{Setting, SettingKind};
use super::settings::*;
use super::sources::{Origin, Sources, invalid_value};
use super::words::{is_none, parse_switch};
use crate::polytomic::{
    API_VERSION, BaseUrl, ConfigurationError, KeyDirectory, KeyServer, KeyStorage,
};
use crate::state::{SharedState, StateUrl};

/// The values of a switch, for errors.
pub(super) const SWITCH_VALUES: &str = "1 or 0 (or true or false)";

/// The values of the setting for the state, for errors.
const STATE_VALUES: &str = "an absolute path, a redis:// or rediss:// URL, or off";
const STATE_VALUES_BUT_OFF: &str = "an absolute path or a redis:// or rediss:// URL";

/// Reads the settings. `flags`: those of the subcommand, then those of the program, since a flag may come before
/// or after the subcommand.
///
/// # Errors
/// A message for flags that contradict each other, and for variables that protect; other invalid variables and
/// the settings file are part of [`Config`].
#[expect(clippy::disallowed_methods, reason = "the only place that reads settings")]
pub(crate) fn read(flags: &[&ArgMatches]) -> Result<Config, String> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.to_uppercase().starts_with("POLYTOMIC_") || name == "RUST_LOG")
        .collect();
    let mut sources = Sources::new(flags, variables);
    let problem = sources.add_file().err();
    Reader { sources, problem }.config()
}

/// What is wrong with the settings file that flags and variables name, or with its profile, if anything is.
pub(crate) fn problem_of_file(
    flags: &[&ArgMatches],
    variables: Vec<(String, String)>,
) -> Option<String> {
    let mut sources = Sources::new(flags, variables);
    sources.add_file().err().or(sources.unknown_profile)
}

/// Reads one setting after the other.
pub(super) struct Reader<'a> {
    pub(super) sources: Sources<'a>,
    /// The first invalid setting.
    pub(super) problem: Option<String>,
}

impl Reader<'_> {
    fn config(mut self) -> Result<Config, String> {
        self.sources.check_variables()?;
        let selection = self.selection()?;
        let sandbox = self.switch(&SANDBOX);
        let sandbox_data = self.text(&SANDBOX_DATA);
        if sandbox && cfg!(not(feature = "sandbox")) {
            let message = "This build has no sandbox; unset POLYTOMIC_SANDBOX.".to_owned();
            self.problem.get_or_insert(message);
        }
        if sandbox_data.is_some() && !sandbox {
            if self.sources.has_flag(&SANDBOX_DATA) {
                return Err("--sandbox-data requires --sandbox.".to_owned());
            }
            let variable = SANDBOX_DATA.variable();
            self.sources.warnings.push(format!("{variable} has no effect without the sandbox"));
        }
        let service = self.service();
        if self.sources.has_flag(&BASE_URL) || self.sources.has_flag(&ORGANIZATION_ID) {
            let invalid = match &service {
                Ok(service) if service.has_key_text() => service.credential().err(),
                Ok(_) => None,
                Err(error) => Some(error.clone()),
            };
            if let Some(error) = invalid {
                return Err(error.message);
            }
        }
        Ok(Config {
            service,
            api_version: self.text(&VERSION).unwrap_or_else(|| API_VERSION.to_owned()),
            timeout: Duration::from_secs(self.number(&TIMEOUT_SECONDS)),
            key_storage: self.key_storage()?,
            ca_file: self.text(&CA_FILE).map(|text| file_path(&text)),
            allow_http: self.switch(&ALLOW_HTTP),
            own_only: self.protective_switch(&OWN_ONLY)?,
            allow_secret_operations: self.protective_switch(&ALLOW_SECRET_OPERATIONS)?,
            audit_log: self.text(&AUDIT_LOG).map(|text| file_path(&text)),
            max_in_flight: self.size(&MAX_IN_FLIGHT),
            max_bytes: self.size(&MAX_BYTES),
            confirm: self.confirm()?,
            are_tool_names_from_file: self.is_from_file(&[&TOOLSETS, &TOOLS, &EXCLUDE_TOOLS]),
            masking: self.masking()?,
            selection,
            ports: self.ports()?,
            #[cfg(feature = "sandbox")]
            sandbox,
            #[cfg(feature = "sandbox")]
            sandbox_data: sandbox_data.as_deref().map(file_path),
            #[cfg(feature = "sandbox")]
            ignored_for_sandbox: self.sources.set_variables(&[&API_KEY, &BASE_URL]),
            max_line_bytes: self.size(&MAX_LINE_BYTES),
            drain: Duration::from_secs(self.number(&DRAIN_SECONDS)),
            log: self.log(),
            profile: self.sources.profile().map(str::to_owned),
            report: Report::of(&self.sources),
            problem: self.problem,
            unknown_profile: self.sources.unknown_profile,
            warnings: self.sources.warnings,
        })
    }

    fn service(&mut self) -> Result<Service, ConfigurationError> {
        let allow_http = self.switch(&ALLOW_HTTP);
        let base_url = self.text(&BASE_URL).unwrap_or_else(|| HOSTED.to_owned());
        let base_url = BaseUrl::parse(&base_url, allow_http)?;
        let organization_id = self.text(&ORGANIZATION_ID);
        let key = KeySource::find(&self.sources)?;
        Ok(Service { base_url, organization_id, key })
    }

    /// Where the state is: in a directory, which is that of the user unless the setting names one, or on a Redis server.
    fn key_storage(&mut self) -> Result<KeyStorage, String> {
        let is_required = self.protective_switch(&STATE_REQUIRED)?;
        let path = match self.text(&STATE) {
            Some(text) if is_none(&text) => None,
            Some(text) if text.contains("://") => return self.key_server(&text, is_required),
            // With a relative path, processes in other directories would not find each other's keys.
            Some(text) => match absolute_path(&text) {
                Some(path) => Some(path),
                None if self.sources.has_flag(&STATE) => {
                    return Err(invalid_value("--state", STATE_VALUES, &text));
                }
                None => {
                    self.note_invalid(&STATE, STATE_VALUES, &text);
                    return Ok(KeyStorage::Memory);
                }
            },
            None => {
                let directory = dirs::state_dir().or_else(dirs::data_local_dir);
                if directory.is_none() {
                    let warning = "the user has no directory for state; POLYTOMIC_STATE sets one";
                    self.sources.warnings.push(warning.to_owned());
                }
                directory.map(|directory| directory.join("polytomic-mcp"))
            }
        };
        match path {
            Some(path) => {
                Ok(KeyStorage::Directory(KeyDirectory { path, service: None, is_required }))
            }
            None if is_required => Err(format!(
                "{} requires a state, and there is none; set POLYTOMIC_STATE to {STATE_VALUES_BUT_OFF}.",
                self.label(&STATE_REQUIRED)
            )),
            None => Ok(KeyStorage::Memory),
        }
    }

    /// A Redis server for the state. No error quotes its URL, which may have a password.
    fn key_server(&mut self, text: &str, is_required: bool) -> Result<KeyStorage, String> {
        let is_flag = self.sources.has_flag(&STATE);
        let label = if is_flag { "--state".to_owned() } else { self.label(&STATE) };
        let invalid = |got: &str| format!("{label}: expected {STATE_VALUES}, got {got}.");
        let state = match StateUrl::parse(text) {
            Ok(url) if is_flag && url.has_credentials() => {
                return Err(
                    "--state: the URL has a user name or password, which all users of this machine could read in the list \
                     of processes. Set POLYTOMIC_STATE, or `state` in the settings file."
                        .to_owned(),
                );
            }
            Ok(url) => {
                let ca_file = self.text(&CA_FILE).map(|text| file_path(&text));
                let state = SharedState::new(url, is_required, ca_file.as_deref());
                state.map_err(|error| format!("one that cannot be used: {}", error.reason))
            }
            Err(error) => Err(error.to_string()),
        };
        match state {
            Ok(state) => Ok(KeyStorage::Redis(KeyServer { state, service: None })),
            Err(got) if is_flag => Err(invalid(&got)),
            Err(got) => {
                let message = invalid(&got);
                self.problem.get_or_insert(message);
                Ok(KeyStorage::Memory)
            }
        }
    }

    /// How errors name a setting: by where its value comes from.
    pub(super) fn label(&self, setting: &Setting) -> String {
        let origin = self.sources.find(setting).map_or(Origin::Default, |(_, origin)| origin);
        self.sources.label(setting, &origin)
    }

    /// The value of a setting as text, from the source with the highest precedence.
    pub(super) fn text(&self, setting: &Setting) -> Option<String> {
        self.sources.find(setting).map(|(text, _)| text)
    }

    /// A parsed value. An invalid variable is noted, and the default takes its place.
    fn parsed<T>(
        &mut self,
        setting: &Setting,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
        default: T,
    ) -> T {
        let Some(text) = self.text(setting) else { return default };
        parse(&text).unwrap_or_else(|| {
            self.note_invalid(setting, expected, &text);
            default
        })
    }

    fn note_invalid(&mut self, setting: &Setting, expected: &str, text: &str) {
        let message = invalid_value(&self.label(setting), expected, text);
        self.problem.get_or_insert(message);
    }

    fn number(&mut self, setting: &Setting) -> u64 {
        let (minimum, maximum) = match setting.kind {
            SettingKind::Number(minimum, maximum) => (minimum, maximum),
            _ => (0, u64::MAX),
        };
        let parse = |text: &str| text.parse().ok().filter(|n| (minimum..=maximum).contains(n));
        let default = setting.default.parse().unwrap_or(minimum);
        self.parsed(setting, &format!("an integer from {minimum} to {maximum}"), parse, default)
    }

    fn size(&mut self, setting: &Setting) -> usize {
        usize::try_from(self.number(setting)).unwrap_or(usize::MAX)
    }

    fn switch(&mut self, setting: &Setting) -> bool {
        self.parsed(setting, SWITCH_VALUES, parse_switch, false)
    }

    fn log(&mut self) -> LevelFilter {
        // Only a plain level is accepted.
        let default = self.sources.rust_log().and_then(|level| level.parse().ok());
        let parse = |text: &str| text.parse::<LevelFilter>().ok();
        let expected = "off, error, warn, info, debug or trace";
        self.parsed(&LOG, expected, parse, default.unwrap_or(LevelFilter::WARN))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const SANDBOX_KEY: &str = "sandbox-248df4b7aa7047b8a03633ac447e668d";

    fn config(variables: &[(&str, &str)]) -> Config {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Reader { sources: Sources::new(&[], variables), problem: None }.config().unwrap()
    }

    #[test]
    fn an_invalid_variable_is_the_error_of_every_call() {
        let key = ("POLYTOMIC_API_KEY", "secret-key");
        for (label, variables, expected) in [
            ("no key", vec![], "No API key is configured."),
            ("empty key", vec![("POLYTOMIC_API_KEY", " ")], "No API key is configured."),
            ("placeholder", vec![("POLYTOMIC_API_KEY", "${API_KEY}")], "No API key is configured."),
            (
                "number",
                vec![key, ("POLYTOMIC_TIMEOUT_SECONDS", "soon")],
                "POLYTOMIC_TIMEOUT_SECONDS: expected an integer from 1 to 600, got \"soon\".",
            ),
            (
                "range",
                vec![key, ("POLYTOMIC_TIMEOUT_SECONDS", "0")],
                "POLYTOMIC_TIMEOUT_SECONDS: expected an integer from 1 to 600, got \"0\".",
            ),
            (
                "switch",
                vec![key, ("POLYTOMIC_ALLOW_HTTP", "maybe")],
                "POLYTOMIC_ALLOW_HTTP: expected 1 or 0 (or true or false), got \"maybe\".",
            ),
            (
                "a relative path",
                vec![key, ("POLYTOMIC_STATE", "state")],
                "POLYTOMIC_STATE: expected an absolute path, a redis:// or rediss:// URL, or off, got \"state\".",
            ),
            (
                "the home of another user",
                vec![key, ("POLYTOMIC_STATE", "~somebody/state")],
                "POLYTOMIC_STATE: expected an absolute path, a redis:// or rediss:// URL, or off, got \"~somebody/state\".",
            ),
            (
                "plain http",
                vec![key, ("POLYTOMIC_BASE_URL", "http://p.example.com")],
                "The base URL uses plain http to another machine: the API key would be sent unencrypted.",
            ),
            (
                "the key of a sandbox without its URL",
                vec![("POLYTOMIC_API_KEY", SANDBOX_KEY), ("POLYTOMIC_BASE_URL", "")],
                "POLYTOMIC_API_KEY is the key of a sandbox, which https://app.polytomic.com is not.",
            ),
        ] {
            let error = config(&variables).client().unwrap_err();
            assert_eq!(error.to_string(), expected, "{label}");
        }
    }

    #[test]
    fn the_key_of_a_sandbox_is_for_this_machine() {
        for (key, url, is_accepted) in [
            (SANDBOX_KEY, "http://127.0.0.1:8181", true),
            (SANDBOX_KEY, "http://localhost:8181", true),
            (SANDBOX_KEY, "https://sandbox.example.com", false),
            ("sandbox-key", "https://sandbox.example.com", true),
        ] {
            let config = config(&[("POLYTOMIC_API_KEY", key), ("POLYTOMIC_BASE_URL", url)]);
            assert_eq!(config.client().is_ok(), is_accepted, "{key} {url}");
        }
    }

    #[test]
    fn the_directory_for_state_does_not_depend_on_the_current_one() {
        let directory = |path: &str| {
            let path = PathBuf::from(path);
            KeyStorage::Directory(KeyDirectory { path, service: None, is_required: false })
        };
        let home = dirs::home_dir().unwrap();
        for (value, expected) in [
            ("/var/lib/state", directory("/var/lib/state")),
            ("~", directory(home.to_str().unwrap())),
            ("~/a b/c", directory(home.join("a b/c").to_str().unwrap())),
            ("Off", KeyStorage::Memory),
            ("none", KeyStorage::Memory),
            ("no", KeyStorage::Memory),
            ("False", KeyStorage::Memory),
            ("0", KeyStorage::Memory),
        ] {
            let key = ("POLYTOMIC_API_KEY", "k");
            let config = config(&[key, ("POLYTOMIC_STATE", value)]).client().unwrap();
            assert_eq!(config.key_storage, expected, "{value}");
        }
    }

    #[test]
    fn a_misspelled_setting_that_protects_stops_the_start() {
        for (name, nearest) in [
            ("POLYTOMIC_MASKS", "POLYTOMIC_MASK"),
            ("POLYTOMIC_MSAK", "POLYTOMIC_MASK"),
            ("POLYTOMIC_SANBOX", "POLYTOMIC_SANDBOX"),
            ("POLYTOMIC_PROFIL", "POLYTOMIC_PROFILE"),
            ("POLYTOMIC_BASEURL", "POLYTOMIC_BASE_URL"),
        ] {
            let variables = vec![(name.to_owned(), "1".to_owned())];
            let sources = Sources::new(&[], variables);
            let error = Reader { sources, problem: None }.config().err();
            let expected = format!("{name} is not a setting; did you mean {nearest}? ");
            assert!(error.is_some_and(|error| error.starts_with(&expected)), "{name}");
        }
    }

    #[test]
    fn a_misspelled_variable_and_a_placeholder_are_warnings() {
        let config = config(&[("POLYTOMIC_API_KEI", "k"), ("POLYTOMIC_BASE_URL", "${user.url}")]);
        assert_eq!(
            config.warnings,
            [
                "POLYTOMIC_API_KEI is not a setting; did you mean POLYTOMIC_API_KEY?",
                "POLYTOMIC_BASE_URL is empty or an unfilled placeholder and counts as unset",
            ]
        );
    }
}
