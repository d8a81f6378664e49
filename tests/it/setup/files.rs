//! Each client's file: new, with other servers, broken, read-only, behind a link.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use polytomic_mcp::cli::{CLIENTS, Format};

use super::fixtures::{Home, backup_of, is_within, messy, variants};

#[test]
fn a_new_file_is_created_and_removed_again() {
    for client in CLIENTS {
        let home = Home::new();
        let stdout = home.succeed(&["setup", client.id, "--sandbox"]);
        let file = home.file(client);
        assert!(
            stdout.contains(file.to_str().unwrap()) && stdout.contains(client.next),
            "{stdout}"
        );
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(home.binary().to_str().unwrap()), "{text}");
        assert!(text.contains("--sandbox") && text.ends_with('\n'), "{text}");
        assert!(!backup_of(&file).exists());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let stdout = home.succeed(&["setup", client.id, "--sandbox"]);
        assert!(stdout.contains("is already in"), "{stdout}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        // An update of a file that has nothing else.
        home.succeed(&["setup", client.id, "--sandbox", "--read-only"]);
        assert!(fs::read_to_string(&file).unwrap().contains("--read-only"), "{}", client.id);
        home.succeed(&["setup", client.id, "--remove"]);
        assert!(!file.exists() && !backup_of(&file).exists(), "{}", client.id);
        let stdout = home.succeed(&["setup", client.id, "--remove"]);
        assert!(stdout.contains("has no polytomic"), "{stdout}");
    }
}

#[test]
fn the_rest_of_a_file_stays_byte_for_byte() {
    for client in CLIENTS {
        for (variant, before) in variants(&messy(client)) {
            let label = format!("{}, {variant}", client.id);
            let home = Home::new();
            let file = home.write(client, &before);
            let diff = home.succeed(&["setup", client.id, "--sandbox", "--dry-run"]);
            assert!(diff.contains("--sandbox") && diff.contains("\n+"), "{label}: {diff}");
            assert_eq!(fs::read_to_string(&file).unwrap(), before, "{label}: --dry-run");
            home.succeed(&["setup", client.id, "--sandbox"]);
            let after = fs::read_to_string(&file).unwrap();
            assert!(is_within(&before, &after), "{label}:\n{after}");
            assert!(after.contains("polytomic"), "{label}:\n{after}");
            if variant.contains("CRLF") || variant == "both" {
                assert_eq!(after.matches('\n').count(), after.matches("\r\n").count(), "{label}");
            }
            assert_eq!(fs::read_to_string(backup_of(&file)).unwrap(), before, "{label}: backup");
            home.succeed(&["setup", client.id, "--sandbox"]);
            assert_eq!(fs::read_to_string(&file).unwrap(), after, "{label}: twice");
            home.succeed(&["setup", client.id, "--access", "read"]);
            home.succeed(&["setup", client.id, "--sandbox"]);
            assert_eq!(fs::read_to_string(&file).unwrap(), after, "{label}: there and back");
            home.succeed(&["setup", client.id, "--remove"]);
            assert_eq!(fs::read_to_string(&file).unwrap(), before, "{label}: --remove");
            assert!(!backup_of(&file).exists(), "{label}: the backup stays");
        }
    }
}

#[test]
fn an_entry_is_removed_without_its_backup_as_well() {
    for client in CLIENTS {
        for (variant, before) in variants(&messy(client)) {
            if variant == "no line end" && client.format != Format::Json {
                continue; // what is appended begins a line, which stays
            }
            let home = Home::new();
            let file = home.write(client, &before);
            home.succeed(&["setup", client.id, "--sandbox"]);
            fs::remove_file(backup_of(&file)).unwrap();
            home.succeed(&["setup", client.id, "--remove"]);
            let after = fs::read_to_string(&file).unwrap();
            assert_eq!(after, before, "{}, {variant}", client.id);
        }
    }
}

#[test]
fn what_changed_since_stays_when_the_entry_is_removed() {
    for client in CLIENTS {
        let home = Home::new();
        let file = home.write(client, messy(client));
        home.succeed(&["setup", client.id, "--sandbox"]);
        let changed = fs::read_to_string(&file).unwrap().replace("ü", "changed");
        fs::write(&file, changed).unwrap();
        home.succeed(&["setup", client.id, "--remove"]);
        let after = fs::read_to_string(&file).unwrap();
        assert_eq!(after, messy(client).replace("ü", "changed"), "{}", client.id);
    }
}

#[test]
fn a_file_that_is_not_understood_is_refused_with_the_place() {
    for client in CLIENTS {
        let (broken, place) = match client.format {
            Format::Json => ("{\n  \"a\": 1\n  \"b\": 2\n}\n", "line 2, column 9"),
            Format::Toml => ("a = 1\nb = \n", "line 2, column 5"),
            Format::Yaml => ("a: 1\nb: [1, 2\nc: 3\n", "line 3, column"),
        };
        let other = match client.format {
            Format::Json => "[1]",
            Format::Toml => "mcp_servers = 1\n",
            Format::Yaml => "- 1\n",
        };
        for (text, part) in [(broken, place), (other, "line 1, column 1")] {
            let home = Home::new();
            let file = home.write(client, text);
            for words in [&["setup", client.id][..], &["setup", client.id, "--dry-run"]] {
                let output = home.run(words);
                assert_eq!(output.status, 1, "{}: {output:?}", client.id);
                assert!(output.stderr.contains(part), "{}: {output:?}", client.id);
                assert!(output.stderr.contains("--print"), "{output:?}");
            }
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert!(!backup_of(&file).exists());
        }
        let home = Home::new();
        home.write(client, b"{\"a\": \"\xff\xfe\"}");
        let output = home.run(&["setup", client.id]);
        assert_eq!(output.status, 1);
        assert!(output.stderr.contains("not UTF-8"), "{output:?}");
    }
}

#[test]
fn a_read_only_file_is_an_error() {
    for client in CLIENTS {
        let home = Home::new();
        let file = home.write(client, messy(client));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        let output = home.run(&["setup", client.id, "--sandbox"]);
        assert_eq!(output.status, 1, "{output:?}");
        assert!(output.stderr.contains("is read-only") && output.stderr.contains("hint: make it"));
        assert_eq!(fs::read_to_string(&file).unwrap(), messy(client));
    }
}

#[test]
fn the_target_of_a_link_is_written_and_its_mode_stays() {
    for client in CLIENTS {
        let home = Home::new();
        let target = home.path().join("dotfiles/file");
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(&target, messy(client)).unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
        let file = home.file(client);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&target, &file).unwrap();
        home.succeed(&["setup", client.id, "--sandbox"]);
        assert!(fs::symlink_metadata(&file).unwrap().is_symlink(), "{}", client.id);
        assert!(fs::read_to_string(&target).unwrap().contains("polytomic"));
        for written in [&target, &backup_of(&target)] {
            assert_eq!(fs::metadata(written).unwrap().permissions().mode() & 0o777, 0o640);
        }
        home.succeed(&["setup", client.id, "--remove"]);
        assert_eq!(fs::read_to_string(&target).unwrap(), messy(client));
        // A link whose target is not there yet.
        fs::remove_file(&target).unwrap();
        home.succeed(&["setup", client.id, "--sandbox"]);
        assert!(fs::symlink_metadata(&file).unwrap().is_symlink() && target.exists());
    }
}

#[test]
fn files_without_a_value_get_one() {
    for client in CLIENTS {
        let empty = match client.format {
            Format::Json => {
                vec!["", "\n", "{}", "{\n}\n", "// nothing\n", "{ /* c */ }", "{\"SERVERS\":{}}"]
            }
            Format::Toml => vec!["", "\n", "# nothing\n", "[SERVERS]\n"],
            Format::Yaml => {
                vec!["", "\n", "# nothing\n", "SERVERS:\n", "SERVERS: {}\nb: 1\n", "a: 1"]
            }
        };
        for before in empty {
            let before = before.replace("SERVERS", client.servers[0]);
            let home = Home::new();
            let file = home.write(client, &before);
            home.succeed(&["setup", client.id, "--sandbox"]);
            let after = fs::read_to_string(&file).unwrap();
            assert!(after.contains("polytomic"), "{} {before:?}: {after}", client.id);
            home.succeed(&["setup", client.id, "--remove"]);
            assert_eq!(fs::read_to_string(&file).unwrap(), before, "{}: {after}", client.id);
        }
    }
}

#[test]
fn an_object_that_is_empty_again_is_written_as_one() {
    let home = Home::new();
    let client = CLIENTS.iter().find(|client| client.id == "claude-code").unwrap();
    home.succeed(&["setup", "claude-code", "--sandbox"]);
    // As the client does at its first start.
    let text = fs::read_to_string(home.file(client)).unwrap();
    let file = home.write(client, text.replacen('{', "{\n  \"starts\": 1,", 1));
    home.succeed(&["setup", "claude-code", "--remove"]);
    let expected = "{\n  \"starts\": 1,\n  \"mcpServers\": {}\n}\n";
    assert_eq!(fs::read_to_string(file).unwrap(), expected);
}

#[test]
fn a_file_that_an_edit_would_change_elsewhere_is_refused() {
    for (id, text) in [
        // The blank line is part of the text, and what is inserted before it would end the text.
        ("goose", "extensions:\n  a:\n    text: |+\n      x\n\n"),
        ("goose", "extensions: {a: {type: builtin}}\n"),
        ("goose", "--- {}\n"),
        ("codex", "a = 1\r\nb = 2\n"),
        ("codex", "mcp_servers = { a = { command = \"x\" } }\r\nb = \"\"\"\n\"\"\"\n"),
        ("zed", "{\"context_servers\": [1]}"),
    ] {
        let home = Home::new();
        let client = CLIENTS.iter().find(|client| client.id == id).unwrap();
        let file = home.write(client, text);
        let output = home.run(&["setup", id, "--sandbox"]);
        assert_eq!(output.status, 1, "{text:?}: {output:?}");
        assert!(output.stderr.contains("--print"), "{output:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}
