//! docs/clients.md and the table of the README, from the table that `setup` uses.

use std::fmt::Write;

use base64::Engine;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use polytomic_mcp::cli::{CLIENTS, Client, Format, KeySupply, Link, Server};
use serde_json::{Value, json};

use super::fixtures::Home;
use crate::support::{compare_or_update, compare_or_update_part};

const INTRODUCTION: &str = "\
# Clients

`polytomic-mcp setup CLIENT` writes these entries, with the path of the program on your machine. It keeps everything else in
the file, and a copy beside it; `--dry-run` shows the change, `--print` the entry, and `--remove` undoes it. Flags for settings
become arguments: `--sandbox`, `--profile NAME`, `--read-only` and all others. With a profile the entry is `polytomic-NAME`, so
that two accounts stand side by side; `--name` chooses another name.

The API key is not in these files: `polytomic-mcp login` stores it, and `--client-key` lets a client provide it that can.
[settings.md](settings.md) has profiles, for several accounts.

This page is generated from the table that the command uses.
";

/// A link that adds the server with a click. It cannot know where the program is, so `PATH` has to.
fn link(client: &Client, arguments: &[&str], has_client_key: bool) -> Option<String> {
    let server = Server {
        name: "polytomic".to_owned(),
        command: "polytomic-mcp".to_owned(),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        has_client_key,
    };
    let entry = Value::Object(client.entry(&server));
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    Some(match client.link? {
        Link::VsCode => {
            let inputs = if has_client_key {
                let input = json!([{
                    "type": "promptString", "id": "polytomic-api-key",
                    "description": "Polytomic API key", "password": true,
                }]);
                format!("&inputs={}", encoded(&input.to_string()))
            } else {
                String::new()
            };
            let entry = encoded(&entry.to_string());
            format!(
                "https://insiders.vscode.dev/redirect/mcp/install?name=polytomic{inputs}&config={entry}"
            )
        }
        Link::Cursor => {
            let entry = base64::engine::general_purpose::STANDARD.encode(entry.to_string());
            format!("https://cursor.com/en/install-mcp?name=polytomic&config={}", encoded(&entry))
        }
    })
}

fn links(client: &Client) -> String {
    let Some(sandbox) = link(client, &["--sandbox"], false) else { return String::new() };
    let organization = match client.key {
        KeySupply::Input => link(client, &[], true),
        _ => link(client, &[], false),
    };
    format!("[sandbox]({sandbox}), [your organization]({})", organization.unwrap_or_default())
}

/// What `setup --print` prints, with a path that is nobody's.
fn printed(home: &Home, words: &[&str]) -> String {
    let text = home.succeed(&[&["setup", "--print"][..], words].concat());
    text.replace(home.binary().to_str().unwrap(), "/path/to/polytomic-mcp")
}

fn page() -> String {
    let home = Home::new();
    let mut page = INTRODUCTION.to_owned();
    for client in CLIENTS {
        let _ = write!(
            page,
            "\n## {}\n\n```sh\npolytomic-mcp setup {}\n```\n\n",
            client.title, client.id
        );
        page += &files(client);
        let language = match client.format {
            Format::Json => "json",
            Format::Toml => "toml",
            Format::Yaml => "yaml",
        };
        let entry = printed(&home, &[client.id, "--sandbox"]);
        let _ = write!(page, "\n```{language}\n{entry}```\n\n");
        page += match client.key {
            KeySupply::None => {
                "It cannot provide the key except as plain text: store it with `login`.\n"
            }
            KeySupply::Input => "With `--client-key` it asks for the key once and keeps it:\n",
            KeySupply::Reference(..) => {
                "With `--client-key` it passes on the variable of its own environment:\n"
            }
            KeySupply::Names(_) if client.format == Format::Yaml => {
                "With `--client-key` it passes on the variable of its environment or its own secrets:\n"
            }
            KeySupply::Names(_) => {
                "With `--client-key` it passes on the variable of its own environment:\n"
            }
        };
        if client.key != KeySupply::None {
            let entry = printed(&home, &[client.id, "--client-key"]);
            let _ = write!(page, "\n```{language}\n{entry}```\n");
        }
        if client.link.is_some() {
            let _ = write!(
                page,
                "\nWith one click, if `polytomic-mcp` is on the `PATH` of the editor: {}.\n",
                links(client)
            );
        }
        let _ = write!(page, "\nThen: {} Documentation: <{}>\n", client.next, client.documentation);
    }
    page
}

fn files(client: &Client) -> String {
    let [linux, mac_os, windows] = client.places.user;
    let mut text = if linux == mac_os && linux == windows {
        format!("File: `{linux}`")
    } else if linux == mac_os {
        format!("File: `{linux}`; on Windows `{windows}`")
    } else {
        format!("File: `{linux}`; on macOS `{mac_os}`; on Windows `{windows}`")
    };
    if let Some(name) = client.places.alternative {
        let _ = write!(text, ", or `{name}` if that exists");
    }
    text += ".";
    if let Some((name, folder)) = client.places.variable {
        let _ = write!(text, " `{name}` names another folder than `{folder}`.");
    }
    if let Some(place) = client.places.project {
        let place = place.trim_start_matches("./");
        let _ = write!(text, " With `--scope project`: `{place}` in the working folder.");
    }
    text + "\n"
}

#[test]
fn the_page_of_clients_matches_the_code() {
    compare_or_update("docs/clients.md", &page());
}

#[test]
fn the_table_of_the_readme_matches_the_code() {
    let mut table = "| client | command | with one click |\n|---|---|---|\n".to_owned();
    for client in CLIENTS {
        let _ = writeln!(
            table,
            "| {} | `polytomic-mcp setup {}` | {} |",
            client.title,
            client.id,
            links(client)
        );
    }
    compare_or_update_part("README.md", "clients", &table);
}

#[test]
fn links_contain_the_entry() {
    for client in CLIENTS.iter().filter(|client| client.link.is_some()) {
        let link = link(client, &["--sandbox"], false).unwrap();
        let url = url::Url::parse(&link).unwrap();
        let query =
            |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        assert_eq!(query("name"), "polytomic");
        let config = match client.link {
            Some(Link::Cursor) => {
                let bytes =
                    base64::engine::general_purpose::STANDARD.decode(query("config")).unwrap();
                String::from_utf8(bytes).unwrap()
            }
            _ => query("config"),
        };
        let config: Value = serde_json::from_str(&config).unwrap();
        let expected = json!({"type": "stdio", "command": "polytomic-mcp", "args": ["--sandbox"]});
        assert_eq!(config, expected);
    }
}
