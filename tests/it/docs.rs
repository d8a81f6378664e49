//! The documents: each session in them runs as written and prints what stands below it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use polytomic_mcp::registry::ErrorCode;

use crate::compat::installed;
use crate::support::{compare_or_replace, root};

/// A fenced block, and the `text` block that follows it.
struct Block {
    language: String,
    code: String,
    expected: String,
    line: usize,
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<(String, String, usize)> = None;
    for (number, line) in markdown.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.to_owned(), String::new(), number + 1)),
            (Some(_), Some(_)) => {
                let (language, code, line) = open.take().unwrap();
                match blocks.last_mut() {
                    Some(block) if language == "text" => block.expected = code,
                    _ => blocks.push(Block { language, code, expected: String::new(), line }),
                }
            }
            (Some((_, code, _)), None) => *code += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    blocks
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Runs the sessions of a document, each `times` times in one directory.
fn run(document: &str, times: usize) {
    let text = fs::read_to_string(root().join("docs").join(document)).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_polytomic-mcp")).parent().unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "the machine's own PATH, for bash, python3, node"
    )]
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", binary.display());
    let blocks = blocks(&text);
    assert!(!blocks.is_empty(), "{document} has sessions");
    for Block { language, code, expected, line } in blocks {
        let directory = tempfile::tempdir().unwrap();
        if language == "python pytest" {
            run_pytest(&code, directory.path(), &path);
            continue;
        }
        let (program, needs): (&[&str], &[&str]) = match language.as_str() {
            "bash" => (&["bash", "-euo", "pipefail", "-c"], &["bash", "jq", "curl"]),
            "python" => (&["python3", "-c"], &["python3"]),
            "js" => (&["node", "-e"], &["node"]),
            // A command that is shown, with nothing to compare.
            "sh" | "toml" => continue,
            other => panic!("{document}:{line}: a block of {other}"),
        };
        if let Some(missing) = needs.iter().find(|needed| !is_installed(needed)) {
            // Not by eprintln, which the test runner keeps to itself.
            let _ =
                writeln!(std::io::stderr(), "{document}:{line}: skipped, there is no {missing}");
            continue;
        }
        for _ in 0..times {
            let output = Command::new(program[0])
                .args(&program[1..])
                .arg(&code)
                .current_dir(directory.path())
                .env_clear()
                .env("PATH", &path)
                .env("HOME", directory.path())
                .output()
                .unwrap();
            let stdout = String::from_utf8_lossy(&output.stdout);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{document}:{line}: {}\n{stdout}\n{stderr}",
                output.status
            );
            assert_eq!(stdout, expected, "{document}:{line}\n{stderr}");
        }
    }
}

/// Runs a block that is a file of tests for pytest.
fn run_pytest(code: &str, directory: &Path, path: &str) {
    let Some(pytest) = installed("bin/pytest") else { return };
    fs::write(directory.join("test_block.py"), code).unwrap();
    let mut command = Command::new(pytest);
    command.args(["-p", "no:cacheprovider", "test_block.py"]).current_dir(directory);
    let output = command.env_clear().env("PATH", path).env("HOME", directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_sessions_of_json_rpc_run_as_written() {
    run("json-rpc.md", 1);
}

#[test]
fn the_session_over_http_runs_as_written() {
    run("http.md", 1);
}

#[test]
fn the_sessions_of_the_shell_run_as_written() {
    run("cli.md", 1);
}

#[test]
fn the_session_of_the_audit_log_runs_as_written() {
    run("audit.md", 1);
}

#[test]
fn the_session_from_a_model_to_a_sync_runs_as_written() {
    run("syncs.md", 1);
    run("operations.md", 1);
}

#[test]
fn the_session_of_the_sandbox_runs_as_written() {
    run("sandbox.md", 2);
}

#[test]
fn the_table_of_errors_matches_the_code() {
    let header = "| number | code | meaning | retryable |\n|---|---|---|---|\n";
    let mut expected = header.to_owned();
    for code in ErrorCode::ALL {
        let retryable = if code.is_retryable() { "yes" } else { "no" };
        expected += &format!(
            "| {} | `{}` | {} | {retryable} |\n",
            code.number(),
            code.as_str(),
            code.meaning()
        );
    }
    compare_or_replace("docs/errors.md", |text| {
        let (prose, _) = text.split_once(header).expect("the page has the table");
        format!("{prose}{expected}")
    });
}

#[test]
fn the_examples_run() {
    use polytomic_mcp::sandbox::{Options, Sandbox};

    // A plain `cargo test` has built them already; `cargo test --test it` has not.
    let build = ["build", "--quiet", "--examples"];
    assert!(crate::support::cargo().args(build).current_dir(root()).status().unwrap().success());
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_polytomic-mcp")).parent().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let example = |name: &str, arguments: &[&str]| {
        let output = Command::new(binary.join("examples").join(name))
            .args(arguments)
            .current_dir(directory.path())
            .env_clear()
            .env("POLYTOMIC_BASE_URL", sandbox.url())
            .env("POLYTOMIC_API_KEY", sandbox.api_key())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    };
    let connection = crate::support::CONNECTION;
    let created = example("create_model", &[connection, "public.users"]);
    assert!(created.contains("user0001@example.com"), "{created}");
    let saved = example("copy_models", &["save", connection, "models.json"]);
    assert_eq!(saved, "1 model in models.json\n");
    let loaded = example("copy_models", &["load", connection, "models.json"]);
    assert_eq!(loaded, "1 model created\n");
    let again = example("copy_models", &["save", connection, "again.json"]);
    assert_eq!(again, "2 models in again.json\n");
    let read = |name: &str| -> serde_json::Value {
        let text = fs::read_to_string(directory.path().join(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let (before, after) = (read("models.json"), read("again.json"));
    assert_eq!(after[0], before[0], "the copy differs");
    assert_eq!(after[1], before[0]);
}
