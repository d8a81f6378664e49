//! Adds profiles to the settings file, which stays as it is otherwise: its comments, order and form.

use std::fmt::Display;
use std::path::Path;
use std::{fs, io};

use toml_edit::{DocumentMut, Item, Table, value};

use super::keys::write_private;

/// Adds a profile, unless it is there, and sets switches in it.
///
/// # Errors
/// A message if the file cannot be read, changed or written.
pub(crate) fn add_profile(path: &Path, name: &str, switches: &[&str]) -> Result<(), String> {
    let failed = |error: &dyn Display| format!("{} cannot be changed: {error}", path.display());
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(&error)),
    };
    let toml = text.trim_start_matches('\u{feff}');
    let mut document: DocumentMut = toml.parse().map_err(|error| failed(&error))?;
    let profiles = document.entry("profiles").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let not_a_table = || failed(&"a profile in it is not a table");
    let profiles = profiles.as_table_like_mut().ok_or_else(not_a_table)?;
    let profile = profiles.entry(name).or_insert_with(|| Item::Table(Table::new()));
    let profile = profile.as_table_like_mut().ok_or_else(not_a_table)?;
    for switch in switches {
        profile.insert(switch, value(true));
    }
    let changed = document.to_string();
    if changed == toml {
        Ok(())
    } else {
        write_private(path, &changed).map_err(|error| failed(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_added_and_the_rest_of_the_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/config.toml");
        add_profile(&path, "try", &["sandbox"]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[profiles.try]\nsandbox = true\n");
        let text = "# mine\naccess = 'read' # always\n\n[profiles.a]\nlog = \"info\"  # loud\n";
        fs::write(&path, text).unwrap();
        add_profile(&path, "a", &[]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        add_profile(&path, "b c", &[]).unwrap();
        let expected = format!("{text}\n[profiles.\"b c\"]\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        fs::write(&path, "profiles = 1").unwrap();
        assert!(add_profile(&path, "a", &[]).unwrap_err().contains("not a table"));
        fs::write(&path, "access =").unwrap();
        assert!(add_profile(&path, "a", &[]).unwrap_err().contains("cannot be changed"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "access =");
    }
}
