//! The configuration of a process, as the settings give it.

use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::keys::{KeySource, StoredKeys};
use super::ports::PortSettings;
use super::report::{Report, ReportedSetting};
use super::service::Service;
use super::settings::{KEY_SETTINGS, SELECTION};
use super::sources::Origin;
use crate::polytomic::{BaseUrl, ClientConfig, ConfigurationError, KeyStorage};
#[cfg(feature = "sandbox")]
use crate::polytomic::{KeyDirectory, KeyServer};
use crate::registry::{ConfirmPolicy, Masking, Selection};
use crate::state::SharedState;

/// The configuration of a process.
#[derive(Clone)]
pub(crate) struct Config {
    /// The service, or why there is none.
    pub(super) service: Result<Service, ConfigurationError>,
    /// The first invalid setting.
    pub(super) problem: Option<String>,
    /// Why the chosen profile has no settings, if so.
    pub(super) unknown_profile: Option<String>,
    /// Name of the chosen profile.
    pub(crate) profile: Option<String>,
    /// Every setting, as `config` prints it.
    pub(crate) report: Report,
    pub(super) api_version: String,
    pub(super) timeout: Duration,
    pub(super) key_storage: KeyStorage,
    /// Certificates to trust beside the system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether plain http to other machines is allowed.
    pub(crate) allow_http: bool,
    /// Whether only models that this server has created may be changed.
    pub(crate) own_only: bool,
    /// Whether operations may be called that return or take secrets.
    pub(crate) allow_secret_operations: bool,
    /// File of the audit log.
    pub(crate) audit_log: Option<PathBuf>,
    pub(super) max_in_flight: usize,
    /// Maximum size of a result in bytes.
    pub(crate) max_bytes: usize,
    /// Which calls the user has to confirm.
    pub(crate) confirm: ConfirmPolicy,
    /// Which values of records are masked; with an invalid variable every call fails before there is one.
    pub(crate) masking: Masking,
    /// The tools to serve.
    pub(crate) selection: Selection,
    /// Whether names of tools and toolsets are from the settings file, which never stops the start.
    pub(crate) are_tool_names_from_file: bool,
    /// The settings of a server that listens on a port.
    pub(crate) ports: PortSettings,
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
    /// The state that several servers share; none if there is none.
    pub(crate) fn shared_state(&self) -> Option<&SharedState> {
        match &self.key_storage {
            KeyStorage::Redis(server) => Some(&server.state),
            _ => None,
        }
    }

    /// Whether writes fail while the state cannot be reached.
    pub(crate) fn requires_state(&self) -> bool {
        match &self.key_storage {
            KeyStorage::Directory(directory) => directory.is_required,
            KeyStorage::Redis(server) => server.state.is_required(),
            KeyStorage::Memory => false,
        }
    }

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

    /// The same for a server whose callers bring their keys.
    pub(crate) fn problem_without_key(&self) -> Option<String> {
        let service = || self.service.as_ref().err().map(ToString::to_string);
        self.invalid_setting().map(str::to_owned).or_else(service)
    }

    /// The first setting that is invalid.
    pub(crate) fn invalid_setting(&self) -> Option<&str> {
        self.problem.as_deref().or(self.unknown_profile.as_deref())
    }

    /// The same for a command that creates the profile.
    pub(crate) fn invalid_setting_but_profile(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The settings that select tools and are set, with their origins.
    pub(crate) fn selected_by(&self) -> Vec<String> {
        let selects = |name| SELECTION.iter().any(|setting| setting.name == name);
        let settings = self.report.settings.iter();
        let set = settings
            .filter(|reported| selects(reported.setting.name) && !reported.origin.is_default());
        set.map(|reported| format!("{} ({})", reported.setting.name, reported.origin)).collect()
    }

    /// The setting that says where the key of the profile is, or of servers without one; none if nothing does.
    pub(crate) fn other_key_source(&self) -> Option<String> {
        let other = self.key_settings().find(|reported| match reported.origin {
            Origin::Profile(..) => true,
            Origin::File(_) => self.profile.is_none(),
            Origin::Flag | Origin::Variable | Origin::Default => false,
        })?;
        Some(format!("{} ({})", other.setting.name, other.origin))
    }

    /// Whether a process that another program starts has a key: one that is stored, or a setting that is no variable.
    pub(crate) fn has_lasting_key(&self) -> bool {
        let is_source = |reported: &ReportedSetting| {
            !matches!(reported.origin, Origin::Variable | Origin::Default)
        };
        let profile = self.profile.as_deref();
        let is_stored = |keys: &StoredKeys| keys.get(profile).is_ok_and(|key| key.is_some());
        self.key_settings().any(is_source) || self.stored_keys().as_ref().is_some_and(is_stored)
    }

    /// The flag or variable that says where the key is, if one does; it has precedence over the stored key.
    pub(crate) fn key_beyond_file(&self) -> Option<String> {
        let flag = self.key_settings().find(|reported| reported.origin == Origin::Flag);
        let flag = flag.and_then(|reported| Some(format!("--{}", reported.setting.flag()?)));
        flag.or_else(|| self.key_variable())
    }

    /// The variable that says where the key is, if one does.
    pub(crate) fn key_variable(&self) -> Option<String> {
        let variable = self.key_settings().find(|reported| reported.origin == Origin::Variable);
        variable.map(|reported| reported.setting.variable())
    }

    /// The key of a file or command that a flag names; none if no flag does.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the file or command does not give a key.
    pub(crate) fn key_of_flag(&self) -> Result<Option<String>, ConfigurationError> {
        if !self.key_settings().any(|reported| reported.origin == Origin::Flag) {
            return Ok(None);
        }
        self.service.as_ref().map_err(Clone::clone)?.key.read()
    }

    fn key_settings(&self) -> impl Iterator<Item = &ReportedSetting> {
        let is_of_key = |name| KEY_SETTINGS.iter().any(|setting| setting.name == name);
        self.report.settings.iter().filter(move |reported| is_of_key(reported.setting.name))
    }

    /// The keys that `login` stores; none if there is no place for them.
    pub(crate) fn stored_keys(&self) -> Option<StoredKeys> {
        self.report.path.as_deref().map(StoredKeys::beside)
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
        self.client_with(Service::credential)
    }

    /// The same without a key, for a server whose callers bring theirs.
    ///
    /// # Errors
    /// As [`Config::client`].
    pub(crate) fn client_without_key(self) -> Result<ClientConfig<()>, ConfigurationError> {
        self.client_with(|_| Ok(()))
    }

    fn client_with<C>(
        self,
        credential: impl FnOnce(&Service) -> Result<C, ConfigurationError>,
    ) -> Result<ClientConfig<C>, ConfigurationError> {
        if let Some(message) = self.invalid_setting() {
            let hint = "Correct or remove the setting, then restart the server.";
            return Err(ConfigurationError::new(message, hint));
        }
        let Self { service, api_version, timeout, ca_file, .. } = self;
        let service = service?;
        let credential = credential(&service)?;
        let (key_storage, max_in_flight) = (self.key_storage, self.max_in_flight);
        let config = ClientConfig::new(service.base_url, credential);
        Ok(ClientConfig { api_version, timeout, max_in_flight, key_storage, ca_file, ..config })
    }

    /// The same configuration with another key, for a profile that need not exist yet.
    pub(crate) fn with_key(self, key: &str) -> Self {
        let with_key =
            |service: Service| Service { key: KeySource::Own(key.to_owned()), ..service };
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
            (KeyStorage::Directory(directory), Some(data)) => {
                let service = Some(format!("sandbox {}", data.display()));
                KeyStorage::Directory(KeyDirectory { service, ..directory })
            }
            (KeyStorage::Redis(server), Some(data)) => {
                let service = Some(format!("sandbox {}", data.display()));
                KeyStorage::Redis(KeyServer { service, ..server })
            }
            _ => KeyStorage::Memory,
        };
        let key = KeySource::Own(key.to_owned());
        let service = Ok(Service { base_url, organization_id: None, key });
        Self { service, key_storage, ..self }
    }
}
