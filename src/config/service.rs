//! The address of the API, and where its credential comes from.

use super::keys::KeySource;
use super::profiles::with_profile;
use crate::polytomic::{BaseUrl, ConfigurationError, Credential};

/// The API as the settings have it.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) base_url: BaseUrl,
    pub(super) organization_id: Option<String>,
    pub(super) key: KeySource,
}

impl Service {
    /// Whether the key is in a setting itself, so that it can be checked at the start.
    pub(super) fn has_key_text(&self) -> bool {
        matches!(self.key, KeySource::Text(_))
    }

    /// Whether a command prints the key.
    pub(super) fn has_key_command(&self) -> bool {
        matches!(self.key, KeySource::Command(..))
    }

    /// Reads the key.
    ///
    /// # Errors
    /// [`ConfigurationError`] without a key, and for one that cannot be used.
    pub(super) fn credential(&self) -> Result<Credential, ConfigurationError> {
        let Some(key) = self.key.read()? else { return Err(self.no_key()) };
        let source = self.key.noun();
        if is_sandbox_key(&key) && !self.base_url.is_loopback() {
            return Err(ConfigurationError::new(
                format!("{source} is the key of a sandbox, which {} is not.", self.base_url),
                "Set POLYTOMIC_BASE_URL to the URL that the sandbox printed beside the key, or use a key of Polytomic.",
            ));
        }
        let credential = match &self.organization_id {
            Some(id) => Credential::basic(id, &key),
            None => Credential::bearer(&key),
        };
        Ok(credential?.from_source(source))
    }

    fn no_key(&self) -> ConfigurationError {
        let Some(profile) = self.key.profile() else {
            return ConfigurationError::new(
                "No API key is configured.",
                "Set POLYTOMIC_API_KEY in the server's environment (and POLYTOMIC_ORGANIZATION_ID for a key that is \
                 used in one organization), or run `polytomic-mcp login`, or start the server with --sandbox to try it \
                 without an account.",
            );
        };
        let login = with_profile("polytomic-mcp login", Some(profile));
        ConfigurationError::new(
            format!("No API key is configured for profile {profile:?}."),
            format!("Run `{login}`, or set POLYTOMIC_API_KEY in the server's environment."),
        )
    }
}

/// Whether a key has the form of those that `polytomic-mcp sandbox` prints. It is worthless elsewhere: the URL beside
/// it was lost, so that the call would reach the hosted service.
fn is_sandbox_key(key: &str) -> bool {
    key.strip_prefix("sandbox-").is_some_and(|id| uuid::Uuid::try_parse(id).is_ok())
}
