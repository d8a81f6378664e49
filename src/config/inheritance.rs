//! Which profiles have a setting from outside the profiles, so that a change there is one for them.

use std::path::Path;

use super::file::SettingsFile;
use super::keys::StoredKeys;
use super::setting::Setting;

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
