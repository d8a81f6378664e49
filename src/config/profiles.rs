//! Adds profiles to the settings file, which stays as it is otherwise: its comments, order and form.

use std::borrow::Cow;
use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use super::file::PROFILES;
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
        let table = table_of(&mut document, profile)?;
        for (name, value) in values {
            table.insert(name, Item::Value(value.clone()));
        }
        Ok(document.to_string())
    })
}

/// A command line with a profile, if there is one, as a shell reads it.
pub(crate) fn with_profile(command: &str, profile: Option<&str>) -> String {
    let Some(name) = profile else { return command.to_owned() };
    let quoted = shlex::try_quote(name).map_or_else(|_| format!("{name:?}"), Cow::into_owned);
    format!("{command} --profile {quoted}")
}

/// The table of a profile, which is created if it is not there; without a name, the one outside the profiles.
///
/// # Errors
/// A message, as a part of one about the file, if it is not a table.
pub(super) fn table_of<'a>(
    document: &'a mut DocumentMut,
    profile: Option<&str>,
) -> Result<&'a mut dyn TableLike, String> {
    let Some(name) = profile else { return Ok(document.as_table_mut()) };
    let profiles = document.entry(PROFILES).or_insert_with(implicit_table);
    let table = profiles.as_table_like_mut().and_then(|profiles| {
        profiles.entry(name).or_insert_with(|| Item::Table(Table::new())).as_table_like_mut()
    });
    table.ok_or_else(|| "a profile in it is not a table".to_owned())
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
