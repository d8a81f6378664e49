//! No key is written, and a user without one learns what to do.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use polytomic_mcp::cli::{CLIENTS, KeySupply};

use super::fixtures::{Home, messy};

/// Every file below a folder that contains a text.
fn files_with(folder: &std::path::Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if fs::read_to_string(&path).is_ok_and(|content| content.contains(text)) {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_key_of_the_shell_is_written_nowhere() {
    let home = Home::new();
    for client in CLIENTS {
        for flags in [&[][..], &["--client-key"]] {
            let words = [&["setup", client.id][..], flags].concat();
            let output =
                home.command(&words).env("POLYTOMIC_API_KEY", "key-4711").output().unwrap();
            for printed in [output.stdout, output.stderr] {
                assert!(!String::from_utf8(printed).unwrap().contains("4711"), "{words:?}");
            }
        }
    }
    assert_eq!(files_with(home.path(), "4711"), Vec::<std::path::PathBuf>::new());
}

#[test]
fn without_a_key_the_next_command_is_named() {
    let home = Home::new();
    let output = home.run(&["setup", "cursor"]);
    assert!(
        output.stderr.contains("hint: now store an API key with `polytomic-mcp login`"),
        "{output:?}"
    );
    // What a desktop application gets is not this shell's environment.
    let output = home.command(&["setup", "cursor"]).env("POLYTOMIC_API_KEY", "k").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("polytomic-mcp login"));
    for flags in [&["--sandbox"][..], &["--client-key"]] {
        let output = home.run(&[&["setup", "cursor"][..], flags].concat());
        assert_eq!(output.stderr, "", "{flags:?}");
    }
    let mut login = home.command(&["login", "--unchecked", "--profile", "p"]);
    let mut login = login.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    login.stdin.take().unwrap().write_all(b"key-4711").unwrap();
    assert!(login.wait().unwrap().success());
    let output = home.run(&["setup", "cursor", "--profile", "p"]);
    assert_eq!(output.stderr, "");
    let output = home.run(&["setup", "cursor", "--profile", "q"]);
    assert_eq!(output.status, 2);
    assert!(output.stderr.contains("login --profile NAME` creates one"), "{output:?}");
    let output =
        home.command(&["setup", "cursor"]).env("POLYTOMIC_MAX_BYTES", "5000").output().unwrap();
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("note: POLYTOMIC_MAX_BYTES of this shell")
    );
}

#[test]
fn a_client_that_can_provides_the_key() {
    for client in CLIENTS {
        let home = Home::new();
        let output = home.run(&["setup", client.id, "--client-key"]);
        let reference = match client.key {
            KeySupply::None => {
                assert_eq!(output.status, 1);
                assert!(output.stderr.contains("cannot provide a key"), "{output:?}");
                assert!(!home.file(client).exists());
                continue;
            }
            KeySupply::Input => "${input:polytomic-api-key}",
            KeySupply::Reference(_, reference) => reference,
            KeySupply::Names(_) => "POLYTOMIC_API_KEY",
        };
        assert_eq!(output.status, 0, "{output:?}");
        let read = || fs::read_to_string(home.file(client)).unwrap();
        assert!(read().contains(reference), "{}", read());
        assert_eq!(read().contains("promptString"), client.key == KeySupply::Input);
        // The sandbox needs none.
        home.succeed(&["setup", client.id, "--sandbox"]);
        assert!(!read().contains(reference) && !read().contains("promptString"), "{}", read());
        // With other servers, and back.
        let home = Home::new();
        let file = home.write(client, messy(client));
        home.succeed(&["setup", client.id, "--client-key"]);
        home.succeed(&["setup", client.id, "--remove"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), messy(client), "{}", client.id);
    }
    let output = Home::new().run(&["setup", "vscode", "--client-key", "--sandbox"]);
    assert_eq!(output.status, 2);
    assert!(output.stderr.contains("--client-key has no effect with --sandbox"), "{output:?}");
}

#[test]
fn a_key_that_a_user_has_written_is_pointed_out_and_stays() {
    let home = Home::new();
    let cursor = CLIENTS.iter().find(|client| client.id == "cursor").unwrap();
    let before = "{\"mcpServers\": {\"polytomic\": {\"command\": \"/old/polytomic-mcp\", \"env\": \
                  {\"POLYTOMIC_API_KEY\": \"key-4711\"}}}}";
    let file = home.write(cursor, before);
    let stdout = home.succeed(&["setup", "cursor"]);
    assert!(stdout.contains("contains POLYTOMIC_API_KEY as text") && !stdout.contains("4711"));
    assert!(fs::read_to_string(&file).unwrap().contains("key-4711"));
    let diff = home.succeed(&["setup", "cursor", "--access", "read", "--dry-run"]);
    assert!(diff.contains("--access"), "{diff}");
}
