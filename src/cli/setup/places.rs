//! Where the files of clients are on this machine.

use std::path::{Path, PathBuf};

use super::clients::{Client, Scope, System};

/// The folders that places begin with.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    pub(super) system: System,
    pub(super) home: PathBuf,
    /// `$XDG_CONFIG_HOME` on Linux, `%APPDATA%` on Windows.
    pub(super) settings: PathBuf,
    pub(super) project: PathBuf,
    /// The variables of clients that name another folder.
    pub(super) variables: Vec<(&'static str, PathBuf)>,
}

impl Folders {
    /// Those of this user and process; none without a home.
    #[expect(clippy::disallowed_methods, reason = "folders of other programs, not settings")]
    pub(super) fn current() -> Option<Self> {
        let variables = super::clients::CLIENTS.iter().filter_map(|client| {
            let (name, _) = client.places.variable?;
            let folder = std::env::var_os(name).filter(|folder| !folder.is_empty())?;
            Some((name, PathBuf::from(folder)))
        });
        Some(Self {
            system: System::current(),
            home: dirs::home_dir()?,
            settings: dirs::config_dir()?,
            project: std::env::current_dir().ok()?,
            variables: variables.collect(),
        })
    }

    /// The file of a client; none if it has none for the scope.
    pub(super) fn file(&self, client: &Client, scope: Scope) -> Option<PathBuf> {
        let places = &client.places;
        let place = match scope {
            Scope::User => places.user_file(self.system),
            Scope::Project => places.project?,
        };
        let file = self.moved(client, place).unwrap_or_else(|| self.path(place));
        let alternative = places.alternative.map(|name| file.with_file_name(name));
        Some(alternative.filter(|alternative| alternative.exists()).unwrap_or(file))
    }

    /// The file in the folder that a variable names.
    fn moved(&self, client: &Client, place: &str) -> Option<PathBuf> {
        let (name, folder) = client.places.variable?;
        let rest = place.strip_prefix(folder)?.strip_prefix('/')?;
        let (_, moved) = self.variables.iter().find(|(known, _)| *known == name)?;
        Some(moved.join(rest))
    }

    fn path(&self, place: &str) -> PathBuf {
        if let Some(rest) = place.strip_prefix("%APPDATA%/") {
            return join(&self.settings, rest);
        }
        if let Some(rest) = place.strip_prefix("./") {
            return join(&self.project, rest);
        }
        if let Some(rest) = place.strip_prefix("~/.config/")
            && self.system == System::Linux
        {
            return join(&self.settings, rest);
        }
        join(&self.home, place.trim_start_matches("~/"))
    }

    /// Whether there are traces of a client on this machine.
    pub(super) fn has(&self, client: &Client) -> bool {
        let Some(file) = self.file(client, Scope::User) else { return false };
        let folder = file.parent().filter(|folder| **folder != *self.home);
        file.exists()
            || folder.is_some_and(Path::exists)
            || client.places.trace.is_some_and(|trace| self.path(trace).exists())
    }
}

/// Joins with the separator of the system.
fn join(folder: &Path, rest: &str) -> PathBuf {
    rest.split('/').fold(folder.to_owned(), |path, part| path.join(part))
}

#[cfg(test)]
mod tests {
    use super::super::clients::CLIENTS;
    use super::*;

    fn folders(system: System) -> Folders {
        Folders {
            system,
            home: "/home/u".into(),
            settings: "/xdg".into(),
            project: "/project".into(),
            variables: Vec::new(),
        }
    }

    fn file(id: &str, system: System, scope: Scope) -> Option<PathBuf> {
        folders(system).file(Client::named(id).unwrap(), scope)
    }

    #[test]
    fn places_follow_the_system_and_the_scope() {
        let user = |id, system| file(id, system, Scope::User).unwrap();
        for (id, system, path) in [
            ("zed", System::Linux, "/xdg/zed/settings.json"),
            ("zed", System::MacOs, "/home/u/.config/zed/settings.json"),
            ("zed", System::Windows, "/xdg/Zed/settings.json"),
            ("vscode", System::Linux, "/xdg/Code/User/mcp.json"),
            ("vscode", System::MacOs, "/home/u/Library/Application Support/Code/User/mcp.json"),
            ("cursor", System::Windows, "/home/u/.cursor/mcp.json"),
            ("goose", System::Windows, "/xdg/Block/goose/config/config.yaml"),
            ("claude-code", System::Linux, "/home/u/.claude.json"),
        ] {
            assert_eq!(user(id, system), Path::new(path), "{id} {system:?}");
        }
        let project = file("vscode", System::Linux, Scope::Project).unwrap();
        assert_eq!(project, Path::new("/project/.vscode/mcp.json"));
        assert_eq!(file("zed", System::Linux, Scope::Project), None);
    }

    #[test]
    fn a_variable_of_the_client_moves_its_file() {
        let variables =
            vec![("CODEX_HOME", PathBuf::from("/c")), ("CLAUDE_CONFIG_DIR", PathBuf::from("/d"))];
        let folders = Folders { variables, ..folders(System::Linux) };
        let file = |id, scope| folders.file(Client::named(id).unwrap(), scope).unwrap();
        assert_eq!(file("codex", Scope::User), Path::new("/c/config.toml"));
        assert_eq!(file("codex", Scope::Project), Path::new("/project/.codex/config.toml"));
        assert_eq!(file("claude-code", Scope::User), Path::new("/d/.claude.json"));
    }

    #[test]
    fn every_client_has_a_place_on_every_system() {
        for client in CLIENTS {
            for place in client.places.user {
                let is_anchored = ["~/", "%APPDATA%/"].iter().any(|root| place.starts_with(root));
                assert!(is_anchored, "{}: {place}", client.id);
            }
            assert!(client.documentation.starts_with("https://"), "{}", client.id);
        }
    }
}
