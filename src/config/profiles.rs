//! Adds profiles to the settings file, which stays as it is otherwise: its comments, order and form. Says whose settings a
//! change outside the profiles would change.

use std::borrow::Cow;
use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use super::file::SettingsFile;
use super::keys::StoredKeys;
use super::settings::Setting;
use super::user_file::{Readers, change};

/// Adds a profile, unless it is there, and sets values in it; without a name, outside the profiles.
///
/// # Errors
/// A message if the file cannot be read, changed or written.
pub(crate) fn add_to_settings(
    path: &Path,
    profile: Option<&str>,
    values: &[(&str, Value)],
) -> Result<(), String> {
    if profile.is_none() && values.is_empty() {
        return Ok(());
    }
    change(path, Readers::AsBefore, |text| {
        let mut document: DocumentMut =
            text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
        let table: Option<&mut dyn TableLike> = match profile {
            None => Some(document.as_table_mut()),
            Some(name) => {
                let profiles = document.entry("profiles").or_insert_with(implicit_table);
                profiles.as_table_like_mut().and_then(|profiles| {
                    let profile = profiles.entry(name).or_insert_with(|| Item::Table(Table::new()));
                    profile.as_table_like_mut()
                })
            }
        };
        let table = table.ok_or_else(|| "a profile in it is not a table".to_owned())?;
        for (name, value) in values {
            table.insert(name, Item::Value(value.clone()));
        }
        Ok(document.to_string())
    })
}

/// The first profile with a stored key that has no value of its own for one of the settings, which a new value outside the
/// profiles would change for it; and that setting.
///
/// # Errors
/// A message if the file or a key cannot be read.
pub(crate) fn heir(
    path: &Path,
    keys: &StoredKeys,
    values: &[(&'static Setting, String)],
) -> Result<Option<(String, &'static Setting)>, String> {
    let Some(file) = SettingsFile::read(path)? else { return Ok(None) };
    for (setting, text) in values {
        let old = file.values.iter().find(|value| value.setting == setting.name);
        if old.map_or(setting.default, |value| &value.text) == text {
            continue;
        }
        for profile in &file.profiles {
            let has_own = profile.values.iter().any(|value| value.setting == setting.name);
            let key = keys.get(Some(&profile.name)).map_err(|error| error.message)?;
            if !has_own && key.is_some() {
                return Ok(Some((profile.name.clone(), setting)));
            }
        }
    }
    Ok(None)
}

/// A command line with a profile, if there is one, as a shell reads it.
pub(crate) fn with_profile(command: &str, profile: Option<&str>) -> String {
    let Some(name) = profile else { return command.to_owned() };
    let quoted = shlex::try_quote(name).map_or_else(|_| format!("{name:?}"), Cow::into_owned);
    format!("{command} --profile {quoted}")
}

fn implicit_table() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_profile_is_added_and_the_rest_of_the_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/config.toml");
        add_to_settings(&path, Some("try"), &[("sandbox", true.into())]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[profiles.try]\nsandbox = true\n");
        let text = "# mine\naccess = 'read' # always\n\n[profiles.a]\nlog = \"info\"  # loud\n";
        fs::write(&path, text).unwrap();
        add_to_settings(&path, Some("a"), &[]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        add_to_settings(&path, Some("b c"), &[]).unwrap();
        let expected = format!("{text}\n[profiles.\"b c\"]\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        fs::write(&path, "profiles = 1").unwrap();
        assert!(add_to_settings(&path, Some("a"), &[]).unwrap_err().contains("not a table"));
        fs::write(&path, "access =").unwrap();
        assert!(add_to_settings(&path, Some("a"), &[]).unwrap_err().contains("cannot be changed"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "access =");
    }
}
