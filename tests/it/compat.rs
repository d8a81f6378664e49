//! Outside clients, which know nothing of this project: Polytomic's official ones and Schemathesis against the sandbox, a
//! JSON-RPC library and a WebSocket client against `rpc --listen`, VS Code's JSON-RPC library over stdio,
//! converters of schemas over the list of tools, and MCP's own clients, which delete a model that the user confirms.
//! MCP over HTTP is in mcp_http/clients.rs.
//!
//! They are Python and Node, installed by tests/compat/install. Where that has not been run, this says so.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::contract::operations;
use crate::support::{Launch, Sandbox, Server, root};

const PROGRAM: &str = env!("CARGO_BIN_EXE_polytomic-mcp");

/// A path in the folder of tests/compat/install, if it is there.
pub(crate) fn installed(path: &str) -> Option<PathBuf> {
    // Of the folder that the program was built into: target/debug/polytomic-mcp.
    let installed = Path::new(PROGRAM).parent()?.parent()?.join("compat").join(path);
    if installed.exists() {
        return Some(installed);
    }
    skip(&format!("{} is missing: run tests/compat/install", installed.display()));
    None
}

/// Reports that a test cannot run here, and fails where outside programs are required.
#[track_caller]
pub(crate) fn skip(reason: &str) {
    #[expect(clippy::disallowed_methods, reason = "set where the outside programs are demanded")]
    let demanded = std::env::var_os("COMPAT_REQUIRED").is_some();
    assert!(!demanded, "{reason}");
    // Not by eprintln, which the test runner keeps to itself.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

fn python() -> Option<PathBuf> {
    installed("bin/python")
}

pub(crate) fn run(interpreter: &Path, script: &str, variables: &[(&str, &str)]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat").join(script);
    // The clients pass their environment on to the program; the settings of the user stay out.
    let home = tempfile::tempdir().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the machine's own PATH, for node")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut command = Command::new(interpreter);
    command.arg(&script).env_clear().env("PATH", path).env("HOME", home.path());
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", script.display());
    stdout.into_owned()
}

#[test]
fn polytomics_official_client_works_with_the_sandbox() {
    let Some(python) = python() else { return };
    let sandbox = Sandbox::start();
    let variables =
        [("POLYTOMIC_BASE_URL", sandbox.url.as_str()), ("POLYTOMIC_API_KEY", &sandbox.key)];
    let steps = run(&python, "official_client.py", &variables);
    assert!(steps.lines().count() >= 16, "{steps}");
}

#[test]
fn polytomics_typescript_package_works_with_the_sandbox() {
    let Some(modules) = installed("node_modules") else { return };
    let sandbox = Sandbox::start();
    let variables = [
        ("NODE_PATH", modules.to_str().unwrap()),
        ("POLYTOMIC_BASE_URL", sandbox.url.as_str()),
        ("POLYTOMIC_API_KEY", &sandbox.key),
    ];
    let steps = run(Path::new("node"), "official_client.js", &variables);
    assert!(steps.lines().count() >= 6, "{steps}");
}

/// Requests that are generated from the contract, valid ones and others.
#[tokio::test]
async fn schemathesis_finds_no_breach_of_the_contract() {
    let Some(program) = installed("schemathesis/bin/schemathesis") else { return };
    let sandbox = Sandbox::start();
    let contract = root().join("tests/contract/openapi.json");
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.current_dir(home.path()).env_clear().env("HOME", home.path());
    command.arg("run").arg(contract).args(["--url", &sandbox.url, "--seed", "1"]);
    command.args(["--header", &format!("Authorization: Bearer {}", sandbox.key)]);
    command.args(["--phases", "coverage,fuzzing", "--max-examples", "10", "--continue-on-failure"]);
    let checks = [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "response_headers_conformance",
        "unsupported_method",
        "ignored_auth",
    ];
    command.args(["--checks", &checks.join(","), "--warnings", "off"]);
    let (mut served, mut not_served) = (0, 0);
    for operation in operations() {
        match sandbox.is_served(&operation).await {
            true => served += 1,
            false => {
                not_served += 1;
                command.args(["--exclude-operation-id", operation.id]);
            }
        }
    }
    assert_eq!(served + not_served, 198);
    let output = command.output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(report.contains(&format!("Selected: {served}/198")), "{report}");
}

#[test]
fn converters_of_model_vendors_take_every_tool() {
    let Some(python) = python() else { return };
    let steps = run(&python, "converters.py", &[("PROGRAM", PROGRAM)]);
    assert!(steps.lines().count() >= 11, "{steps}");
}

#[tokio::test]
async fn json_rpc_and_websocket_clients_work_with_the_server() {
    let Some(python) = python() else { return };
    let server = Server::start(Launch::sandbox()).await;
    let steps = run(&python, "json_rpc.py", &[("RPC_URL", &server.url)]);
    assert!(steps.lines().count() >= 11, "{steps}");
}

#[test]
fn a_delete_is_confirmed_with_the_python_clients_of_mcp() {
    for (path, steps_per_client) in [("bin/python", 3), ("mcp-2/bin/python", 9)] {
        let Some(python) = installed(path) else { return };
        let steps = run(&python, "confirmed_delete.py", &[("PROGRAM", PROGRAM)]);
        assert_eq!(steps.lines().count(), steps_per_client, "{steps}");
    }
}

#[test]
fn a_delete_is_confirmed_with_the_typescript_clients_of_mcp() {
    let Some(modules) = installed("node_modules") else { return };
    let modules = modules.to_str().unwrap();
    let variables = [("NODE_PATH", modules), ("PROGRAM", PROGRAM)];
    let steps = run(Path::new("node"), "confirmed_delete.js", &variables);
    assert_eq!(steps.lines().count(), 12, "{steps}");
}

#[test]
fn vs_codes_json_rpc_library_works_with_both_servers() {
    let Some(modules) = installed("node_modules") else { return };
    let modules = modules.to_str().unwrap();
    let variables = [("NODE_PATH", modules), ("PROGRAM", PROGRAM)];
    let steps = run(Path::new("node"), "vscode_jsonrpc.js", &variables);
    assert!(steps.lines().count() >= 8, "{steps}");
}
