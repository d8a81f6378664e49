//! Paths in settings, which may begin with `~` for the user's home: no shell has expanded it in the settings of an editor.

use std::path::PathBuf;

/// An absolute path; none for a relative one.
pub(super) fn absolute_path(text: &str) -> Option<PathBuf> {
    expanded_path(text).filter(|path| path.is_absolute())
}

/// The path of a file, from the current directory if it is relative.
pub(super) fn file_path(text: &str) -> PathBuf {
    let path = expanded_path(text).unwrap_or_else(|| PathBuf::from(text));
    std::path::absolute(&path).unwrap_or(path)
}

fn expanded_path(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    match path.strip_prefix("~") {
        Ok(rest) => Some(dirs::home_dir()?.join(rest)),
        Err(_) => Some(path),
    }
}
