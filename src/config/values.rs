//! From flags and variables to what the program goes by.
//!
//! A flag beats a variable. A wrong flag stops the start; a wrong variable does not, so that an assistant sees
//! the reason as the error of its call, not a dead server.

#[cfg(feature = "sandbox")]
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;

use super::settings::*;
use crate::polytomic::{API_VERSION, BaseUrl, ClientConfig, Credential, Error};

/// What the settings come to.
pub(crate) struct Config {
    /// Where the service is and who calls it, or why that cannot be told.
    service: Result<(BaseUrl, Credential), Error>,
    /// The first variable that is wrong.
    problem: Option<String>,
    api_version: String,
    timeout: Duration,
    max_in_flight: usize,
    /// The most bytes of an answer.
    pub(crate) max_bytes: usize,
    /// What the JSON-RPC server asks of every request.
    pub(crate) rpc_token: Option<String>,
    /// Whether the embedded sandbox stands in for the API.
    #[cfg(feature = "sandbox")]
    pub(crate) sandbox: bool,
    /// Where the sandbox keeps what it is given.
    #[cfg(feature = "sandbox")]
    pub(crate) sandbox_data: Option<PathBuf>,
    /// The longest line that is read.
    pub(crate) max_line_bytes: usize,
    /// How long calls in flight get after the end of the input.
    pub(crate) drain: Duration,
    /// Level of the log.
    pub(crate) log: tracing::level_filters::LevelFilter,
    /// What was odd about the variables, for the log.
    pub(crate) warnings: Vec<String>,
}

impl Config {
    /// Why every call will fail, if that is so; for those who start a server and see no call.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.problem.clone().or_else(|| self.service.as_ref().err().map(ToString::to_string))
    }

    /// How to reach the service.
    ///
    /// # Errors
    /// [`Error::Configuration`] for the first setting that is missing or wrong.
    pub(crate) fn client(self) -> Result<ClientConfig, Error> {
        let Self { service, problem, api_version, timeout, max_in_flight, .. } = self;
        if let Some(message) = problem {
            let hint = "Correct or unset the variable and start the program again.".to_owned();
            return Err(Error::Configuration { message, hint });
        }
        let (base_url, credential) = service?;
        let config = ClientConfig::new(base_url, credential);
        Ok(ClientConfig { api_version, timeout, max_in_flight, ..config })
    }

    /// The same, with another service in place of the configured one.
    #[cfg(feature = "sandbox")]
    pub(crate) fn with_service(self, base_url: BaseUrl, credential: Credential) -> Self {
        Self { service: Ok((base_url, credential)), ..self }
    }
}

/// Reads the settings from the command line and the environment. `flags`: of the subcommand, then of the
/// program, since a flag may stand before and behind the subcommand.
///
/// # Errors
/// A sentence for the first flag that is wrong; wrong variables are part of [`Config`].
#[expect(clippy::disallowed_methods, reason = "this is where the settings are read")]
pub(crate) fn read(flags: &[&ArgMatches]) -> Result<Config, String> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with("POLYTOMIC_") || name == "RUST_LOG")
        .collect();
    Values { flags, variables, warnings: Vec::new(), problem: None }.config()
}

struct Values<'a> {
    flags: &'a [&'a ArgMatches],
    variables: Vec<(String, String)>,
    warnings: Vec<String>,
    /// The first variable that is wrong.
    problem: Option<String>,
}

impl Values<'_> {
    fn config(mut self) -> Result<Config, String> {
        self.look_for_typos();
        let sandbox = self.switch(&SANDBOX)?;
        let sandbox_data = self.text(&SANDBOX_DATA);
        if sandbox && cfg!(not(feature = "sandbox")) {
            let message = "this build has no sandbox; unset POLYTOMIC_SANDBOX.".to_owned();
            self.problem.get_or_insert(message);
        }
        if sandbox_data.is_some() && !sandbox && self.flag(&SANDBOX_DATA).is_some() {
            return Err("--sandbox-data goes with --sandbox.".to_owned());
        }
        let timeout = Duration::from_secs(self.number(&TIMEOUT_SECONDS)?);
        let max_line_bytes = self.number(&MAX_LINE_BYTES)?;
        let drain = Duration::from_secs(self.number(&DRAIN_SECONDS)?);
        let log = self.log()?;
        let allow_http = self.switch(&ALLOW_HTTP)?;
        let max_in_flight = usize::try_from(self.number(&MAX_IN_FLIGHT)?).unwrap_or(1);
        let max_bytes = usize::try_from(self.number(&MAX_BYTES)?).unwrap_or(usize::MAX);
        let service = self.service(allow_http);
        if let Err(Error::Configuration { message, .. }) = &service
            && [&BASE_URL, &ORGANIZATION_ID].iter().any(|setting| self.flag(setting).is_some())
            && self.text(&API_KEY).is_some()
        {
            return Err(message.clone());
        }
        if sandbox_data.is_some() && !sandbox {
            let variable = SANDBOX_DATA.variable();
            self.warnings.push(format!("{variable} has no effect without the sandbox"));
        }
        let api_version = self.text(&VERSION).unwrap_or_else(|| API_VERSION.to_owned());
        let rpc_token = self.text(&RPC_TOKEN);
        Ok(Config {
            rpc_token,
            service,
            problem: self.problem,
            api_version,
            timeout,
            max_in_flight,
            max_bytes,
            #[cfg(feature = "sandbox")]
            sandbox,
            #[cfg(feature = "sandbox")]
            sandbox_data: sandbox_data.map(PathBuf::from),
            max_line_bytes: usize::try_from(max_line_bytes).unwrap_or(usize::MAX),
            drain,
            log,
            warnings: self.warnings,
        })
    }

    fn service(&mut self, allow_http: bool) -> Result<(BaseUrl, Credential), Error> {
        let base_url = self.text(&BASE_URL).unwrap_or_else(|| HOSTED.to_owned());
        let base_url = BaseUrl::parse(&base_url, allow_http)?;
        let organization_id = self.text(&ORGANIZATION_ID);
        let Some(key) = self.text(&API_KEY) else {
            return Err(Error::Configuration {
                message: "No API key is configured.".to_owned(),
                hint: "Set POLYTOMIC_API_KEY in the server's environment (and \
                       POLYTOMIC_ORGANIZATION_ID for a key that is used inside one organization), \
                       or start it with --sandbox to try it without an account."
                    .to_owned(),
            });
        };
        let credential = match organization_id {
            Some(id) => Credential::basic(&id, &key)?,
            None => Credential::bearer(&key)?,
        };
        Ok((base_url, credential))
    }

    /// The flag's text, where it was given.
    fn flag(&self, setting: &Setting) -> Option<String> {
        setting.flag()?;
        let flags = self.flags.iter().find(|flags| setting.is_given(flags))?;
        Some(match setting.kind {
            Kind::Switch => "1".to_owned(),
            _ => flags.get_one::<String>(setting.name)?.clone(),
        })
    }

    /// The variable's text. Editors hand over `${…}` for what nobody filled in, and empty text.
    fn variable(&mut self, setting: &Setting) -> Option<String> {
        let name = setting.variable();
        let (_, value) = self.variables.iter().find(|(known, _)| *known == name)?;
        let value = value.trim();
        if value.is_empty() || (value.starts_with("${") && value.ends_with('}')) {
            let warning = format!("{name} is empty or an unfilled placeholder: it counts as unset");
            self.warnings.push(warning);
            return None;
        }
        Some(value.to_owned())
    }

    fn text(&mut self, setting: &Setting) -> Option<String> {
        self.flag(setting).or_else(|| self.variable(setting))
    }

    /// A value by `read`, which says what was expected. A wrong flag is an error, a wrong variable a
    /// problem, with the default in its place.
    fn parsed<T>(
        &mut self,
        setting: &Setting,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
        default: T,
    ) -> Result<T, String> {
        let wrong = |name: &str, value: &str| {
            let value: String = value.chars().take(80).collect();
            format!("{name}: expected {expected}, got {value:?}.")
        };
        if let Some(value) = self.flag(setting) {
            let name = setting.flag().map(|flag| format!("--{flag}")).unwrap_or_default();
            return read(&value).ok_or_else(|| wrong(&name, &value));
        }
        let Some(value) = self.variable(setting) else {
            return Ok(default);
        };
        Ok(read(&value).unwrap_or_else(|| {
            self.problem.get_or_insert(wrong(&setting.variable(), &value));
            default
        }))
    }

    fn number(&mut self, setting: &Setting) -> Result<u64, String> {
        let (low, high) = match setting.kind {
            Kind::Number(low, high) => (low, high),
            _ => (0, u64::MAX),
        };
        let read = |text: &str| text.parse().ok().filter(|n| (low..=high).contains(n));
        let default = setting.default.parse().unwrap_or(low);
        self.parsed(setting, &format!("a whole number from {low} to {high}"), read, default)
    }

    fn switch(&mut self, setting: &Setting) -> Result<bool, String> {
        let read = |text: &str| match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "on" | "yes" => Some(true),
            "0" | "false" | "off" | "no" => Some(false),
            _ => None,
        };
        self.parsed(setting, "1 or 0 (true and false do as well)", read, false)
    }

    fn log(&mut self) -> Result<tracing::level_filters::LevelFilter, String> {
        use tracing::level_filters::LevelFilter;
        // RUST_LOG is what Rust programs are expected to hear; its plain levels are taken.
        let rust_log = self.variables.iter().find(|(name, _)| name == "RUST_LOG");
        let default = rust_log.and_then(|(_, level)| level.parse().ok());
        let read = |text: &str| text.parse::<LevelFilter>().ok();
        let expected = "off, error, warn, info, debug or trace";
        self.parsed(&LOG, expected, read, default.unwrap_or(LevelFilter::WARN))
    }

    /// A misspelt variable does nothing, which nobody notices: a near miss is told.
    fn look_for_typos(&mut self) {
        let known: Vec<String> = SETTINGS.iter().map(|setting| setting.variable()).collect();
        for (name, _) in &self.variables {
            if known.contains(name) || name == "RUST_LOG" {
                continue;
            }
            let nearest = known.iter().map(|k| (strsim::damerau_levenshtein(k, name), k)).min();
            if let Some((1..=2, meant)) = nearest {
                self.warnings.push(format!("{name} is no setting; did you mean {meant}?"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Config {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let values = Values { flags: &[], variables, warnings: Vec::new(), problem: None };
        values.config().unwrap()
    }

    #[test]
    fn a_wrong_variable_is_the_error_of_the_calls() {
        let key = ("POLYTOMIC_API_KEY", "secret-key");
        for (label, variables, expected) in [
            ("no key", vec![], "No API key is configured."),
            ("empty key", vec![("POLYTOMIC_API_KEY", " ")], "No API key is configured."),
            ("placeholder", vec![("POLYTOMIC_API_KEY", "${API_KEY}")], "No API key is configured."),
            (
                "number",
                vec![key, ("POLYTOMIC_TIMEOUT_SECONDS", "soon")],
                "POLYTOMIC_TIMEOUT_SECONDS: expected a whole number from 1 to 600, got \"soon\".",
            ),
            (
                "range",
                vec![key, ("POLYTOMIC_TIMEOUT_SECONDS", "0")],
                "POLYTOMIC_TIMEOUT_SECONDS: expected a whole number from 1 to 600, got \"0\".",
            ),
            (
                "switch",
                vec![key, ("POLYTOMIC_ALLOW_HTTP", "maybe")],
                "POLYTOMIC_ALLOW_HTTP: expected 1 or 0 (true and false do as well), got \"maybe\".",
            ),
            (
                "plain http",
                vec![key, ("POLYTOMIC_BASE_URL", "http://p.example.com")],
                "The base URL is plain http to another machine: the key would travel readable.",
            ),
        ] {
            let error = config(&variables).client().unwrap_err();
            assert_eq!(error.to_string(), expected, "{label}");
        }
    }

    #[test]
    fn a_near_miss_and_a_placeholder_are_warned_of() {
        let config = config(&[("POLYTOMIC_API_KEI", "k"), ("POLYTOMIC_BASE_URL", "${user.url}")]);
        assert_eq!(
            config.warnings,
            [
                "POLYTOMIC_API_KEI is no setting; did you mean POLYTOMIC_API_KEY?",
                "POLYTOMIC_BASE_URL is empty or an unfilled placeholder: it counts as unset",
            ]
        );
    }
}
