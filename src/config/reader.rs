//! Reads the settings into the configuration of a process.
//!
//! clap rejects an invalid flag at the start. An invalid variable or settings file does not stop the start, so that an
//! assistant shows the reason as the error of a call instead of a dead server. The exception are variables of settings that
//! protect data: with a misspelled one, a server would do more than it should.

use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use tracing::level_filters::LevelFilter;

use super::keys::{KeySource, StoredKeys};
use super::paths::{absolute_path, file_path};
use super::report::{Report, ReportedSetting};
use super::service::Service;
use super::settings::*;
use super::sources::{Origin, Sources, invalid_value, is_no, is_none};
use crate::polytomic::{
    API_VERSION, BaseUrl, ClientConfig, ConfigurationError, KeyDirectory, KeyStorage,
};
use crate::registry::{ConfirmPolicy, Masking, Selection};

/// The values of a switch, for errors.
pub(super) const SWITCH_VALUES: &str = "1 or 0 (or true or false)";

/// The configuration of a process.
#[derive(Clone)]
pub(crate) struct Config {
    /// The service, or why there is none.
    service: Result<Service, ConfigurationError>,
    /// The first invalid setting.
    problem: Option<String>,
    /// Why the chosen profile has no settings, if so.
    unknown_profile: Option<String>,
    /// Name of the chosen profile.
    pub(crate) profile: Option<String>,
    /// The keys that `login` stores; none if there is no place for them.
    pub(crate) stored_keys: Option<StoredKeys>,
    /// Every setting, as `config` prints it.
    pub(crate) report: Report,
    api_version: String,
    timeout: Duration,
    key_storage: KeyStorage,
    ca_file: Option<PathBuf>,
    /// Whether only models that this server has created may be changed.
    pub(crate) own_only: bool,
    /// File of the audit log.
    pub(crate) audit_log: Option<PathBuf>,
    max_in_flight: usize,
    /// Maximum size of a result in bytes.
    pub(crate) max_bytes: usize,
    /// Which calls the user has to confirm.
    pub(crate) confirm: ConfirmPolicy,
    /// Which values of records are masked; with an invalid variable every call fails before there is one.
    pub(crate) masking: Masking,
    /// The tools to serve.
    pub(crate) selection: Selection,
    /// Whether names in the selection are from the settings file, which never stops the start.
    pub(crate) is_selection_from_file: bool,
    /// Bearer token that the JSON-RPC server requires.
    pub(crate) rpc_token: Option<String>,
    /// Whether to use the embedded sandbox.
    #[cfg(feature = "sandbox")]
    pub(crate) sandbox: bool,
    /// The sandbox's database file.
    #[cfg(feature = "sandbox")]
    pub(crate) sandbox_data: Option<PathBuf>,
    /// Variables that are set and have no effect with the sandbox.
    #[cfg(feature = "sandbox")]
    pub(crate) ignored_for_sandbox: Vec<String>,
    /// Maximum length of a message on stdin or over HTTP.
    pub(crate) max_line_bytes: usize,
    /// Grace period for running calls after stdin closes.
    pub(crate) drain: Duration,
    /// Log level.
    pub(crate) log: LevelFilter,
    /// Warnings about variables, for the log.
    pub(crate) warnings: Vec<String>,
}

impl Config {
    /// Why every call will fail, if so; for users who start a server and see no call.
    pub(crate) fn problem(&self) -> Option<String> {
        let service = || match &self.service {
            // A command may ask the user for something, which is for the first call.
            Ok(service) if service.has_key_command() => None,
            Ok(service) => service.credential().err(),
            Err(error) => Some(error.clone()),
        };
        let invalid = self.invalid_setting().map(str::to_owned);
        invalid.or_else(|| Some(service()?.to_string()))
    }

    /// The first setting that is invalid.
    pub(crate) fn invalid_setting(&self) -> Option<&str> {
        self.problem.as_deref().or(self.unknown_profile.as_deref())
    }

    /// The same for a command that creates the profile.
    pub(crate) fn invalid_setting_but_profile(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The setting that says where the key of the profile is, or of servers without one; none if nothing does.
    pub(crate) fn other_key_source(&self) -> Option<String> {
        let settings = ["api_key_file", "api_key_command"];
        let other = self.report.settings.iter().find(|reported| {
            settings.contains(&reported.setting.name)
                && match reported.origin {
                    Origin::Profile(..) => true,
                    Origin::File(_) => self.profile.is_none(),
                    Origin::Flag | Origin::Variable | Origin::Default => false,
                }
        })?;
        Some(format!("{} ({})", other.setting.name, other.origin))
    }

    /// Whether a process that another program starts has a key: one that is stored, or a setting that is no variable.
    pub(crate) fn has_lasting_key(&self) -> bool {
        let is_source = |reported: &ReportedSetting| {
            ["api_key_file", "api_key_command"].contains(&reported.setting.name)
                && !matches!(reported.origin, Origin::Variable | Origin::Default)
        };
        let profile = self.profile.as_deref();
        let is_stored = |keys: &StoredKeys| keys.get(profile).is_ok_and(|key| key.is_some());
        self.report.settings.iter().any(is_source)
            || self.stored_keys.as_ref().is_some_and(is_stored)
    }

    /// The flag or variable that says where the key is, if one does; it has precedence over the stored key.
    pub(crate) fn key_beyond_file(&self) -> Option<String> {
        let settings = ["api_key", "api_key_file", "api_key_command"];
        self.report.settings.iter().find_map(|reported| {
            let setting = reported.setting;
            if !settings.contains(&setting.name) {
                return None;
            }
            match reported.origin {
                Origin::Flag => setting.flag().map(|flag| format!("--{flag}")),
                Origin::Variable => Some(setting.variable()),
                _ => None,
            }
        })
    }

    /// Where the key comes from, in words; it is not read.
    pub(crate) fn key_origin(&self) -> String {
        match &self.service {
            Ok(service) => service.key.to_string(),
            Err(error) => error.message.clone(),
        }
    }

    /// Why the settings name no service, if so.
    pub(crate) fn service_problem(&self) -> Option<&str> {
        self.service.as_ref().err().map(|error| error.message.as_str())
    }

    /// The address of the API; none if the settings for it are invalid.
    pub(crate) fn base_url(&self) -> Option<&BaseUrl> {
        self.service.as_ref().ok().map(|service| &service.base_url)
    }

    /// The requested API version.
    pub(crate) fn api_version(&self) -> &str {
        &self.api_version
    }

    /// Makes every call fail with a message.
    pub(crate) fn add_problem(&mut self, message: String) {
        self.problem.get_or_insert(message);
    }

    /// The configuration of the client. Reads the key, which may take as long as the command that prints it.
    ///
    /// # Errors
    /// [`ConfigurationError`] for the first setting that is missing or invalid.
    pub(crate) fn client(self) -> Result<ClientConfig, ConfigurationError> {
        if let Some(message) = self.invalid_setting() {
            let hint = "Correct or remove the setting, then restart the server.";
            return Err(ConfigurationError::new(message, hint));
        }
        let Self { service, api_version, timeout, ca_file, .. } = self;
        let service = service?;
        let credential = service.credential()?;
        let (key_storage, max_in_flight) = (self.key_storage, self.max_in_flight);
        let config = ClientConfig::new(service.base_url, credential);
        Ok(ClientConfig { api_version, timeout, max_in_flight, key_storage, ca_file, ..config })
    }

    /// The same configuration with another key, for a profile that need not exist yet.
    pub(crate) fn with_key(self, key: &str) -> Self {
        let with_key =
            |service: Service| Service { key: KeySource::Text(key.to_owned()), ..service };
        Self { service: self.service.map(with_key), unknown_profile: None, ..self }
    }

    /// Whether calls go to the embedded sandbox, which ends with the process.
    pub(crate) fn has_sandbox(&self) -> bool {
        #[cfg(feature = "sandbox")]
        return self.sandbox;
        #[cfg(not(feature = "sandbox"))]
        false
    }

    /// Whether what is created ends with the process as well.
    pub(crate) fn is_in_memory(&self) -> bool {
        #[cfg(feature = "sandbox")]
        return self.sandbox && self.sandbox_data.is_none();
        #[cfg(not(feature = "sandbox"))]
        false
    }

    /// The same configuration over the embedded sandbox. Its address and key are new at each start, so that its
    /// file identifies it for other processes; without a file there is nothing that outlives this one.
    #[cfg(feature = "sandbox")]
    pub(crate) fn with_sandbox(self, base_url: BaseUrl, key: &str) -> Self {
        let data = self.sandbox_data.as_deref();
        let data = data.and_then(|data| std::path::absolute(data).ok());
        let key_storage = match (self.key_storage, data) {
            (KeyStorage::Directory(KeyDirectory { path, .. }), Some(data)) => {
                let service = Some(format!("sandbox {}", data.display()));
                KeyStorage::Directory(KeyDirectory { path, service })
            }
            _ => KeyStorage::Memory,
        };
        let key = KeySource::Text(key.to_owned());
        let service = Ok(Service { base_url, organization_id: None, key });
        Self { service, key_storage, ..self }
    }
}

/// Reads the settings. `flags`: those of the subcommand, then those of the program, since a flag may come before
/// or after the subcommand.
///
/// # Errors
/// A message for flags that contradict each other, and for variables that protect data; other invalid variables and
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

/// Reads one setting after the other.
pub(super) struct Reader<'a> {
    pub(super) sources: Sources<'a>,
    /// The first invalid setting.
    pub(super) problem: Option<String>,
}

impl Reader<'_> {
    fn config(mut self) -> Result<Config, String> {
        self.sources.check_names()?;
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
            own_only: self.protective_switch(&OWN_ONLY)?,
            audit_log: self.text(&AUDIT_LOG).map(|text| file_path(&text)),
            max_in_flight: self.size(&MAX_IN_FLIGHT),
            max_bytes: self.size(&MAX_BYTES),
            confirm: self.confirm()?,
            is_selection_from_file: self.is_from_file(&[&TOOLSETS, &TOOLS, &EXCLUDE_TOOLS]),
            masking: self.masking()?,
            selection,
            rpc_token: self.text(&RPC_TOKEN),
            #[cfg(feature = "sandbox")]
            sandbox,
            #[cfg(feature = "sandbox")]
            sandbox_data: sandbox_data.map(PathBuf::from),
            #[cfg(feature = "sandbox")]
            ignored_for_sandbox: self.sources.set_variables(&[&API_KEY, &BASE_URL]),
            max_line_bytes: self.size(&MAX_LINE_BYTES),
            drain: Duration::from_secs(self.number(&DRAIN_SECONDS)),
            log: self.log(),
            profile: self.sources.profile().map(str::to_owned),
            stored_keys: self.sources.path().map(StoredKeys::beside),
            report: Report::of(&mut self.sources),
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
        let key = KeySource::find(&mut self.sources)?;
        Ok(Service { base_url, organization_id, key })
    }

    /// The directory for state, which is that of the user unless the setting names one.
    fn key_storage(&mut self) -> Result<KeyStorage, String> {
        let path = match self.text(&STATE) {
            Some(text) if is_none(&text) => {
                return Ok(KeyStorage::Memory);
            }
            // With a relative path, processes in other directories would not find each other's keys.
            Some(text) => match absolute_path(&text) {
                Some(path) => path,
                None if self.sources.has_flag(&STATE) => {
                    return Err(invalid_value("--state", "an absolute path, or off", &text));
                }
                None => {
                    self.note_invalid(&STATE, "an absolute path, or off", &text);
                    return Ok(KeyStorage::Memory);
                }
            },
            None => {
                let Some(path) = dirs::state_dir().or_else(dirs::data_local_dir) else {
                    let warning = "the user has no directory for state; POLYTOMIC_STATE sets one";
                    self.sources.warnings.push(warning.to_owned());
                    return Ok(KeyStorage::Memory);
                };
                path.join("polytomic-mcp")
            }
        };
        Ok(KeyStorage::Directory(KeyDirectory { path, service: None }))
    }

    /// How errors name a setting: by where its value comes from.
    pub(super) fn label(&mut self, setting: &Setting) -> String {
        let origin = self.sources.find(setting).map_or(Origin::Default, |(_, origin)| origin);
        self.sources.label(setting, &origin)
    }

    /// The value of a setting as text, from the source with the highest precedence.
    pub(super) fn text(&mut self, setting: &Setting) -> Option<String> {
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

pub(super) fn parse_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" => Some(true),
        text => is_no(text).then_some(false),
    }
}

#[cfg(test)]
mod tests {
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
                "POLYTOMIC_STATE: expected an absolute path, or off, got \"state\".",
            ),
            (
                "the home of another user",
                vec![key, ("POLYTOMIC_STATE", "~somebody/state")],
                "POLYTOMIC_STATE: expected an absolute path, or off, got \"~somebody/state\".",
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
            KeyStorage::Directory(KeyDirectory { path, service: None })
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
    fn a_misspelled_setting_of_what_to_mask_stops_the_start() {
        for name in ["POLYTOMIC_MASKS", "POLYTOMIC_MSAK"] {
            let variables = vec![(name.to_owned(), "personal".to_owned())];
            let sources = Sources::new(&[], variables);
            let error = Reader { sources, problem: None }.config().err();
            let expected = format!("{name} is not a setting; did you mean POLYTOMIC_MASK? ");
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
