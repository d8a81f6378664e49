//! Reads the settings from the command line and the environment.
//!
//! A flag has precedence over a variable. clap rejects an invalid flag at the start. An invalid variable does not
//! stop the start, so that an assistant shows the reason as the error of a call instead of a dead server. The exception
//! are settings that protect data: with a misspelled one, a server would do more than it should.

use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use tracing::level_filters::LevelFilter;

use super::paths::{absolute_path, file_path};
use super::settings::*;
use crate::polytomic::{
    API_VERSION, BaseUrl, ClientConfig, ConfigurationError, Credential, KeyDirectory, KeyStorage,
};
use crate::registry::{Access, ConfirmPolicy, Selection};

/// Maximum characters of a value that an error quotes.
const MAX_QUOTED_CHARACTERS: usize = 80;
/// The values of a switch, for errors.
const SWITCH_VALUES: &str = "1 or 0 (or true or false)";

/// The configuration of a process.
#[derive(Clone)]
pub(crate) struct Config {
    /// The service and the credential, or why there is none.
    service: Result<(BaseUrl, Credential), ConfigurationError>,
    /// The first invalid variable.
    invalid_variable: Option<String>,
    api_version: String,
    timeout: Duration,
    key_storage: KeyStorage,
    /// Whether only models that this server has created may be changed.
    pub(crate) own_only: bool,
    /// File of the audit log.
    pub(crate) audit_log: Option<PathBuf>,
    max_in_flight: usize,
    /// Maximum size of a result in bytes.
    pub(crate) max_bytes: usize,
    /// Which calls the user has to confirm.
    pub(crate) confirm: ConfirmPolicy,
    /// The tools to serve.
    pub(crate) selection: Selection,
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
        let service = || self.service.as_ref().err().map(ToString::to_string);
        self.invalid_variable.clone().or_else(service)
    }

    /// The configuration of the client.
    ///
    /// # Errors
    /// [`ConfigurationError`] for the first setting that is missing or invalid.
    pub(crate) fn client(self) -> Result<ClientConfig, ConfigurationError> {
        let Self { service, invalid_variable, api_version, timeout, .. } = self;
        if let Some(message) = invalid_variable {
            let hint = "Correct or unset the variable, then restart the server.";
            return Err(ConfigurationError::new(message, hint));
        }
        let (base_url, credential) = service?;
        let (key_storage, max_in_flight) = (self.key_storage, self.max_in_flight);
        let config = ClientConfig::new(base_url, credential);
        Ok(ClientConfig { api_version, timeout, max_in_flight, key_storage, ..config })
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
    pub(crate) fn with_sandbox(self, base_url: BaseUrl, credential: Credential) -> Self {
        let data = self.sandbox_data.as_deref();
        let data = data.and_then(|data| std::path::absolute(data).ok());
        let key_storage = match (self.key_storage, data) {
            (KeyStorage::Directory(KeyDirectory { path, .. }), Some(data)) => {
                let service = Some(format!("sandbox {}", data.display()));
                KeyStorage::Directory(KeyDirectory { path, service })
            }
            _ => KeyStorage::Memory,
        };
        Self { service: Ok((base_url, credential)), key_storage, ..self }
    }
}

/// Reads the settings. `flags`: those of the subcommand, then those of the program, since a flag may come before
/// or after the subcommand.
///
/// # Errors
/// A message for flags that contradict each other; invalid variables are part of [`Config`].
#[expect(clippy::disallowed_methods, reason = "the only place that reads settings")]
pub(crate) fn read(flags: &[&ArgMatches]) -> Result<Config, String> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with("POLYTOMIC_") || name == "RUST_LOG")
        .collect();
    Reader { flags, variables, warnings: Vec::new(), invalid_variable: None }.config()
}

struct Reader<'a> {
    flags: &'a [&'a ArgMatches],
    variables: Vec<(String, String)>,
    warnings: Vec<String>,
    invalid_variable: Option<String>,
}

impl Reader<'_> {
    fn config(mut self) -> Result<Config, String> {
        self.check_names()?;
        let selection = self.selection()?;
        let sandbox = self.switch(&SANDBOX);
        let sandbox_data = self.text(&SANDBOX_DATA);
        if sandbox && cfg!(not(feature = "sandbox")) {
            let message = "This build has no sandbox; unset POLYTOMIC_SANDBOX.".to_owned();
            self.invalid_variable.get_or_insert(message);
        }
        if sandbox_data.is_some() && !sandbox {
            if self.has_flag(&SANDBOX_DATA) {
                return Err("--sandbox-data requires --sandbox.".to_owned());
            }
            let variable = SANDBOX_DATA.variable();
            self.warnings.push(format!("{variable} has no effect without the sandbox"));
        }
        let service = self.service();
        if let Err(error) = &service
            && (self.has_flag(&BASE_URL) || self.has_flag(&ORGANIZATION_ID))
            && self.text(&API_KEY).is_some()
        {
            return Err(error.message.clone());
        }
        Ok(Config {
            service,
            api_version: self.text(&VERSION).unwrap_or_else(|| API_VERSION.to_owned()),
            timeout: Duration::from_secs(self.number(&TIMEOUT_SECONDS)),
            key_storage: self.key_storage()?,
            own_only: self.protective_switch(&OWN_ONLY)?,
            audit_log: self.text(&AUDIT_LOG).map(|text| file_path(&text)),
            max_in_flight: self.size(&MAX_IN_FLIGHT),
            max_bytes: self.size(&MAX_BYTES),
            confirm: self.confirm(),
            selection,
            rpc_token: self.text(&RPC_TOKEN),
            #[cfg(feature = "sandbox")]
            sandbox,
            #[cfg(feature = "sandbox")]
            sandbox_data: sandbox_data.map(PathBuf::from),
            #[cfg(feature = "sandbox")]
            ignored_for_sandbox: self.set_variables(&[&API_KEY, &BASE_URL]),
            max_line_bytes: self.size(&MAX_LINE_BYTES),
            drain: Duration::from_secs(self.number(&DRAIN_SECONDS)),
            log: self.log(),
            invalid_variable: self.invalid_variable,
            warnings: self.warnings,
        })
    }

    fn service(&mut self) -> Result<(BaseUrl, Credential), ConfigurationError> {
        let allow_http = self.switch(&ALLOW_HTTP);
        let base_url = self.text(&BASE_URL).unwrap_or_else(|| HOSTED.to_owned());
        let base_url = BaseUrl::parse(&base_url, allow_http)?;
        let organization_id = self.text(&ORGANIZATION_ID);
        let Some(key) = self.text(&API_KEY) else {
            return Err(ConfigurationError::new(
                "No API key is configured.",
                "Set POLYTOMIC_API_KEY in the server's environment (and POLYTOMIC_ORGANIZATION_ID for a \
                 key that is used in one organization), or start the server with --sandbox to try it \
                 without an account.",
            ));
        };
        if is_sandbox_key(&key) && !base_url.is_loopback() {
            return Err(ConfigurationError::new(
                format!("POLYTOMIC_API_KEY is the key of a sandbox, which {base_url} is not."),
                "Set POLYTOMIC_BASE_URL to the URL that the sandbox printed beside the key, or POLYTOMIC_API_KEY to \
                 a key of Polytomic.",
            ));
        }
        let credential = match organization_id {
            Some(id) => Credential::basic(&id, &key)?,
            None => Credential::bearer(&key)?,
        };
        Ok((base_url, credential))
    }

    /// The directory for state, which is that of the user unless the setting names one.
    fn key_storage(&mut self) -> Result<KeyStorage, String> {
        let path = match self.text(&STATE) {
            Some(text) if is_no(&text) || text.eq_ignore_ascii_case("none") => {
                return Ok(KeyStorage::Memory);
            }
            // With a relative path, processes in other directories would not find each other's keys.
            Some(text) => match absolute_path(&text) {
                Some(path) => path,
                None if self.has_flag(&STATE) => {
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
                    self.warnings.push(warning.to_owned());
                    return Ok(KeyStorage::Memory);
                };
                path.join("polytomic-mcp")
            }
        };
        Ok(KeyStorage::Directory(KeyDirectory { path, service: None }))
    }

    /// The tools to serve.
    fn selection(&mut self) -> Result<Selection, String> {
        let chosen = self.text(&ACCESS);
        let access = match &chosen {
            Some(word) => match Access::parse(&word.to_ascii_lowercase()) {
                Some(access) => Some(access),
                None => return Err(unknown_word(&ACCESS, Access::WORDS, word)),
            },
            None => None,
        };
        let is_read_only_flag = self.protective_switch(&READ_ONLY)?;
        if is_read_only_flag && let Some(access @ (Access::Write | Access::Full)) = access {
            return Err(format!(
                "read_only and access {access} contradict each other: set one of them."
            ));
        }
        Ok(Selection {
            access: if is_read_only_flag { Access::Read } else { access.unwrap_or_default() },
            is_read_only_flag,
            toolsets: self.list(&TOOLSETS)?,
            tools: self.list(&TOOLS)?,
            excluded: self.list(&EXCLUDE_TOOLS)?,
        })
    }

    /// Names separated by commas or blanks; hyphens in them count as underscores.
    fn list(&mut self, setting: &Setting) -> Result<Vec<String>, String> {
        let Some(text) = self.text(setting) else { return Ok(Vec::new()) };
        let names = text.split(|c: char| c == ',' || c.is_whitespace());
        let names: Vec<String> = names
            .filter(|name| !name.is_empty())
            .map(|name| name.to_ascii_lowercase().replace('-', "_"))
            .collect();
        match names.is_empty() {
            true => Err(invalid_value(&setting.variable(), "names separated by commas", &text)),
            false => Ok(names),
        }
    }

    fn has_flag(&self, setting: &Setting) -> bool {
        self.flags.iter().any(|flags| setting.is_on_command_line(flags))
    }

    /// The value of a setting as text, from the source with the highest precedence.
    fn text(&mut self, setting: &Setting) -> Option<String> {
        self.flag(setting).or_else(|| self.variable(setting))
    }

    /// The flag's value, as clap has validated it.
    fn flag(&self, setting: &Setting) -> Option<String> {
        let flags = self.flags.iter().find(|flags| setting.is_on_command_line(flags))?;
        let values = flags.get_raw(setting.name)?;
        let mut values = values.map(|value| value.to_string_lossy().into_owned());
        let text = match setting.kind {
            SettingKind::List(_) => Some(values.collect::<Vec<_>>().join(",")),
            _ => values.next_back(),
        };
        if setting.kind == SettingKind::Switch { Some("1".to_owned()) } else { text }
    }

    /// The variable's value. Editors pass `${…}` for values that nobody filled in, and empty text.
    fn variable(&mut self, setting: &Setting) -> Option<String> {
        let name = setting.variable();
        let (_, value) = self.variables.iter().find(|(known, _)| *known == name)?;
        let value = value.trim();
        if is_unfilled(value) {
            let warning = format!("{name} is empty or an unfilled placeholder and counts as unset");
            self.warnings.push(warning);
            return None;
        }
        Some(value.to_owned())
    }

    /// Which of some settings have a variable with a value.
    #[cfg(feature = "sandbox")]
    fn set_variables(&self, settings: &[&Setting]) -> Vec<String> {
        let is_set = |name: &String| {
            self.variables.iter().any(|(known, value)| known == name && !is_unfilled(value.trim()))
        };
        settings.iter().map(|setting| setting.variable()).filter(is_set).collect()
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
        let message = invalid_value(&setting.variable(), expected, text);
        self.invalid_variable.get_or_insert(message);
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

    /// An invalid value asks; it never means that nobody is asked, and fails each call anyway.
    fn confirm(&mut self) -> ConfirmPolicy {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "never" => Some(ConfirmPolicy::Never),
            "destructive" => Some(ConfirmPolicy::Destructive),
            "writes" => Some(ConfirmPolicy::Writes),
            _ => None,
        };
        let expected = "never, destructive or writes";
        self.parsed(&CONFIRM, expected, parse, ConfirmPolicy::default())
    }

    /// A switch that protects data.
    fn protective_switch(&mut self, setting: &Setting) -> Result<bool, String> {
        let Some(text) = self.text(setting) else { return Ok(false) };
        let invalid = || invalid_value(&setting.variable(), SWITCH_VALUES, &text);
        parse_switch(&text).ok_or_else(invalid)
    }

    fn log(&mut self) -> LevelFilter {
        // Rust programs are expected to honour RUST_LOG; only a plain level is accepted.
        let rust_log = self.variables.iter().find(|(name, _)| name == "RUST_LOG");
        let default = rust_log.and_then(|(_, level)| level.parse().ok());
        let parse = |text: &str| text.parse::<LevelFilter>().ok();
        let expected = "off, error, warn, info, debug or trace";
        self.parsed(&LOG, expected, parse, default.unwrap_or(LevelFilter::WARN))
    }

    /// A misspelled variable has no effect and goes unnoticed, so names close to a setting are reported.
    ///
    /// # Errors
    /// A message if the setting protects data.
    fn check_names(&mut self) -> Result<(), String> {
        let known: Vec<String> = SETTINGS.iter().map(|setting| setting.variable()).collect();
        for (name, _) in &self.variables {
            if known.contains(name) || name == "RUST_LOG" {
                continue;
            }
            let nearest = known.iter().map(|k| (strsim::damerau_levenshtein(k, name), k)).min();
            if let Some((1..=2, nearest)) = nearest {
                let message = format!("{name} is not a setting; did you mean {nearest}?");
                if SELECTION.iter().chain(PROTECTIVE).any(|setting| setting.variable() == *nearest)
                {
                    return Err(message);
                }
                self.warnings.push(message);
            }
        }
        Ok(())
    }
}

fn invalid_value(name: &str, expected: &str, text: &str) -> String {
    let quoted: String = text.chars().take(MAX_QUOTED_CHARACTERS).collect();
    format!("{name}: expected {expected}, got {quoted:?}.")
}

/// A word that is none of a setting's.
fn unknown_word(setting: &Setting, words: &[&str], text: &str) -> String {
    let message = invalid_value(&setting.variable(), &words.join(", "), text);
    let nearest = words.iter().map(|word| (strsim::damerau_levenshtein(word, text), word)).min();
    match nearest {
        Some((0..=2, word)) => format!("{message} Did you mean {word:?}?"),
        _ => message,
    }
}

fn parse_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" => Some(true),
        text => is_no(text).then_some(false),
    }
}

/// Whether nobody filled in a value.
fn is_unfilled(value: &str) -> bool {
    value.is_empty() || (value.starts_with("${") && value.ends_with('}'))
}

/// Whether a key has the form of those that `polytomic-mcp sandbox` prints. It is worthless elsewhere: the URL beside
/// it was lost, so that the call would reach the hosted service.
fn is_sandbox_key(key: &str) -> bool {
    key.strip_prefix("sandbox-").is_some_and(|id| uuid::Uuid::try_parse(id).is_ok())
}

fn is_no(text: &str) -> bool {
    ["0", "false", "off", "no"].iter().any(|no| no.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SANDBOX_KEY: &str = "sandbox-248df4b7aa7047b8a03633ac447e668d";

    fn config(variables: &[(&str, &str)]) -> Config {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let reader = Reader { flags: &[], variables, warnings: Vec::new(), invalid_variable: None };
        reader.config().unwrap()
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
