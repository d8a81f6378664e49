//! `login` and `logout`: where they store a key and its address, and what servers then use.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::api_keys::{at, stub, write_key};
use crate::support::{Launch, Output, Session, Stub, Terminal, exit_code};

/// Runs a command with text on stdin.
async fn run(launch: &Launch, words: &[&str], input: &str) -> Output {
    launch.clone().flags(words).output_for(input).await
}

#[tokio::test]
async fn login_checks_and_stores_a_key_that_servers_then_use() {
    let stub = stub().await;
    let identity = json!({"data": {
        "organization_name": "Acme", "organization_id": "o", "email": "a@b.c", "role": "admin",
    }});
    stub.json("GET", "/api/me", 200, identity).await;
    let launch = at(&stub).with_settings("# mine\naccess = \"read\"\n");
    let (status, stdout, stderr) = run(&launch, &["login"], "key-4711\n").await;
    assert_eq!((status, stderr.as_str()), (0, ""));
    for part in ["The key works: Acme as a@b.c, role admin at ", "keys.toml"] {
        assert!(stdout.contains(part), "{stdout}");
    }
    let (status, stdout, _) = run(&launch, &["login", "--profile", "p q"], "key-4712").await;
    assert_eq!(status, 0, "{stdout}");
    let keys = launch.settings_file().with_file_name("keys.toml");
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
    let settings = fs::read_to_string(launch.settings_file()).unwrap();
    let url = stub.url();
    let expected = format!(
        "# mine\naccess = \"read\"\nbase_url = \"{url}\"\n\n[profiles.\"p q\"]\nbase_url = \"{url}\"\n"
    );
    assert_eq!(settings, expected);
    for (flags, key) in [(&[][..], "key-4711"), (&["--profile", "p q"], "key-4712")] {
        let launch = launch.clone().flags(flags);
        Session::open(&launch).await.call("list_connections", json!({})).await;
        let requests = stub.requests().await;
        let sent = &requests.last().unwrap().headers["authorization"];
        assert_eq!(sent, &format!("Bearer {key}"));
    }
    let (status, stdout, _) = run(&launch, &["config"], "").await;
    assert_eq!(status, 0);
    assert!(stdout.contains("stored in") && !stdout.contains("key-4711"), "{stdout}");
    let (status, stdout, _) = run(&launch, &["logout", "--profile", "p q"], "").await;
    assert_eq!(status, 0);
    assert!(stdout.contains("is removed"), "{stdout}");
    let text = fs::read_to_string(&keys).unwrap();
    assert!(text.contains("key-4711") && !text.contains("key-4712"), "{text}");
    let (_, stdout, _) = run(&launch, &["logout", "--profile", "p q"], "").await;
    assert!(stdout.contains("no stored key"), "{stdout}");
}

#[tokio::test]
async fn login_at_a_terminal_does_not_show_the_key() {
    let stub = Stub::start().await;
    let launch = at(&stub).flags(["login", "--unchecked"]);
    let (mut person, terminal) = Terminal::open();
    let mut command = launch.command();
    command.stdin(terminal.try_clone().unwrap()).stdout(terminal.try_clone().unwrap());
    let mut child = command.stderr(terminal).spawn().unwrap();
    drop(command); // and with it our copy of the terminal
    person.until("Polytomic API key (not shown):").await;
    person.until_hidden().await;
    person.type_text("key-4711\n");
    assert_eq!(exit_code(&mut child).await, Some(0));
    // It has searched the screen for the key.
    let seen = person.finish();
    assert!(seen.contains("The key is stored in "), "{seen}");
    let keys = launch.settings_file().with_file_name("keys.toml");
    assert!(fs::read_to_string(keys).unwrap().contains("key-4711"));
}

#[tokio::test]
async fn login_stores_no_key_that_is_rejected_or_no_key() {
    let stub = Stub::start().await;
    stub.json("GET", "/api/me", 401, json!({"message": "no"})).await;
    let launch = at(&stub);
    for (words, input, status, part) in [
        (&["login"][..], "key-4711", 3, "the key is not stored: The API rejected the key"),
        (&["login"], "", 1, "expected an API key, got nothing"),
        (&["login"], "two words", 1, "expected an API key, got several words"),
        (&["login", "--access", "raed"], "key-4711", 2, "invalid value"),
    ] {
        let (actual, stdout, stderr) = run(&launch, words, input).await;
        assert_eq!((actual, stdout.as_str()), (status, ""), "{words:?}: {stderr}");
        assert!(stderr.contains(part) && !stderr.contains("4711"), "{words:?}: {stderr}");
        assert!(!launch.settings_file().with_file_name("keys.toml").exists(), "{words:?}");
    }
    let (status, _, _) = run(&launch, &["login", "--unchecked"], "key-4711").await;
    assert_eq!(status, 0);
    let source = launch.with_settings("[profiles.p]\napi_key_command = \"echo x\"");
    let (status, _, stderr) = run(&source, &["login", "--profile", "p"], "key").await;
    assert_eq!(status, 1);
    assert!(stderr.contains("api_key_command (profile p, line 2)"), "{stderr}");
}

#[tokio::test]
async fn login_works_while_a_server_runs() {
    let stub = stub().await;
    let launch = at(&stub);
    let mut session = Session::open(&launch).await;
    let error = session.call_err("list_connections", json!({})).await;
    assert!(error["hint"].as_str().unwrap().contains("polytomic-mcp login"), "{error}");
    run(&launch, &["login", "--unchecked"], "key-4711").await;
    session.call("list_connections", json!({})).await;
}

#[tokio::test]
async fn a_profile_for_the_sandbox_needs_no_key() {
    let launch = Launch::bare();
    let (status, stdout, stderr) =
        run(&launch, &["login", "--sandbox", "--profile", "try"], "").await;
    assert_eq!(status, 0, "{stderr}");
    assert!(stdout.contains("polytomic-mcp --profile try"), "{stdout}");
    let mut session = Session::open(&launch.flag("--profile").flag("try")).await;
    let found = session.call("list_connections", json!({})).await;
    assert_eq!(found["connections"][0]["name"], "SQLite (sandbox)");
}

#[tokio::test]
async fn logins_at_once_lose_no_key() {
    let stub = Stub::start().await;
    let launch = at(&stub);
    let names: Vec<String> = (0..8).map(|n| format!("p{n}")).collect();
    let logins = names.iter().map(|name| {
        let launch = launch.clone();
        async move {
            run(&launch, &["login", "--unchecked", "--profile", name], &format!("key-{name}")).await
        }
    });
    for (status, _, stderr) in futures_util::future::join_all(logins).await {
        assert_eq!(status, 0, "{stderr}");
    }
    let keys = fs::read_to_string(launch.settings_file().with_file_name("keys.toml")).unwrap();
    let settings = fs::read_to_string(launch.settings_file()).unwrap();
    for name in names {
        assert!(keys.contains(&format!("key-{name}")), "{keys}");
        assert!(settings.contains(&format!("[profiles.{name}]")), "{settings}");
    }
}

#[tokio::test]
async fn login_keeps_the_address_that_the_key_is_for() {
    let stub = stub().await;
    for profile in [&[][..], &["--profile", "p"]] {
        let launch = Launch::bare();
        let url = stub.url();
        let words = [&["login", "--unchecked", "--base-url", &url][..], profile].concat();
        let (status, stdout, stderr) = run(&launch, &words, "key-4711").await;
        assert_eq!(status, 0, "{stderr}");
        assert!(stdout.contains("base_url"), "{stdout}");
        let launch = launch.flags(profile);
        Session::open(&launch).await.call("list_connections", json!({})).await;
    }
    assert_eq!(stub.requests().await.len(), 2);
}

#[tokio::test]
async fn login_keeps_the_form_of_the_settings_file() {
    let stub = Stub::start().await;
    let launch = at(&stub).with_settings("");
    let file = launch.settings_file();
    let target = launch.home().join("dotfiles.toml");
    fs::write(&target, "\u{feff}# mine\r\naccess = 'read'\r\n").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&target, &file).unwrap();
    let words = ["login", "--unchecked", "--profile", "p"];
    let (status, _, stderr) = run(&launch, &words, "key-4711").await;
    assert_eq!(status, 0, "{stderr}");
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    let text = fs::read_to_string(&target).unwrap();
    assert!(text.starts_with("\u{feff}# mine\r\naccess = 'read'\r\n"), "{text:?}");
    assert!(text.contains("[profiles.p]\r\nbase_url = "), "{text:?}");
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
    let (_, _, stderr) = run(&launch.variable("POLYTOMIC_API_KEY", "other"), &words, "key").await;
    assert!(stderr.contains("POLYTOMIC_API_KEY is set here"), "{stderr}");
    let broken = Launch::bare().with_settings("");
    fs::write(broken.settings_file().with_file_name("keys.toml"), "garbage = [").unwrap();
    let (status, stdout, stderr) = run(&broken, &words, "key-4711").await;
    assert_eq!((status, stdout.as_str()), (1, ""), "{stderr}");
    assert_eq!(fs::read_to_string(broken.settings_file()).unwrap(), "");
}

#[tokio::test]
async fn a_variable_that_replaces_the_key_of_a_profile_is_a_warning() {
    let stub = stub().await;
    let launch = at(&stub).with_settings("[profiles.p]\naccess = \"read\"\n");
    let launch = launch.variable("POLYTOMIC_API_KEY", "other");
    let stderr = Session::open(&launch).await.close().await.stderr;
    assert!(!stderr.contains("precedence"), "{stderr}");
    let stderr = Session::open(&launch.flag("--profile=p")).await.close().await.stderr;
    assert!(
        stderr.contains("POLYTOMIC_API_KEY has precedence over the key of profile"),
        "{stderr}"
    );
}

#[tokio::test]
async fn login_keeps_a_switch_however_it_was_written() {
    for value in ["true", "on", "YES", "1"] {
        let launch = Launch::bare().variable("POLYTOMIC_ALLOW_HTTP", value);
        let words = ["login", "--unchecked", "--base-url", "http://polytomic.example"];
        let (status, _, stderr) = run(&launch, &words, "key-4711").await;
        assert_eq!(status, 0, "{stderr}");
        let text = fs::read_to_string(launch.settings_file()).unwrap();
        assert!(text.contains("allow_http = true"), "{value}: {text}");
        let (_, stdout, _) = run(&launch, &["config", "--json"], "").await;
        let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(report["settings"]["allow_http"]["value"], "1", "{value}");
    }
}

#[tokio::test]
async fn a_profile_keeps_its_address_when_that_of_the_others_changes() {
    let launch = Launch::bare().with_settings("base_url = \"https://one.example\"\n");
    let login = ["login", "--unchecked"];
    let (status, _, stderr) = run(&launch, &[&login[..], &["--profile", "p"]].concat(), "k").await;
    assert_eq!(status, 0, "{stderr}");
    let moved = [&login[..], &["--base-url", "https://two.example"]].concat();
    let (status, _, stderr) = run(&launch, &moved, "k").await;
    assert_eq!(status, 0, "{stderr}");
    let text = fs::read_to_string(launch.settings_file()).unwrap();
    let expected =
        "base_url = \"https://two.example\"\n\n[profiles.p]\nbase_url = \"https://one.example\"\n";
    assert_eq!(text, expected);
    // One that was written by hand, and has a key.
    let text = "base_url = \"https://one.example\"\n[profiles.hand]\n";
    let launch = Launch::bare().with_settings(text);
    let keys = launch.settings_file().with_file_name("keys.toml");
    write_key(&keys, "[profiles.hand]\napi_key = \"key-4711\"\n", 0o600);
    let (status, stdout, stderr) = run(&launch, &moved, "k").await;
    assert_eq!((status, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("profile \"hand\" has a stored key and no base_url"), "{stderr}");
    assert_eq!(fs::read_to_string(launch.settings_file()).unwrap(), text);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_login_that_cannot_keep_the_address_keeps_the_old_key() {
    let launch = Launch::bare().with_settings("");
    let keys = launch.settings_file().with_file_name("keys.toml");
    write_key(&keys, "[profiles.p]\napi_key = \"key-old\"\n", 0o600);
    let words = ["login", "--unchecked", "--profile", "p", "--base-url", "https://x.example"];
    // An empty file, in a folder that takes no other to replace it.
    fs::remove_file(launch.settings_file()).unwrap();
    std::os::unix::fs::symlink("/proc/self/timers", launch.settings_file()).unwrap();
    let (status, _, stderr) = run(&launch, &words, "key-new").await;
    assert_eq!(status, 1, "{stderr}");
    assert!(stderr.contains("config.toml cannot be changed"), "{stderr}");
    assert!(fs::read_to_string(&keys).unwrap().contains("key-old"), "{stderr}");
}

#[tokio::test]
async fn login_leaves_the_other_files_of_its_folder_alone() {
    let launch = Launch::bare().with_settings("");
    let other = launch.settings_file().with_file_name(".lock");
    fs::write(&other, "of another program").unwrap();
    let (status, _, stderr) = run(&launch, &["login", "--unchecked", "--profile", "p"], "k").await;
    assert_eq!(status, 0, "{stderr}");
    assert_eq!(fs::read_to_string(&other).unwrap(), "of another program");
}

#[tokio::test]
async fn a_rejected_key_is_named_by_where_it_is() {
    let stub = Stub::start().await;
    stub.json("GET", "/api/connections", 401, json!({"message": "no"})).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    write_key(&file, "\"key-4711\"", 0o600);
    let file = file.to_str().unwrap();
    let settings = format!("[profiles.\"p q\"]\n[profiles.f]\napi_key_file = \"{file}\"\n");
    let launch = at(&stub).with_settings(&settings);
    let login = ["login", "--unchecked", "--profile", "p q"];
    assert_eq!(run(&launch, &login, "key-4711").await.0, 0);
    for (name, value, parts) in [
        ("POLYTOMIC_API_KEY", "k", &["Check POLYTOMIC_API_KEY."][..]),
        (
            "POLYTOMIC_API_KEY_COMMAND",
            "echo k",
            &["Check the key that echo prints (POLYTOMIC_API_KEY_COMMAND)."],
        ),
        (
            "POLYTOMIC_API_KEY_FILE",
            file,
            &["The key in ", "(POLYTOMIC_API_KEY_FILE) stands in quotes"],
        ),
        (
            "POLYTOMIC_PROFILE",
            "f",
            &["config.toml, line 4: profile \"f\": api_key_file) stands in"],
        ),
        (
            "POLYTOMIC_PROFILE",
            "p q",
            &[
                "Check the key of profile \"p q\" in ",
                "keys.toml (`polytomic-mcp login --profile 'p q'` replaces it)",
            ],
        ),
    ] {
        let mut session = Session::open(&launch.clone().variable(name, value)).await;
        let error = session.call_err("list_connections", json!({})).await;
        let hint = error["hint"].as_str().unwrap();
        assert!(parts.iter().all(|part| hint.contains(part)), "{name}: {hint}");
        assert!(!error.to_string().contains("key-4711"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_key_is_one_of_the_chosen_profile() {
    let launch = Launch::bare().with_settings("[profiles.\"p q\"]\n").flag("--profile").flag("p q");
    let error = Session::open(&launch).await.call_err("list_connections", json!({})).await;
    assert_eq!(error["message"], "No API key is configured for profile \"p q\".", "{error}");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.starts_with("Run `polytomic-mcp login --profile 'p q'`, or"), "{hint}");
}

#[tokio::test]
async fn login_takes_the_key_from_the_file_or_command_of_a_flag() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    write_key(&file, "file-key\n", 0o600);
    for (flag, value, key) in [
        ("--api-key-file", file.to_str().unwrap(), "file-key"),
        ("--api-key-command", "echo command-key", "command-key"),
    ] {
        let launch = Launch::bare().with_settings("");
        let words = ["login", "--unchecked", flag, value];
        let (status, stdout, stderr) = run(&launch, &words, "key-of-stdin").await;
        assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
        let keys = launch.settings_file().with_file_name("keys.toml");
        assert_eq!(fs::read_to_string(keys).unwrap(), format!("api_key = \"{key}\"\n"));
    }
}
