//! The entries work: each is started as its client does.

use std::fs;
use std::path::Path;
use std::process::Command;

use polytomic_mcp::cli::{CLIENTS, Client, Format, KeySupply, Scope};
use polytomic_mcp::registry::Effect;
use serde_json::{Value, json};

use super::fixtures::Home;
use crate::support::{KEY, Session, count_tools, default_tools};

/// An entry of a file as JSON, read by a parser that `setup` does not use, except for TOML.
fn entry(client: &Client, file: &Path, name: &str) -> Value {
    let text = fs::read_to_string(file).unwrap();
    let root: Value = match client.format {
        Format::Json => serde_json::from_str(&text).unwrap(),
        Format::Toml => {
            let document: toml_edit::DocumentMut = text.parse().unwrap();
            from_toml(document.as_item())
        }
        Format::Yaml => yaml_serde::from_str(&text).unwrap(),
    };
    root[client.servers[0]][name].clone()
}

/// Tables, lists and texts, which is all that entries have.
fn from_toml(item: &toml_edit::Item) -> Value {
    if let Some(table) = item.as_table_like() {
        return table.iter().map(|(name, item)| (name.to_owned(), from_toml(item))).collect();
    }
    if let Some(list) = item.as_array() {
        return list.iter().map(|value| from_toml(&value.clone().into())).collect();
    }
    json!(item.as_str().unwrap())
}

/// The program of an entry and its arguments.
fn words(entry: &Value) -> Vec<String> {
    let list = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items.map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    match entry["command"].as_str().or_else(|| entry["cmd"].as_str()) {
        Some(command) => [vec![command.to_owned()], list(&entry["args"])].concat(),
        None => list(&entry["command"]),
    }
}

/// Starts an entry as its client does, with the key if the entry says that; returns title and tools of the server, and
/// what it logged.
async fn start(home: &Home, client: &Client, entry: &Value) -> (String, usize, String) {
    let words = words(entry);
    assert_eq!(words[0], home.binary().to_str().unwrap(), "{}", client.id);
    let gets_key = match client.key {
        KeySupply::None => false,
        KeySupply::Input => entry["env"]["POLYTOMIC_API_KEY"] == "${input:polytomic-api-key}",
        KeySupply::Reference(member, text) => entry[member]["POLYTOMIC_API_KEY"] == text,
        KeySupply::Names(member) => entry[member] == json!(["POLYTOMIC_API_KEY"]),
    };
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir("/").env_clear().env("HOME", home.path());
    if gets_key {
        command.env("POLYTOMIC_API_KEY", KEY);
    }
    let mut session = Session::of(command);
    let server = session.initialize("2025-11-25").await["serverInfo"].clone();
    let listed = session.request("tools/list", json!({})).await;
    let exit = session.close().await;
    assert_eq!(exit.status, Some(0), "{}: {}", client.id, exit.stderr);
    let title = server["title"].as_str().unwrap().to_owned();
    (title, listed["result"]["tools"].as_array().unwrap().len(), exit.stderr)
}

#[tokio::test]
async fn each_kind_of_entry_starts_a_server_with_its_settings() {
    let (tools, reading) = (default_tools(), count_tools(Effect::is_read_only));
    for client in CLIENTS {
        for (flags, name, title, count) in [
            (&["--sandbox", "--read-only"][..], "polytomic", "Polytomic", reading),
            (&["--sandbox", "--sandbox-data", "a \"b'\\ #: ü.db"], "polytomic", "Polytomic", tools),
            (&["--profile", "a b"], "polytomic-a-b", "Polytomic (a b)", tools),
            (&["--client-key"], "polytomic", "Polytomic", tools),
            (&["--sandbox", "--scope", "project"], "polytomic", "Polytomic", tools),
        ] {
            let home = Home::new();
            let (has_client_key, is_of_project) =
                (flags.contains(&"--client-key"), flags.contains(&"project"));
            if has_client_key && client.key == KeySupply::None {
                continue;
            }
            let file = match client.places.project.filter(|_| is_of_project) {
                Some(place) => home.project().join(place.strip_prefix("./").unwrap()),
                None if is_of_project => continue,
                None => home.file(client),
            };
            home.succeed(&["login", "--sandbox", "--profile", "a b"]);
            home.succeed(&[&["setup", client.id][..], flags].concat());
            let entry = entry(client, &file, name);
            let label = format!("{} {flags:?}: {entry}", client.id);
            let (actual, listed, stderr) = start(&home, client, &entry).await;
            assert_eq!((actual.as_str(), listed), (title, count), "{label}");
            assert!(!stderr.contains("No API key"), "{label}: {stderr}");
            let is_sandbox = stderr.contains("nothing is sent to Polytomic");
            assert_eq!(is_sandbox, !has_client_key, "{label}: {stderr}");
        }
    }
}

#[test]
fn flags_for_settings_become_arguments() {
    let home = Home::new();
    let client = CLIENTS.iter().find(|client| client.id == "cursor").unwrap();
    let words_of = |flags: &[&str]| {
        home.succeed(&[&["setup", "cursor"][..], flags].concat());
        words(&entry(client, &home.file(client), "polytomic"))[1..].to_vec()
    };
    let project = home.project();
    let at = |name: &str| project.join(name).to_str().unwrap().to_owned();
    for (flags, expected) in [
        (&[][..], vec![]),
        (&["--access", "READ"], vec!["--access", "READ"]),
        (&["--tools", "get_job", "--tools=get_model"], vec!["--tools", "get_job,get_model"]),
        (&["--audit-log", "log"], vec!["--audit-log", &at("log")]),
        (&["--audit-log", "~/log"], vec!["--audit-log", "~/log"]),
        (&["--config", "off", "--own-only"], vec!["--config", "off", "--own-only"]),
        (
            &["--sandbox-data", "a b.db", "--sandbox"],
            vec!["--sandbox", "--sandbox-data", &at("a b.db")],
        ),
        (&["--max-bytes", "5000"], vec!["--max-bytes", "5000"]),
    ] {
        assert_eq!(words_of(flags), expected, "{flags:?}");
    }
    // Before the command, too.
    home.succeed(&["--sandbox", "setup", "cursor", "--log", "off"]);
    let entry = entry(client, &home.file(client), "polytomic");
    assert_eq!(entry["args"], json!(["--sandbox", "--log", "off"]));
}

#[test]
fn the_file_of_a_project_is_in_the_working_folder() {
    for client in CLIENTS {
        let home = Home::new();
        let output = home.run(&["setup", client.id, "--sandbox", "--scope", "project"]);
        let Some(place) = client.places.project else {
            assert_eq!(output.status, 1, "{output:?}");
            assert!(output.stderr.contains("no file for the scope project"), "{output:?}");
            continue;
        };
        assert_eq!(output.status, 0, "{output:?}");
        assert!(output.stdout.contains("a path of this machine"), "{output:?}");
        let file = home.project().join(place.strip_prefix("./").unwrap());
        assert_eq!(words(&entry(client, &file, "polytomic"))[1], "--sandbox");
        assert!(!home.file(client).exists());
        home.succeed(&["setup", client.id, "--scope", "project", "--remove"]);
        assert!(!file.exists());
        assert_eq!(Scope::Project.as_str(), "project");
    }
}

#[test]
fn two_profiles_are_two_entries() {
    let home = Home::new();
    for name in ["production", "a b"] {
        home.succeed(&["login", "--sandbox", "--profile", name]);
        home.succeed(&["setup", "cursor", "--profile", name]);
    }
    let client = CLIENTS.iter().find(|client| client.id == "cursor").unwrap();
    let file = home.file(client);
    let profile = |entry_name: &str| entry(client, &file, entry_name)["args"].clone();
    assert_eq!(profile("polytomic-production"), json!(["--profile", "production"]));
    assert_eq!(profile("polytomic-a-b"), json!(["--profile", "a b"]));
    home.succeed(&["setup", "cursor", "--profile", "production", "--name", "mine"]);
    assert_eq!(profile("mine"), json!(["--profile", "production"]));
    home.succeed(&["setup", "cursor", "--profile", "production", "--remove"]);
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("polytomic-production") && text.contains("polytomic-a-b"), "{text}");
}

#[test]
fn the_path_is_one_that_outlives_an_update() {
    let home = Home::new();
    // As package managers do it: the folder of PATH has a link to a folder with a version.
    let versioned = home.path().join("cellar/1.2.3");
    fs::create_dir_all(&versioned).unwrap();
    let real = versioned.join("polytomic-mcp");
    fs::hard_link(env!("CARGO_BIN_EXE_polytomic-mcp"), &real)
        .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_polytomic-mcp"), &real).map(|_| ()))
        .unwrap();
    let link = home.binary();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let printed = |program: &Path, path: &Path| {
        let mut command = home.command(&["setup", "cursor", "--print", "--sandbox"]);
        let mut other = Command::new(program);
        other.args(command.get_args()).env_clear().env("HOME", home.path()).env("PATH", path);
        other.current_dir(home.path());
        let output = super::fixtures::output(&mut other);
        let _ = &mut command;
        assert_eq!(output.status, 0, "{output:?}");
        let root: Value = serde_json::from_str(&output.stdout).unwrap();
        let command = root["mcpServers"]["polytomic"]["command"].as_str().unwrap().to_owned();
        (command, output.stderr)
    };
    let bin = home.path().join("bin");
    let (command, stderr) = printed(&real, &bin);
    assert_eq!((command.as_str(), stderr.as_str()), (link.to_str().unwrap(), ""));
    let (command, _) = printed(Path::new("bin/polytomic-mcp"), Path::new("/none"));
    assert_eq!(command, link.to_str().unwrap());
    let (command, _) = printed(&real, Path::new("/none"));
    assert_eq!(command, real.to_str().unwrap());
    let built = Path::new(env!("CARGO_BIN_EXE_polytomic-mcp"));
    let (_, stderr) = printed(built, Path::new("/none"));
    assert!(stderr.contains("is in a build directory"), "{stderr}");
}
