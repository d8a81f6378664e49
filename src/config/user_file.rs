//! Changes a file of the user's: one process at a time, at once, and with its form kept.
//!
//! A link stays, and its target is written. Permissions, line ends and a byte-order mark stay as they are.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::polytomic::{create_private_directory, read_small_file};

/// More than any file of settings or keys has.
pub(super) const MAX_FILE_BYTES: u64 = 1 << 20;
/// A name that no other program chooses: the folder may be one that the user has named.
const LOCK: &str = ".polytomic-mcp.lock";
/// The byte-order mark.
pub(crate) const MARK: &str = "\u{feff}";

/// Who can read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// The user only, whatever it was before.
    User,
    /// Those who could before; a new file, the user only.
    AsBefore,
}

/// Replaces the text of a file by what `edit` returns for it. A file that does not exist is empty.
///
/// # Errors
/// A message if the file cannot be read, changed or written. It then stays as it is.
pub(super) fn change(
    path: &Path,
    readers: Readers,
    edit: impl FnOnce(&str) -> Result<String, String>,
) -> Result<(), String> {
    let failed =
        |error: &dyn std::fmt::Display| format!("{} cannot be changed: {error}", path.display());
    let folder = path.parent().unwrap_or(Path::new("."));
    create_private_directory(folder).map_err(|error| failed(&error))?;
    // Held until the file is replaced: two processes would lose what one of them adds.
    let lock = File::options().write(true).create(true).truncate(false).open(folder.join(LOCK));
    let lock = lock.map_err(|error| failed(&error))?;
    lock.lock().map_err(|error| failed(&error))?;
    let path = target(path).map_err(|error| failed(&error))?;
    let before = match read_small_file(&path, MAX_FILE_BYTES) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| failed(&"it is not UTF-8 text"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(&error)),
    };
    let (mark, text) = match before.strip_prefix(MARK) {
        Some(text) => (MARK, text),
        None => ("", before.as_str()),
    };
    let has_crlf = text.contains("\r\n");
    let after = edit(&text.replace("\r\n", "\n")).map_err(|error| failed(&error))?;
    let after = if has_crlf { after.replace('\n', "\r\n") } else { after };
    let after = format!("{mark}{after}");
    if after == before {
        return Ok(());
    }
    let mode = match fs::metadata(&path) {
        Ok(metadata) if readers == Readers::AsBefore => FileMode::Like(metadata.permissions()),
        _ => FileMode::Private,
    };
    replace(&path, &after, mode).map_err(|error| failed(&error))
}

/// The file that a path leads to through links; it need not exist.
///
/// # Errors
/// If links lead in a circle.
pub(crate) fn target(named: &Path) -> io::Result<PathBuf> {
    let mut path = named.to_owned();
    // As many links as systems follow.
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(link) => path = path.parent().unwrap_or(Path::new("")).join(link),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("a circle of links"))
}

/// Who can read a file that is written.
#[derive(Debug, Clone)]
pub(crate) enum FileMode {
    /// The user only.
    Private,
    /// Those who can read other new files.
    Usual,
    /// As another file.
    Like(Permissions),
}

/// Replaces a file at once: a reader sees the old text or the new one.
///
/// # Errors
/// If the folder does not take a new file.
pub(crate) fn replace(path: &Path, text: &str, mode: FileMode) -> io::Result<()> {
    let mut file = tempfile::Builder::new();
    if let Some(permissions) = usual_permissions().filter(|_| matches!(mode, FileMode::Usual)) {
        file.permissions(permissions);
    }
    // Without that, it is created for the user only.
    let mut file = file.tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    if let FileMode::Like(permissions) = mode {
        file.as_file().set_permissions(permissions)?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// What the user's mask leaves of it.
#[cfg(unix)]
fn usual_permissions() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn usual_permissions() -> Option<Permissions> {
    None
}
