//! The entries work: each is started as its client does.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use polytomic_mcp::cli::{CLIENTS, Client, Format, Scope};
use serde_json::{Value, json};

use super::fixtures::Home;

/// The only entry of a file, as JSON.
fn entry(client: &Client, file: &Path, name: &str) -> Value {
    let text = fs::read_to_string(file).unwrap();
    match client.format {
        Format::Json => {
            let root: Value = serde_json::from_str(&text).unwrap();
            root[client.servers[0]][name].clone()
        }
        Format::Toml => {
            let document: toml_edit::DocumentMut = text.parse().unwrap();
            let table = document[client.servers[0]][name].as_table().unwrap();
            let words = |item: &toml_edit::Item| -> Value {
                item.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
            };
            json!({"command": table["command"].as_str().unwrap(), "args": words(&table["args"])})
        }
        // Lines whose values are JSON.
        Format::Yaml => {
            let value = |key: &str| -> Value {
                let line = text.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap();
                serde_json::from_str(line).unwrap()
            };
            json!({"command": value("cmd: "), "args": value("args: ")})
        }
    }
}

fn words(entry: &Value) -> Vec<String> {
    let list = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items.map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    match entry["command"].as_str() {
        Some(command) => [vec![command.to_owned()], list(&entry["args"])].concat(),
        None => list(&entry["command"]),
    }
}

#[test]
fn an_entry_starts_a_server_that_responds_to_initialize() {
    for client in CLIENTS {
        let home = Home::new();
        home.succeed(&["setup", client.id, "--sandbox", "--read-only"]);
        let words = words(&entry(client, &home.file(client), "polytomic"));
        assert_eq!(words[0], home.binary().to_str().unwrap(), "{}", client.id);
        let mut server = Command::new(&words[0])
            .args(&words[1..])
            .current_dir("/")
            .env_clear()
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": client.id, "version": "1"},
        }});
        let mut stdin = server.stdin.take().unwrap();
        writeln!(stdin, "{request}").unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let response: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(response["result"]["serverInfo"]["title"], "Polytomic", "{}", client.id);
        drop(stdin);
        assert!(server.wait().unwrap().success(), "{}", client.id);
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
