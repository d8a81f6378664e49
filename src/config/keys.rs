//! Where the API key comes from: a variable, a file, the output of a command, or the keys that `login` has stored.
//!
//! A command runs at the first call, so that a server starts at once, and stored keys are looked up at calls, so that `login`
//! works while it runs.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml_edit::{DocumentMut, value};

use super::file::PROFILES;
use super::paths::absolute_path;
use super::profiles::{table_of, with_profile};
use super::program;
use super::setting::Setting;
use super::settings::{API_KEY, API_KEY_COMMAND, API_KEY_FILE, KEY_SETTINGS};
use super::sources::{Layer, Sources, invalid_value};
use super::user_file::{MAX_FILE_BYTES, Readers, change};
use crate::polytomic::{ConfigurationError, read_small_text};

/// The file of stored keys, beside the settings file.
const STORED: &str = "keys.toml";
const KEY: &str = "api_key";
/// Far more than a key has.
const MAX_KEY_BYTES: u64 = 64 << 10;

/// A password manager may ask the user to unlock it.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeySource {
    /// The key itself, in a variable.
    Text(String),
    /// The key itself, which this process has got otherwise.
    Own(String),
    /// A file that contains the key, and how errors name the setting.
    File(PathBuf, String),
    /// A command that prints the key: the program and its arguments; and how errors name the setting.
    Command(Vec<String>, String),
    /// The keys that `login` has stored, for a profile or for none.
    Stored(StoredKeys, Option<String>),
    /// There is no place for one.
    Nowhere,
}

impl KeySource {
    /// The source with the highest precedence. What `login` has stored for a profile belongs to that profile, and what
    /// it has stored for none to the settings file.
    ///
    /// # Errors
    /// [`ConfigurationError`] for two sources of the same precedence, one of which was forgotten, and for one that cannot
    /// give a key.
    pub(super) fn find(sources: &Sources<'_>) -> Result<Self, ConfigurationError> {
        let profile = sources.profile().map(str::to_owned);
        let stored = sources.path().map(StoredKeys::beside);
        for layer in Layer::ALL {
            let mut found = Vec::new();
            for setting in KEY_SETTINGS {
                if let Some((text, origin)) = sources.find_in(layer, setting) {
                    let label = sources.label(setting, &origin);
                    found.push((label.clone(), Self::of(setting, &label, text)));
                }
            }
            let stored_layer = if profile.is_some() { Layer::Profile } else { Layer::File };
            if layer == stored_layer
                && let Some(keys) = &stored
                && keys.get(profile.as_deref()).is_ok_and(|key| key.is_some())
            {
                let label = keys.path().display().to_string();
                found.push((label, Ok(Self::Stored(keys.clone(), profile.clone()))));
            }
            if let [(one, _), (other, _), ..] = found.as_slice() {
                return Err(ConfigurationError::new(
                    format!("The API key has two sources: {one} and {other}."),
                    "Remove one of them, then restart the server.",
                ));
            }
            if let Some((_, source)) = found.pop() {
                return source;
            }
        }
        // Looked up once more at a call, so that `login` works while a server runs.
        Ok(stored.map_or(Self::Nowhere, |keys| Self::Stored(keys, profile)))
    }

    fn of(setting: &Setting, label: &str, text: String) -> Result<Self, ConfigurationError> {
        let invalid = |expected: &str, hint: &str| {
            Err(ConfigurationError::new(invalid_value(label, expected, &text), hint))
        };
        if setting.name == API_KEY_FILE.name {
            return match absolute_path(&text) {
                Some(path) => Ok(Self::File(path, label.to_owned())),
                None => invalid("an absolute path", "Write the whole path, or begin it with ~/."),
            };
        }
        if setting.name == API_KEY_COMMAND.name {
            return match shlex::split(&text).filter(|words| !words.is_empty()) {
                Some(words) => Ok(Self::Command(words, label.to_owned())),
                None => invalid("a command line", "Close its quotes, then restart the server."),
            };
        }
        Ok(Self::Text(text))
    }

    /// Reads the key; none if nothing is stored.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the file or command does not give a key.
    pub(super) fn read(&self) -> Result<Option<String>, ConfigurationError> {
        match self {
            Self::Text(key) | Self::Own(key) => Ok(Some(key.clone())),
            Self::File(path, label) => read_key_file(path, label).map(Some),
            Self::Command(words, label) => run(words, label).map(Some),
            Self::Stored(keys, profile) => keys.get(profile.as_deref()),
            Self::Nowhere => Ok(None),
        }
    }

    /// Where the user has to look for the key, as a noun for errors.
    pub(super) fn noun(&self) -> String {
        match self {
            Self::Text(_) => API_KEY.variable(),
            Self::Own(_) | Self::Nowhere => "the key".to_owned(),
            Self::File(path, label) => format!("the key in {} ({label})", path.display()),
            Self::Command(words, label) => {
                let program = words.first().map(String::as_str).unwrap_or_default();
                format!("the key that {program} prints ({label})")
            }
            Self::Stored(keys, profile) => {
                let path = keys.path().display();
                let of = profile
                    .as_ref()
                    .map_or_else(String::new, |name| format!(" of profile {name:?}"));
                let login = with_profile("polytomic-mcp login", profile.as_deref());
                format!("the key{of} in {path} (`{login}` replaces it)")
            }
        }
    }

    /// The profile whose stored key it is.
    pub(super) fn profile(&self) -> Option<&str> {
        match self {
            Self::Stored(_, profile) => profile.as_deref(),
            _ => None,
        }
    }
}

/// In words, without the key.
impl fmt::Display for KeySource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = |keys: &StoredKeys, profile: &Option<String>| {
            keys.get(profile.as_deref()).is_ok_and(|key| key.is_some())
        };
        match self {
            Self::Text(_) => formatter.write_str("set in POLYTOMIC_API_KEY"),
            Self::Own(_) => formatter.write_str("that of this command"),
            Self::File(path, _) => write!(formatter, "in the file {}", path.display()),
            Self::Command(words, _) => {
                write!(formatter, "printed by {}", words.first().map_or("", |word| word))
            }
            Self::Stored(keys, profile) if stored(keys, profile) => {
                write!(formatter, "stored in {}", keys.path().display())
            }
            Self::Stored(..) | Self::Nowhere => formatter.write_str("none"),
        }
    }
}

fn read_key_file(path: &Path, label: &str) -> Result<String, ConfigurationError> {
    let shown = path.display();
    let unusable = |reason: &dyn fmt::Display| {
        let hint = format!("Set {label} to a file that contains only the key.");
        ConfigurationError::new(format!("The key file {shown} cannot be used: {reason}."), hint)
    };
    let text = read_small_text(path, MAX_KEY_BYTES).map_err(|error| unusable(&error))?;
    if is_open_to_others(path) {
        tracing::warn!("other users can read the key file {shown}; chmod 600 closes it to them");
    }
    match trimmed(&text) {
        "" => Err(unusable(&"it is empty")),
        key if key.contains(char::is_control) => Err(unusable(&"it has several lines")),
        key => Ok(key.to_owned()),
    }
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}

/// Runs the command that prints the key.
fn run(words: &[String], label: &str) -> Result<String, ConfigurationError> {
    let failed = |reason: &str| {
        let program = words.first().map(String::as_str).unwrap_or_default();
        let hint = format!(
            "Run the command of {label} in a terminal: it has to print the key, and nothing else, within 10 s and \
             without a question."
        );
        ConfigurationError::new(format!("The command {program:?} for the API key {reason}."), hint)
    };
    let (command, arguments) = words.split_first().ok_or_else(|| failed("is empty"))?;
    let text =
        program::run(command, arguments, COMMAND_TIMEOUT).map_err(|reason| failed(&reason))?;
    match trimmed(&text) {
        "" => Err(failed("printed nothing")),
        key if key.contains(char::is_control) => Err(failed("printed several lines")),
        key => Ok(key.to_owned()),
    }
}

/// A key without the blanks and the byte-order mark that editors and shells put around it.
pub(crate) fn trimmed(key: &str) -> &str {
    key.trim_start_matches('\u{feff}').trim()
}

/// The file of the keys that `login` has stored, which only the user can read. Not the system's keychain: on Linux
/// its client needs D-Bus and an async runtime of its own, and servers without a desktop have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredKeys {
    path: PathBuf,
}

impl StoredKeys {
    /// The keys beside a settings file.
    pub(super) fn beside(settings: &Path) -> Self {
        Self { path: settings.with_file_name(STORED) }
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The key of a profile, or the one of none.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the file exists and cannot be read.
    pub(crate) fn get(&self, profile: Option<&str>) -> Result<Option<String>, ConfigurationError> {
        let document = self.read()?;
        let table = match profile {
            Some(profile) => document.get(PROFILES).and_then(|profiles| profiles.get(profile)),
            None => Some(document.as_item()),
        };
        let key = table.and_then(|table| table.get(KEY)?.as_str());
        Ok(key.map(str::to_owned))
    }

    /// Stores the key of a profile, or removes it.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the file cannot be read or written.
    pub(crate) fn set(
        &self,
        profile: Option<&str>,
        key: Option<&str>,
    ) -> Result<(), ConfigurationError> {
        let edit = |text: &str| {
            // The text of a syntax error could quote a key.
            let document = text.parse::<DocumentMut>();
            let mut document = document.map_err(|_| "it is not TOML".to_owned())?;
            let table = table_of(&mut document, profile)?;
            match key {
                Some(key) => table.insert(KEY, value(key)),
                None => table.remove(KEY),
            };
            Ok(document.to_string())
        };
        change(&self.path, Readers::User, edit).map_err(|message| {
            let hint = "Correct or delete the file, or set POLYTOMIC_API_KEY_FILE.";
            ConfigurationError::new(format!("{message}."), hint)
        })
    }

    fn read(&self) -> Result<DocumentMut, ConfigurationError> {
        match read_small_text(&self.path, MAX_FILE_BYTES) {
            // The text of a syntax error could quote a key.
            Ok(text) => text.parse().map_err(|_| self.unreadable("it is not TOML")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(DocumentMut::new()),
            Err(error) => Err(self.unreadable(error)),
        }
    }

    fn unreadable(&self, reason: impl std::fmt::Display) -> ConfigurationError {
        let message = format!("{} cannot be read: {reason}.", self.path.display());
        ConfigurationError::new(
            message,
            "Correct or delete the file, then run `polytomic-mcp login`.",
        )
    }
}
