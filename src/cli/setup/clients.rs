//! The clients, each once: where its file is, what an entry looks like, how it provides a key, and the page of its
//! documentation that says so. The command, docs/clients.md and tests follow from it.
//!
//! A place is written as documentation writes it: `~/` is the user's home, `~/.config/` on Linux is `$XDG_CONFIG_HOME` if
//! that is set, `%APPDATA%/` is the user's folder for settings on Windows, and `./` the project.

use serde_json::{Map, Value, json};

pub use super::edit::Format;

/// The variable of the key.
pub(super) const KEY_VARIABLE: &str = "POLYTOMIC_API_KEY";
/// Id of the question for the key in VS Code.
pub(super) const KEY_INPUT: &str = "polytomic-api-key";

/// Whose configuration a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The user's, for everything that the client opens.
    User,
    /// A project's, often shared with others.
    Project,
}

impl Scope {
    /// As on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
        }
    }
}

/// An operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux, and others like it.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl System {
    /// The one that this is.
    #[must_use]
    pub fn current() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Linux
        }
    }
}

/// Where a client's own file is.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// On Linux, macOS and Windows.
    pub user: [&'static str; 3],
    /// In a project, if the client reads one there.
    pub project: Option<&'static str>,
    /// A name that the file may have instead, and has if it exists.
    pub alternative: Option<&'static str>,
    /// A variable that names another folder, and the folder it replaces.
    pub variable: Option<(&'static str, &'static str)>,
    /// A folder that shows that the client is there, besides the folder of its file.
    pub trace: Option<&'static str>,
}

/// The same file on all systems.
const fn everywhere(file: &'static str) -> Places {
    Places {
        user: [file, file, file],
        project: None,
        alternative: None,
        variable: None,
        trace: None,
    }
}

impl Places {
    const fn or_project(self, file: &'static str) -> Self {
        Self { project: Some(file), ..self }
    }

    const fn variable(self, name: &'static str, folder: &'static str) -> Self {
        Self { variable: Some((name, folder)), ..self }
    }

    /// The file of the user on a system.
    #[must_use]
    pub fn user_file(&self, system: System) -> &'static str {
        let [linux, mac_os, windows] = self.user;
        match system {
            System::Linux => linux,
            System::MacOs => mac_os,
            System::Windows => windows,
        }
    }
}

/// The shape of an entry: the program and its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `command` and `args`.
    Plain,
    /// The same, with `type` "stdio".
    Typed,
    /// The same, with `type` "local" and all tools.
    Local,
    /// Both in one list.
    List,
    /// Goose's extension.
    Extension,
}

/// How a client provides the key to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySupply {
    /// It does not, except as plain text in its file.
    None,
    /// It asks the user and keeps the key.
    Input,
    /// The named member of an entry sets a variable to a reference to the client's own.
    Reference(&'static str, &'static str),
    /// The named member of an entry lists variables to pass on.
    Names(&'static str),
}

/// A link that adds a server with one click.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// VS Code's.
    VsCode,
    /// Cursor's.
    Cursor,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    /// As on the command line.
    pub id: &'static str,
    /// Its name.
    pub title: &'static str,
    /// The page that its format is from.
    pub documentation: &'static str,
    /// The format of its file.
    pub format: Format,
    /// Where its file is.
    pub places: Places,
    /// The names of the objects that the servers are in, from the root of the file.
    pub servers: &'static [&'static str],
    /// Where they are instead if the file has that.
    pub other_servers: Option<&'static [&'static str]>,
    /// The shape of an entry.
    pub shape: Shape,
    /// How it provides the key.
    pub key: KeySupply,
    /// A link that does the same.
    pub link: Option<Link>,
    /// What to do once the file is written.
    pub next: &'static str,
}

/// A client with what most have.
const fn client(
    id: &'static str,
    title: &'static str,
    documentation: &'static str,
    places: Places,
) -> Client {
    Client {
        id,
        title,
        documentation,
        format: Format::Json,
        places,
        servers: &["mcpServers"],
        other_servers: None,
        shape: Shape::Plain,
        key: KeySupply::None,
        link: None,
        next: "Restart it.",
    }
}

/// All clients.
pub static CLIENTS: &[Client] = &[
    // Documents macOS and Windows. On Linux the file is where Electron keeps an application's.
    Client {
        next: "Quit and reopen it.",
        ..client(
            "claude-desktop",
            "Claude Desktop",
            "https://modelcontextprotocol.io/docs/develop/connect-local-servers",
            Places {
                user: [
                    "~/.config/Claude/claude_desktop_config.json",
                    "~/Library/Application Support/Claude/claude_desktop_config.json",
                    "%APPDATA%/Claude/claude_desktop_config.json",
                ],
                ..everywhere("")
            },
        )
    },
    Client {
        shape: Shape::Typed,
        key: KeySupply::Reference("env", "${POLYTOMIC_API_KEY}"),
        next: "Start a new session; /mcp lists the servers, and asks before it starts those of a project.",
        ..client(
            "claude-code",
            "Claude Code",
            "https://code.claude.com/docs/en/mcp",
            Places {
                trace: Some("~/.claude"),
                ..everywhere("~/.claude.json")
                    .or_project("./.mcp.json")
                    .variable("CLAUDE_CONFIG_DIR", "~")
            },
        )
    },
    Client {
        servers: &["servers"],
        shape: Shape::Typed,
        key: KeySupply::Input,
        link: Some(Link::VsCode),
        next: "Run \"MCP: List Servers\" in it, and start the server.",
        ..client(
            "vscode",
            "VS Code",
            "https://code.visualstudio.com/docs/agents/reference/mcp-configuration",
            Places {
                user: [
                    "~/.config/Code/User/mcp.json",
                    "~/Library/Application Support/Code/User/mcp.json",
                    "%APPDATA%/Code/User/mcp.json",
                ],
                ..everywhere("").or_project("./.vscode/mcp.json")
            },
        )
    },
    Client {
        shape: Shape::Typed,
        key: KeySupply::Reference("env", "${env:POLYTOMIC_API_KEY}"),
        link: Some(Link::Cursor),
        next: "Switch the server on under Settings, Tools & MCP.",
        ..client(
            "cursor",
            "Cursor",
            "https://cursor.com/docs/mcp",
            everywhere("~/.cursor/mcp.json").or_project("./.cursor/mcp.json"),
        )
    },
    // Now Devin Desktop; the file has kept its place.
    Client {
        key: KeySupply::Reference("env", "${env:POLYTOMIC_API_KEY}"),
        ..client(
            "windsurf",
            "Windsurf",
            "https://docs.devin.ai/desktop/cascade/mcp",
            everywhere("~/.codeium/windsurf/mcp_config.json"),
        )
    },
    // Older versions also require "source": "custom", which the present page no longer has.
    Client {
        servers: &["context_servers"],
        next: "It starts the server at once; see Settings, AI, MCP Servers.",
        ..client(
            "zed",
            "Zed",
            "https://zed.dev/docs/ai/mcp",
            Places {
                user: [
                    "~/.config/zed/settings.json",
                    "~/.config/zed/settings.json",
                    "%APPDATA%/Zed/settings.json",
                ],
                ..everywhere("")
            },
        )
    },
    Client {
        format: Format::Toml,
        servers: &["mcp_servers"],
        key: KeySupply::Names("env_vars"),
        next: "Start a new session; /mcp lists the servers. It reads a project's file once you trust the project.",
        ..client(
            "codex",
            "Codex",
            "https://developers.openai.com/codex/mcp",
            everywhere("~/.codex/config.toml")
                .or_project("./.codex/config.toml")
                .variable("CODEX_HOME", "~/.codex"),
        )
    },
    Client {
        key: KeySupply::Reference("env", "$POLYTOMIC_API_KEY"),
        next: "Start a new session in a folder that it trusts; /mcp lists the servers.",
        ..client(
            "gemini",
            "Gemini CLI",
            "https://geminicli.com/docs/tools/mcp-server/",
            everywhere("~/.gemini/settings.json").or_project("./.gemini/settings.json"),
        )
    },
    // The place that its editors, its command line and its SDK share. Earlier versions of the extension have a file of their
    // own in VS Code's globalStorage.
    client(
        "cline",
        "Cline",
        "https://docs.cline.bot/getting-started/config",
        everywhere("~/.cline/data/settings/cline_mcp_settings.json"),
    ),
    Client {
        format: Format::Yaml,
        servers: &["extensions"],
        shape: Shape::Extension,
        key: KeySupply::Names("env_keys"),
        next: "Start a new session.",
        ..client(
            "goose",
            "Goose",
            "https://github.com/aaif-goose/goose/blob/main/documentation/docs/guides/config-files.md",
            Places {
                user: [
                    "~/.config/goose/config.yaml",
                    "~/.config/goose/config.yaml",
                    "%APPDATA%/Block/goose/config/config.yaml",
                ],
                ..everywhere("")
            },
        )
    },
    client(
        "junie",
        "Junie",
        "https://junie.jetbrains.com/docs/junie-cli-mcp-configuration.html",
        everywhere("~/.junie/mcp/mcp.json").or_project("./.junie/mcp/mcp.json"),
    ),
    // Follows Cursor's notation, says its page.
    Client {
        next: "Switch the server on under Program, Integrations.",
        ..client(
            "lmstudio",
            "LM Studio",
            "https://lmstudio.ai/docs/app/mcp",
            everywhere("~/.lmstudio/mcp.json"),
        )
    },
    // Version 2 keeps servers in mcp.servers and reads the form of version 1 as well, says its page on migration.
    Client {
        servers: &["mcp"],
        other_servers: Some(&["mcp", "servers"]),
        shape: Shape::List,
        key: KeySupply::Reference("environment", "{env:POLYTOMIC_API_KEY}"),
        next: "Start a new session.",
        ..client(
            "opencode",
            "opencode",
            "https://opencode.ai/docs/mcp-servers/",
            Places {
                alternative: Some("opencode.jsonc"),
                ..everywhere("~/.config/opencode/opencode.json").or_project("./opencode.json")
            },
        )
    },
    // Its documentation named $XDG_CONFIG_HOME for some time; the program reads ~/.copilot.
    Client {
        shape: Shape::Local,
        key: KeySupply::Reference("env", "${POLYTOMIC_API_KEY}"),
        next: "Start a new session; /mcp show lists the servers. It reads a project's file in a folder that it trusts.",
        ..client(
            "copilot",
            "Copilot CLI",
            "https://docs.github.com/en/copilot/how-tos/copilot-cli/customize-copilot/add-mcp-servers",
            // Not .mcp.json, which Claude Code reads with another shape.
            everywhere("~/.copilot/mcp-config.json")
                .or_project("./.github/mcp.json")
                .variable("COPILOT_HOME", "~/.copilot"),
        )
    },
];

/// The program that a client starts.
#[derive(Debug, Clone)]
pub struct Server {
    /// The name of the entry.
    pub name: String,
    /// An absolute path.
    pub command: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Whether the client provides the key.
    pub has_client_key: bool,
}

impl Client {
    /// The client of a name on the command line.
    pub(super) fn named(id: &str) -> Option<&'static Self> {
        CLIENTS.iter().find(|client| client.id == id)
    }

    /// The members of an entry, in order.
    #[must_use]
    pub fn entry(&self, server: &Server) -> Map<String, Value> {
        let Server { name, command, arguments, .. } = server;
        let entry = match self.shape {
            Shape::Plain => json!({"command": command, "args": arguments}),
            Shape::Typed => json!({"type": "stdio", "command": command, "args": arguments}),
            Shape::Local => {
                json!({"type": "local", "command": command, "args": arguments, "tools": ["*"]})
            }
            Shape::List => {
                let words: Vec<&String> = [command].into_iter().chain(arguments).collect();
                json!({"type": "local", "command": words})
            }
            Shape::Extension => json!({
                "type": "stdio", "name": name, "enabled": true, "cmd": command, "args": arguments,
                "timeout": 300,
            }),
        };
        let mut entry = match entry {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        if let Some((member, value)) = self.key_member().filter(|_| server.has_client_key) {
            entry.insert(member.to_owned(), value);
        }
        entry
    }

    /// The member that provides the key, and its value.
    pub(super) fn key_member(&self) -> Option<(&'static str, Value)> {
        match self.key {
            KeySupply::None => None,
            KeySupply::Input => {
                Some(("env", json!({KEY_VARIABLE: format!("${{input:{KEY_INPUT}}}")})))
            }
            KeySupply::Reference(member, reference) => {
                Some((member, json!({KEY_VARIABLE: reference})))
            }
            KeySupply::Names(member) => Some((member, json!([KEY_VARIABLE]))),
        }
    }

    /// The question for the key, for a client that asks.
    pub(super) fn key_input(&self) -> Option<Value> {
        (self.key == KeySupply::Input).then(|| {
            json!({
                "type": "promptString", "id": KEY_INPUT, "description": "Polytomic API key",
                "password": true,
            })
        })
    }
}
