//! A client's file: read as it is, backed up, and replaced at once. A link stays, and its target is written.

use std::fs::{self, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use crate::config::{FileMode, MARK, link_target, replace_file};

/// Added to the name of a file for its backup.
const BACKUP: &str = ".polytomic-backup";

/// A file that may not exist yet.
pub(super) struct ClientFile {
    /// The file, or the target of a link.
    path: PathBuf,
    /// Its text without a byte-order mark.
    pub(super) text: Option<String>,
    has_mark: bool,
    permissions: Option<Permissions>,
}

impl ClientFile {
    /// Reads a file.
    ///
    /// # Errors
    /// A message if it exists and cannot be read.
    pub(super) fn read(named: &Path) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", named.display());
        let path = link_target(named).map_err(|error| failed(&error))?;
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path, text: None, has_mark: false, permissions: None });
            }
            Err(error) => return Err(failed(&error)),
        };
        if !metadata.is_file() {
            return Err(failed(&"not a file"));
        }
        let bytes = fs::read(&path).map_err(|error| failed(&error))?;
        let text = String::from_utf8(bytes).map_err(|_| failed(&"not UTF-8 text"))?;
        let has_mark = text.starts_with(MARK);
        let text = text.strip_prefix(MARK).map_or_else(|| text.clone(), str::to_owned);
        Ok(Self { path, text: Some(text), has_mark, permissions: Some(metadata.permissions()) })
    }

    /// The text; empty if there is no file.
    pub(super) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// The text of the backup, if there is one.
    pub(super) fn backup(&self) -> Option<String> {
        let text = fs::read_to_string(self.backup_path()).ok()?;
        Some(text.strip_prefix(MARK).map_or_else(|| text.clone(), str::to_owned))
    }

    /// Keeps a copy of the file as it is, readable by those who can read the file.
    ///
    /// # Errors
    /// A message if it cannot be written.
    pub(super) fn back_up(&self) -> Result<PathBuf, String> {
        let backup = self.backup_path();
        let text = self.with_mark(self.text());
        self.replace(&backup, &text, self.mode(true))?;
        Ok(backup)
    }

    /// Removes the backup, which says no more than the file.
    pub(super) fn remove_backup(&self) {
        let _ = fs::remove_file(self.backup_path());
    }

    /// Replaces the text.
    ///
    /// # Errors
    /// A message if the file is read-only, was changed in the meantime, or cannot be written.
    pub(super) fn write(&self, text: &str, is_private: bool) -> Result<(), String> {
        self.check_unchanged()?;
        self.replace(&self.path, &self.with_mark(text), self.mode(is_private))
    }

    /// Removes the file.
    ///
    /// # Errors
    /// As [`ClientFile::write`].
    pub(super) fn remove(&self) -> Result<(), String> {
        self.check_unchanged()?;
        fs::remove_file(&self.path)
            .map_err(|error| format!("{} cannot be removed: {error}", self.path.display()))
    }

    /// Running clients write their files, too.
    fn check_unchanged(&self) -> Result<(), String> {
        let shown = self.path.display();
        if self.permissions.as_ref().is_some_and(Permissions::readonly) {
            return Err(format!("{shown} is read-only"));
        }
        let now = match fs::read(&self.path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(format!("{shown}: {error}")),
        };
        let then = self.text.as_deref().map(|text| self.with_mark(text).into_bytes());
        if now == then { Ok(()) } else { Err(format!("{shown} was changed in the meantime")) }
    }

    fn backup_path(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(BACKUP);
        self.path.with_file_name(name)
    }

    fn with_mark(&self, text: &str) -> String {
        format!("{}{text}", if self.has_mark { MARK } else { "" })
    }

    fn replace(&self, path: &Path, text: &str, mode: FileMode) -> Result<(), String> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)
            .and_then(|()| replace_file(path, text, mode))
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))
    }

    /// As the file, or for a new one.
    fn mode(&self, is_private: bool) -> FileMode {
        match &self.permissions {
            Some(permissions) => FileMode::Like(permissions.clone()),
            // The user's configuration may get secrets later.
            None if is_private => FileMode::Private,
            None => FileMode::Usual,
        }
    }
}
