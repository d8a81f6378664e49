//! What `setup` does for one client.

use std::path::PathBuf;

use serde_json::Value;

use super::clients::{Client, Scope, Server};
use super::diff::diff;
use super::edit::Problem;
use super::file::ClientFile;
use super::places::Folders;
use super::plan;
use crate::cli::error::CliError;

/// One client, and what it gets.
pub(super) struct Step<'a> {
    pub(super) client: &'a Client,
    pub(super) scope: Scope,
    pub(super) server: &'a Server,
    /// The profile that the name of the server is made of, if it is.
    pub(super) named_after: Option<&'a str>,
    pub(super) folders: &'a Folders,
}

/// What a file becomes.
enum Change {
    None,
    Text(String),
    /// The text of the backup, which is no longer needed.
    Restored(String),
    /// The file was created for the entry alone.
    Gone,
}

impl Step<'_> {
    /// Adds or updates the entry.
    pub(super) fn add(&self) -> Result<String, CliError> {
        let (path, file) = self.read()?;
        self.refuse_entry_of_others(&path, &file)?;
        let after = self.added(file.text(), &path)?;
        let (title, name, shown) = (self.client.title, &self.server.name, path.display());
        if file.text.as_deref() == Some(after.as_str()) {
            return Ok(format!("{title}: {name} is already in {shown}"));
        }
        let is_found = self.folders.has(self.client);
        let backup = self.back_up(&file)?;
        let is_private = self.scope == Scope::User;
        file.write(&after, is_private).map_err(|message| self.cannot_write(message))?;
        let backup =
            backup.map_or_else(String::new, |backup| format!("\n  Backup: {}", backup.display()));
        let next = self.client.next;
        let mut text = format!("{title}: {name} is in {shown}{backup}\n  {next}");
        if self.scope == Scope::Project {
            text += "\n  The entry has a path of this machine: others who share the project need their own.";
        }
        if self.has_literal_key(&after) {
            text += "\n  The entry contains POLYTOMIC_API_KEY as text, which has precedence over a stored key: remove it.";
        }
        if !is_found {
            text += "\n  It was not found on this machine; the file is for when it is there.";
        }
        Ok(text)
    }

    /// The hosted server of Polytomic, for example, is likely to have the same name.
    fn refuse_entry_of_others(
        &self,
        path: &std::path::Path,
        file: &ClientFile,
    ) -> Result<(), CliError> {
        let (client, name) = (self.client, self.server.name.as_str());
        let entry = plan::entry(client, file.text(), name);
        let entry = entry.map_err(|problem| self.invalid(path, &problem))?;
        let Some(entry) = entry else { return Ok(()) };
        if plan::is_ours(&entry) {
            return self.refuse_entry_of_other_profile(path, &entry);
        }
        let message = format!("{} already has another server named {name}", path.display());
        let hint =
            format!("choose another name, e.g. --name {name}-local, or remove that entry by hand");
        Err(CliError::failed(message).with_hint(hint))
    }

    /// Names of profiles that differ in a few characters give the same name of a server.
    fn refuse_entry_of_other_profile(
        &self,
        path: &std::path::Path,
        entry: &Value,
    ) -> Result<(), CliError> {
        let Some((profile, program)) = self.named_after.zip(plan::program(entry)) else {
            return Ok(());
        };
        match plan::profile(&program.1) {
            Some(other) if other != profile => {
                let (name, path) = (&self.server.name, path.display());
                let message = format!("{name} in {path} is for profile {other:?}");
                Err(CliError::failed(message).with_hint(
                    "choose another name with --name; the same name replaces that entry",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Shows what [`Step::add`] would change.
    pub(super) fn preview(&self) -> Result<String, CliError> {
        let (path, file) = self.read()?;
        self.refuse_entry_of_others(&path, &file)?;
        let after = self.added(file.text(), &path)?;
        Ok(self.difference(&path, file.text(), &after))
    }

    /// The file with the entry and nothing else.
    pub(super) fn print(&self, is_titled: bool) -> Result<String, CliError> {
        let path = self.path()?;
        let text = self.added("", &path)?;
        let title = if is_titled {
            format!("{}, {}:\n", self.client.title, path.display())
        } else {
            String::new()
        };
        Ok(format!("{title}{}", text.trim_end()))
    }

    /// Removes the entry.
    pub(super) fn remove(&self) -> Result<String, CliError> {
        let (path, file) = self.read()?;
        let (title, name, shown) = (self.client.title, &self.server.name, path.display());
        let written = match self.removal(&path, &file)? {
            Change::None => return Ok(format!("{title}: {shown} has no {name}")),
            Change::Restored(text) => file.write(&text, true).map(|()| file.remove_backup()),
            Change::Gone => file.remove().map(|()| file.remove_backup()),
            Change::Text(text) => {
                self.back_up(&file)?;
                file.write(&text, true)
            }
        };
        written.map_err(|message| self.cannot_write(message))?;
        Ok(format!("{title}: {name} is removed from {shown}"))
    }

    /// Shows what [`Step::remove`] would change.
    pub(super) fn preview_removal(&self) -> Result<String, CliError> {
        let (path, file) = self.read()?;
        let after = match self.removal(&path, &file)? {
            Change::None => file.text().to_owned(),
            Change::Restored(text) | Change::Text(text) => text,
            Change::Gone => String::new(),
        };
        Ok(self.difference(&path, file.text(), &after))
    }

    fn removal(&self, path: &std::path::Path, file: &ClientFile) -> Result<Change, CliError> {
        let (client, name) = (self.client, self.server.name.as_str());
        let invalid = |problem| self.invalid(path, &problem);
        let text = file.text();
        let Some(entry) = plan::entry(client, text, name).map_err(invalid)? else {
            return Ok(Change::None);
        };
        if !plan::is_ours(&entry) {
            let message = format!("{name} in {} does not start polytomic-mcp", path.display());
            return Err(CliError::failed(message)
                .with_hint("pass the --name of the right entry, or remove it by hand"));
        }
        self.refuse_entry_of_other_profile(path, &entry)?;
        match file.backup() {
            Some(before) if plan::is_before(client, &before, text, name) => {
                return Ok(Change::Restored(before));
            }
            _ if plan::is_before(client, "", text, name) => return Ok(Change::Gone),
            _ => {}
        }
        plan::removed(client, text, name).map(Change::Text).map_err(invalid)
    }

    /// Keeps a copy, unless there is nothing of the user's in the file, or a copy from before the entry.
    fn back_up(&self, file: &ClientFile) -> Result<Option<PathBuf>, CliError> {
        let (client, name) = (self.client, self.server.name.as_str());
        let is_before = |before: &str| plan::is_before(client, before, file.text(), name);
        // The copy from before the first entry is the one to keep.
        let has_entry = plan::entries(client, file.text())
            .is_ok_and(|entries| entries.iter().any(|(_, entry)| plan::is_ours(entry)));
        let has_copy = file.backup().is_some_and(|before| has_entry || is_before(&before));
        if file.text.is_none() || has_copy || is_before("") {
            return Ok(None);
        }
        file.back_up().map(Some).map_err(|message| self.cannot_write(message))
    }

    fn path(&self) -> Result<PathBuf, CliError> {
        self.folders.file(self.client, self.scope).ok_or_else(|| {
            let message = format!("there is no file for the scope {}", self.scope.as_str());
            CliError::usage(message).with_hint("pass --scope user")
        })
    }

    fn read(&self) -> Result<(PathBuf, ClientFile), CliError> {
        let path = self.path()?;
        let file = ClientFile::read(&path).map_err(CliError::failed)?;
        Ok((path, file))
    }

    fn added(&self, text: &str, path: &std::path::Path) -> Result<String, CliError> {
        if self.server.has_client_key && self.client.key_member().is_none() {
            return Err(CliError::usage("it cannot provide a key but as plain text in its file")
                .with_hint(
                    "store the key with `polytomic-mcp login`, and leave out --client-key",
                ));
        }
        plan::added(self.client, text, self.server).map_err(|problem| self.invalid(path, &problem))
    }

    fn has_literal_key(&self, text: &str) -> bool {
        let entry = plan::entry(self.client, text, &self.server.name);
        entry.is_ok_and(|entry| {
            entry.is_some_and(|entry| plan::has_literal_key(self.client, &entry))
        })
    }

    fn difference(&self, path: &std::path::Path, before: &str, after: &str) -> String {
        match diff(&path.display().to_string(), before, after) {
            text if text.is_empty() => {
                format!("{}: {} would not change", self.client.title, path.display())
            }
            text => text,
        }
    }

    fn invalid(&self, path: &std::path::Path, problem: &Problem) -> CliError {
        let id = self.client.id;
        CliError::failed(format!("{}, {problem}", path.display())).with_hint(format!(
            "nothing was written; correct the file, or add by hand what `polytomic-mcp setup {id} --print` prints"
        ))
    }

    fn cannot_write(&self, message: String) -> CliError {
        let id = self.client.id;
        CliError::failed(message).with_hint(format!(
            "make it writable, or add by hand what `polytomic-mcp setup {id} --print` prints"
        ))
    }
}
