//! Entries that are there already, the list of clients, and wrong usage.

use std::fs;

use polytomic_mcp::cli::{CLIENTS, Client};

use super::fixtures::{Home, backup_of, output};
use crate::support::{Terminal, exit_code};

fn client(id: &str) -> &'static Client {
    CLIENTS.iter().find(|client| client.id == id).unwrap()
}

/// The text after a run, with the path of the program as PATH.
fn after(id: &str, before: &str, flags: &[&str]) -> String {
    let home = Home::new();
    let file = home.write(client(id), before);
    home.succeed(&[&["setup", id][..], flags].concat());
    let text = fs::read_to_string(&file).unwrap();
    text.replace(home.binary().to_str().unwrap(), "PATH")
}

#[test]
fn an_entry_of_the_same_name_is_updated_and_keeps_what_the_user_added() {
    for (id, before, expected) in [
        (
            "cursor",
            "{\"mcpServers\": {\n  \"polytomic\": { // mine\n    \"command\": \"old/polytomic-mcp\", \"disabled\": true,\n    \
             \"args\": [ \"--x\" ],\n    \"env\": {\"POLYTOMIC_LOG\": \"debug\"}\n  }\n}}",
            "{\"mcpServers\": {\n  \"polytomic\": { // mine\n    \"command\": \"PATH\", \"disabled\": true,\n    \
             \"args\": [\"--sandbox\"],\n    \"env\": {\"POLYTOMIC_LOG\": \"debug\"},\n    \"type\": \"stdio\"\n  }\n}}",
        ),
        (
            "codex",
            "[mcp_servers.polytomic]\ncommand = 'old/polytomic-mcp' # mine\ntool_timeout_sec = 99\n\n[other]\na = 1\n",
            "[mcp_servers.polytomic]\ncommand = \"PATH\" # mine\ntool_timeout_sec = 99\nargs = [\"--sandbox\"]\n\n\
             [other]\na = 1\n",
        ),
        (
            "goose",
            "extensions:\n  polytomic:\n    cmd: old/polytomic-mcp # mine\n    enabled: false\n    timeout: 7\n    args:\n    - a\n    \
             - b\n    type: stdio\n    name: Mine\n",
            "extensions:\n  polytomic:\n    cmd: \"PATH\" # mine\n    enabled: false\n    timeout: 7\n    args: \
             [\"--sandbox\"]\n    type: stdio\n    name: Mine\n",
        ),
        (
            "opencode",
            "{\"mcp\":{\"servers\":{\"polytomic\":{\"type\":\"local\",\"command\":[\"old/polytomic-mcp\"],\"cwd\":\".\"}}}}",
            "{\"mcp\":{\"servers\":{\"polytomic\":{\"type\":\"local\",\"command\":[\"PATH\",\"--sandbox\"],\"cwd\":\".\"}}}}",
        ),
    ] {
        assert_eq!(after(id, before, &["--sandbox"]), expected, "{id}");
    }
}

#[test]
fn what_is_new_is_written_in_the_style_of_the_file() {
    for (id, before, expected) in [
        (
            "cursor",
            "{\n    \"mcpServers\": {\n        \"a\": {}, // first\n    }\n}\n",
            "{\n    \"mcpServers\": {\n        \"a\": {}, // first\n        \"polytomic\": {\n            \"type\": \
             \"stdio\",\n            \"command\": \"PATH\",\n            \"args\": [\"--sandbox\"]\n        },\n    }\n}\n",
        ),
        (
            "claude-desktop",
            "{\n\t\"mcpServers\": {\n\t\t\"a\": {}\n\t}\n}",
            "{\n\t\"mcpServers\": {\n\t\t\"a\": {},\n\t\t\"polytomic\": {\n\t\t\t\"command\": \"PATH\",\n\t\t\t\"args\": \
             [\"--sandbox\"]\n\t\t}\n\t}\n}",
        ),
        (
            "gemini",
            "{\"theme\":\"x\",\"mcpServers\":{}}",
            "{\"theme\":\"x\",\"mcpServers\":{\"polytomic\":{\"command\":\"PATH\",\"args\":[\"--sandbox\"]}}}",
        ),
        (
            "zed",
            "// Zed\n{\n  \"a\": 1\n}\n",
            "// Zed\n{\n  \"a\": 1,\n  \"context_servers\": {\n    \"polytomic\": {\n      \"command\": \"PATH\",\n      \
             \"args\": [\"--sandbox\"]\n    }\n  }\n}\n",
        ),
        (
            "opencode",
            "{\n  \"mcp\": {\n    \"servers\": {}\n  }\n}\n",
            "{\n  \"mcp\": {\n    \"servers\": {\n      \"polytomic\": {\n        \"type\": \"local\",\n        \
             \"command\": [\"PATH\", \"--sandbox\"]\n      }\n    }\n  }\n}\n",
        ),
        (
            "codex",
            "model = \"o\"\n",
            "model = \"o\"\n\n[mcp_servers.polytomic]\ncommand = \"PATH\"\nargs = [\"--sandbox\"]\n",
        ),
        (
            "goose",
            "extensions:\n    a:\n        enabled: true\n# end\n",
            "extensions:\n    a:\n        enabled: true\n    polytomic:\n      type: stdio\n      name: polytomic\n      \
             enabled: true\n      cmd: \"PATH\"\n      args: [\"--sandbox\"]\n      timeout: 300\n# end\n",
        ),
    ] {
        assert_eq!(after(id, before, &["--sandbox"]), expected, "{id}");
    }
}

#[test]
fn comments_above_a_table_stay_when_it_is_removed() {
    let entry = "[mcp_servers.polytomic]\ncommand = \"/x/polytomic-mcp\"\n";
    for (before, expected) in [
        (
            format!("a = 1\n\n# about b\n{entry}\n[z]\nb = 1\n"),
            "a = 1\n\n# about b\n\n[z]\nb = 1\n",
        ),
        (format!("a = 1\n\n# about b\n{entry}# end\n"), "a = 1\n\n# about b\n# end\n"),
        (
            format!("[z]\nb = 1\n# about b\n{entry}\n[y]\n[x]\n[mcp_servers.a]\n"),
            "[z]\nb = 1\n# about b\n\n[y]\n[x]\n[mcp_servers.a]\n",
        ),
    ] {
        let home = Home::new();
        let file = home.write(client("codex"), &before);
        home.succeed(&["setup", "codex", "--remove"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), expected, "{before}");
        assert_eq!(fs::read_to_string(backup_of(&file)).unwrap(), before);
    }
}

#[test]
fn profiles_whose_entries_have_the_same_name_do_not_replace_each_other() {
    let home = Home::new();
    for profile in ["a b", "a-b"] {
        home.succeed(&["login", "--sandbox", "--profile", profile]);
    }
    home.succeed(&["setup", "cursor", "--profile", "a b"]);
    home.succeed(&["setup", "cursor", "--profile", "a b"]);
    let file = home.file(client("cursor"));
    let before = fs::read_to_string(&file).unwrap();
    for words in [&["--dry-run"][..], &[], &["--remove"]] {
        let output = home.run(&[&["setup", "cursor", "--profile", "a-b"], words].concat());
        assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{output:?}");
        assert!(output.stderr.contains("is for profile \"a b\""), "{output:?}");
        assert!(output.stderr.contains("--name"), "{output:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    }
    home.succeed(&["setup", "cursor", "--profile", "a-b", "--name", "polytomic-a-b"]);
    assert!(fs::read_to_string(&file).unwrap().contains("\"a-b\""));
}

#[test]
fn an_entry_of_another_server_is_neither_replaced_nor_removed() {
    let home = Home::new();
    let before = "{\"mcpServers\": {\"polytomic\": {\"command\": \"npx\", \"args\": [\"other\"]}}}";
    let file = home.write(client("cursor"), before);
    let output = home.run(&["setup", "cursor", "--remove"]);
    assert_eq!(output.status, 1);
    assert!(output.stderr.contains("does not start polytomic-mcp"), "{output:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    // The hosted server is likely to have the same name.
    let hosted =
        "{\"mcpServers\": {\"polytomic\": {\"url\": \"https://x\", \"headers\": {\"a\": \"b\"}}}}";
    for before in [before, hosted] {
        fs::write(&file, before).unwrap();
        for arguments in [&["setup", "cursor", "--sandbox"][..], &["setup", "cursor", "--dry-run"]]
        {
            let output = home.run(arguments);
            assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{output:?}");
            assert!(output.stderr.contains("--name polytomic-local"), "{output:?}");
            assert_eq!(fs::read_to_string(&file).unwrap(), before);
        }
        home.succeed(&["setup", "cursor", "--sandbox", "--name", "polytomic-local"]);
        home.succeed(&["setup", "cursor", "--remove", "--name", "polytomic-local"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    }
}

#[test]
fn the_first_copy_of_a_file_is_kept() {
    let home = Home::new();
    let before = "{ \"mine\": 1 }";
    let file = home.write(client("cursor"), before);
    for name in ["one", "two", "three"] {
        home.succeed(&["setup", "cursor", "--sandbox", "--name", name]);
        assert_eq!(fs::read_to_string(backup_of(&file)).unwrap(), before);
    }
    home.succeed(&["setup", "cursor", "--remove", "--name", "two"]);
    assert_eq!(fs::read_to_string(backup_of(&file)).unwrap(), before);
}

#[test]
fn one_client_that_fails_does_not_stop_the_others() {
    let home = Home::new();
    home.write(client("cursor"), "{");
    let output = home.run(&["setup", "cursor", "zed", "--sandbox"]);
    assert_eq!(output.status, 1);
    assert!(output.stderr.contains("error: Cursor: "), "{output:?}");
    assert!(output.stderr.contains("error: unchanged clients: 1 of 2"), "{output:?}");
    assert!(home.file(client("zed")).exists());
}

#[test]
fn an_opencode_file_with_comments_is_found_under_its_other_name() {
    let home = Home::new();
    let file = home.write(client("opencode"), "{}");
    let other = file.with_file_name("opencode.jsonc");
    fs::rename(&file, &other).unwrap();
    home.succeed(&["setup", "opencode", "--sandbox"]);
    assert!(!file.exists() && fs::read_to_string(&other).unwrap().contains("--sandbox"));
    assert!(backup_of(&other).exists());
}

#[test]
fn folders_of_clients_follow_their_variables() {
    let home = Home::new();
    let at = |name: &str| home.path().join(name);
    for (id, variable, file) in [
        ("codex", "CODEX_HOME", "config.toml"),
        ("claude-code", "CLAUDE_CONFIG_DIR", ".claude.json"),
        ("copilot", "COPILOT_HOME", "mcp-config.json"),
    ] {
        let output = output(home.command(&["setup", id, "--sandbox"]).env(variable, at(id)));
        assert_eq!(output.status, 0, "{output:?}");
        assert!(at(id).join(file).exists(), "{id}");
    }
}

#[test]
fn without_a_name_the_clients_of_the_machine_are_listed() {
    let home = Home::new();
    let stdout = home.succeed(&["setup"]);
    assert!(stdout.contains("No client was found") && stdout.contains("lmstudio"), "{stdout}");
    fs::create_dir_all(home.path().join(".cursor")).unwrap();
    fs::create_dir_all(home.path().join(".claude")).unwrap();
    home.succeed(&["setup", "zed", "--sandbox"]);
    let output = home.run(&["setup"]);
    assert_eq!(output.status, 0);
    for part in ["claude-code", "cursor", "zed", "has polytomic in", "--sandbox"] {
        assert!(output.stdout.contains(part), "{part}: {output:?}");
    }
    assert!(!output.stdout.contains("codex"), "{output:?}");
    assert!(output.stderr.contains("hint: name the clients, e.g. polytomic-mcp setup claude-code"));
    assert!(!home.file(client("cursor")).exists());
    let output = home.run(&["setup", "--remove"]);
    assert!(output.stdout.contains("zed") && !output.stdout.contains("cursor"), "{output:?}");
}

#[tokio::test]
async fn at_a_terminal_it_asks() {
    let home = Home::new();
    fs::create_dir_all(home.path().join(".cursor")).unwrap();
    fs::create_dir_all(home.path().join(".codex")).unwrap();
    let (mut person, terminal) = Terminal::open();
    let mut command = tokio::process::Command::from(home.command(&["setup", "--sandbox"]));
    command
        .stdin(terminal.try_clone().unwrap())
        .stdout(terminal.try_clone().unwrap())
        .stderr(terminal);
    let mut child = command.spawn().unwrap();
    drop(command);
    person.until("Add it to").await;
    person.type_text("2\n");
    let status = exit_code(&mut child).await;
    let seen = person.finish();
    assert_eq!(status, Some(0), "{seen}");
    assert!(seen.contains("Add it to (numbers or names"), "{seen}");
    assert!(home.file(client("codex")).exists() && !home.file(client("cursor")).exists(), "{seen}");
}

#[test]
fn wrong_usage_is_refused() {
    for (words, part) in [
        (&["setup", "emacs"][..], "invalid value 'emacs'"),
        (&["setup", "curso"], "cursor"),
        (&["setup", "cursor", "--name", "a b"], "letters, digits"),
        (&["setup", "cursor", "--name", "a234567890123456789012345678901"], "at most 30"),
        (&["setup", "cursor", "--scope", "global"], "--scope"),
        (&["setup", "cursor", "--print", "--remove"], "cannot be used with"),
        (&["setup", "cursor", "--base-url", "ftp://x"], "base URL is invalid"),
    ] {
        let output = Home::new().run(words);
        assert_eq!(output.status, 2, "{words:?}: {output:?}");
        assert!(output.stderr.contains(part), "{words:?}: {output:?}");
    }
}
