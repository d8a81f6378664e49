//! The clients of this machine, their entries that start this program, and the command that writes such an entry again.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::clients::{CLIENTS, Client, Scope};
use super::file::ClientFile;
use super::places::Folders;
use super::plan;
use crate::config;

/// An entry of a client that starts this program, or a file that cannot be read.
#[derive(Debug)]
pub(in crate::cli) struct ConfiguredEntry {
    pub(in crate::cli) client: &'static Client,
    pub(in crate::cli) scope: Scope,
    pub(in crate::cli) file: PathBuf,
    pub(in crate::cli) content: Result<Program, String>,
}

/// What an entry starts.
#[derive(Debug)]
pub(in crate::cli) struct Program {
    /// The name of the entry.
    pub(in crate::cli) name: String,
    /// The path of the program.
    pub(in crate::cli) command: String,
    pub(in crate::cli) arguments: Vec<String>,
    /// The variables that it sets, as far as their values are text.
    pub(in crate::cli) variables: Vec<(String, String)>,
    /// Whether the client provides the key.
    pub(in crate::cli) has_client_key: bool,
}

/// The entries of all clients, in the user's files and those of the project in the working folder.
pub(in crate::cli) fn configured_entries() -> Vec<ConfiguredEntry> {
    let Some(folders) = Folders::current() else { return Vec::new() };
    let (mut entries, mut seen) = (Vec::new(), BTreeSet::new());
    for client in CLIENTS {
        for scope in [Scope::User, Scope::Project] {
            // In the home folder, both are the same.
            if let Some(file) = folders.file(client, scope).filter(|file| seen.insert(file.clone()))
            {
                entries.extend(entries_of(client, scope, &file));
            }
        }
    }
    entries
}

fn entries_of(
    client: &'static Client,
    scope: Scope,
    file: &std::path::Path,
) -> Vec<ConfiguredEntry> {
    let read = ClientFile::read(file).and_then(|read| {
        let text = read.text.unwrap_or_default();
        plan::entries(client, &text).map_err(|problem| format!("{}, {problem}", file.display()))
    });
    let found = |content| ConfiguredEntry { client, scope, file: file.to_owned(), content };
    match read {
        Err(problem) => vec![found(Err(problem))],
        Ok(entries) => entries
            .into_iter()
            .filter(|(_, entry)| plan::is_ours(entry))
            .filter_map(|(name, entry)| {
                let (command, arguments) = plan::program(&entry)?;
                let has_client_key = plan::has_client_key(client, &entry);
                let variables = plan::variables(&entry);
                Some(found(Ok(Program { name, command, arguments, variables, has_client_key })))
            })
            .collect(),
    }
}

impl ConfiguredEntry {
    /// The command line that writes the entry again with the path of this program; none if `setup` does not take its
    /// arguments.
    pub(in crate::cli) fn setup_command(&self) -> Option<String> {
        let program = self.content.as_ref().ok()?;
        let mut words = vec!["polytomic-mcp", "setup", self.client.id];
        words.extend(["--name", &program.name, "--scope", self.scope.as_str()]);
        words.extend(program.has_client_key.then_some("--client-key"));
        words.extend(program.arguments.iter().map(String::as_str));
        let command = super::command().args(config::arguments());
        command.try_get_matches_from(words.get(1..)?).ok()?;
        shlex::try_join(words).ok()
    }
}
