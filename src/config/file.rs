//! The settings file: TOML with the names of the settings, and tables of profiles.
//!
//! It is read strictly: a misspelled name or a value of the wrong type is an error with its line, since a server that
//! ignored `acces = "read"` would do more than its owner allows. It holds no keys; `keys` says where those are.

use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, TableLike, Value};

use super::setting::{Setting, SettingKind};
use super::settings::{CONFIG, PROFILE, SETTINGS};
use super::user_file::MAX_FILE_BYTES;
use crate::polytomic::read_small_text;

/// Name of the file and of its folder in the user's folder for settings.
const FOLDER: &str = "polytomic-mcp";
const FILE: &str = "config.toml";
/// The table of profiles, here and in the file of keys.
pub(super) const PROFILES: &str = "profiles";

/// A settings file that has been read.
#[derive(Debug, Default)]
pub(super) struct SettingsFile {
    pub(super) path: PathBuf,
    /// The values outside profiles.
    pub(super) values: Vec<FileValue>,
    pub(super) profiles: Vec<Profile>,
}

/// The settings of one account or way of working.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) values: Vec<FileValue>,
}

/// A value as text, as a variable would have it.
#[derive(Debug, Clone)]
pub(super) struct FileValue {
    pub(super) setting: &'static str,
    pub(super) text: String,
    pub(super) line: usize,
}

/// Where the file is unless a setting says so: never in the working folder, which may be anybody's.
pub(crate) fn default_path() -> Option<PathBuf> {
    Some(dirs::config_dir()?.join(FOLDER).join(FILE))
}

impl SettingsFile {
    /// Reads a file; none if it does not exist.
    ///
    /// # Errors
    /// A message that names the file, and the line if there is one.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, String> {
        // A link that leads nowhere is no missing file: its settings would be missing without a word.
        let is_there = std::fs::symlink_metadata(path).is_ok();
        let text = match read_small_text(path, MAX_FILE_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_there => return Ok(None),
            Err(error) => return Err(format!("{}: {error}.", path.display())),
        };
        Self::parse(path, &text).map(Some)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, String> {
        let at = |line: usize| format!("{}, line {line}", path.display());
        let document = Document::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            format!("{}: not TOML: {}.", at(line), first_line(error.message()))
        })?;
        let mut file = Self { path: path.to_owned(), ..Self::default() };
        for (name, item) in document.as_table() {
            if name != PROFILES {
                file.values.push(
                    value(name, item, text, false)
                        .map_err(|(line, message)| format!("{}: {message}", at(line)))?,
                );
                continue;
            }
            let not_tables = || {
                format!("{}: expected tables such as [profiles.production].", at(line(item, text)))
            };
            for (name, item) in item.as_table_like().ok_or_else(not_tables)?.iter() {
                let table = item.as_table_like().ok_or_else(not_tables)?;
                let values = values_of(table, text).map_err(|(line, message)| {
                    format!("{}: profile {name:?}: {message}", at(line))
                })?;
                file.profiles.push(Profile { name: name.to_owned(), values });
            }
        }
        Ok(file)
    }

    pub(super) fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }
}

/// Line and message of an error.
type Located = (usize, String);

fn values_of(table: &dyn TableLike, text: &str) -> Result<Vec<FileValue>, Located> {
    table.iter().map(|(name, item)| value(name, item, text, true)).collect()
}

fn value(name: &str, item: &Item, text: &str, is_in_profile: bool) -> Result<FileValue, Located> {
    let line = line(item, text);
    let known = |setting: &&&Setting| setting.name != CONFIG.name;
    let known = || SETTINGS.iter().filter(known);
    let Some(setting) = known().find(|setting| setting.name == name) else {
        let nearest = known().map(|s| (strsim::damerau_levenshtein(s.name, name), s.name)).min();
        let advice = match nearest {
            Some((0..=3, nearest)) => format!("did you mean {nearest}?"),
            _ => "polytomic-mcp config lists the settings.".to_owned(),
        };
        return Err((line, format!("{name:?} is not a setting; {advice}")));
    };
    if setting.is_secret() {
        let advice = match name {
            "api_key" => {
                "run `polytomic-mcp login`, or set api_key_file or api_key_command".to_owned()
            }
            _ => format!("set {}", setting.variable()),
        };
        return Err((line, format!("{name}: secrets are not kept in this file; {advice}.")));
    }
    if is_in_profile && setting.name == PROFILE.name {
        return Err((line, "a profile cannot choose another one.".to_owned()));
    }
    let expected = match setting.kind {
        SettingKind::Switch => "true or false",
        SettingKind::Number(..) => "an integer",
        SettingKind::List(_) => "a list of texts, such as [\"a\", \"b\"]",
        _ => "a text in quotes",
    };
    let converted = match (setting.kind, item.as_value()) {
        (SettingKind::Switch, Some(Value::Boolean(on))) => {
            Some(if *on.value() { "1" } else { "0" }.to_owned())
        }
        (SettingKind::Number(..), Some(Value::Integer(number))) => Some(number.value().to_string()),
        (SettingKind::List(_), Some(Value::Array(items))) => items
            .iter()
            .map(|item| item.as_str())
            .collect::<Option<Vec<_>>>()
            .map(|items| items.join(",")),
        (SettingKind::Switch | SettingKind::Number(..), _) => None,
        (_, Some(Value::String(text))) => Some(text.value().clone()),
        _ => None,
    };
    match converted {
        Some(text) => Ok(FileValue { setting: setting.name, text, line }),
        None => Err((line, format!("{name}: expected {expected}, got {}.", item.type_name()))),
    }
}

fn line(item: &Item, text: &str) -> usize {
    item.span().map_or(1, |span| line_of(text, span.start))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_line_and_what_was_expected() {
        for (text, expected) in [
            ("access = ", "/c, line 1: not TOML: "),
            ("\n\naces = \"read\"", "/c, line 3: \"aces\" is not a setting; did you mean access?"),
            ("max_bytes = \"x\"", "/c, line 1: max_bytes: expected an integer, got string."),
            ("access = 1", "/c, line 1: access: expected a text in quotes, got integer."),
            ("read_only = \"1\"", "/c, line 1: read_only: expected true or false, got string."),
            (
                "tools = [1]",
                "/c, line 1: tools: expected a list of texts, such as [\"a\", \"b\"], got array.",
            ),
            ("api_key = \"k\"", "/c, line 1: api_key: secrets are not kept in this file; run"),
            ("rpc_token = \"k\"", "set POLYTOMIC_RPC_TOKEN."),
            ("profiles = 1", "/c, line 1: expected tables such as [profiles.production]."),
            ("[profiles]\nx = 1", "/c, line 1: expected tables such as [profiles.production]."),
            (
                "[profiles.a]\n\nlogg = \"x\"",
                "/c, line 3: profile \"a\": \"logg\" is not a setting; did you mean log?",
            ),
            (
                "[profiles.a]\nprofile = \"b\"",
                "profile \"a\": a profile cannot choose another one.",
            ),
            ("config = \"x\"", "\"config\" is not a setting"),
            ("access = \"read\"\naccess = \"full\"", "/c, line 2: not TOML: duplicate key"),
        ] {
            let error = SettingsFile::parse(Path::new("/c"), text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn values_have_the_form_of_variables() {
        let text = "access = \"read\"\nmax_bytes = 5000\nallow_http = true\ntools = [\"a\", 'b']\n\
                    [profiles.p]\norganization_id = \"o\"\n[profiles.\"q r\"]\n";
        let file = SettingsFile::parse(Path::new("/c"), text).unwrap();
        let values: Vec<_> =
            file.values.iter().map(|v| (v.setting, v.text.as_str(), v.line)).collect();
        assert_eq!(
            values,
            [
                ("access", "read", 1),
                ("max_bytes", "5000", 2),
                ("allow_http", "1", 3),
                ("tools", "a,b", 4)
            ]
        );
        let profile = file.profile("p").unwrap();
        assert_eq!(profile.values[0].line, 6);
        assert!(file.profile("q r").is_some());
    }
}
