//! Outside clients, which know nothing of this project: Polytomic's official one against the sandbox, a
//! JSON-RPC library and a WebSocket client against `rpc --listen`, converters of schemas over the list of tools.
//!
//! They are Python, installed by tests/compat/install. Where that has not been run, this says so.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::http::Server;
use crate::support::{Launch, Sandbox};

fn python() -> Option<PathBuf> {
    // Of the folder that the program was built into: target/debug/polytomic-mcp.
    let target = Path::new(env!("CARGO_BIN_EXE_polytomic-mcp")).parent()?.parent()?;
    let python = target.join("compat/bin/python");
    if python.exists() {
        return Some(python);
    }
    #[expect(clippy::disallowed_methods, reason = "set where the outside clients are demanded")]
    let demanded = std::env::var_os("COMPAT_REQUIRED").is_some();
    assert!(!demanded, "{} is missing: run tests/compat/install", python.display());
    // Not by eprintln, which the test runner keeps to itself.
    let _ = writeln!(std::io::stderr(), "outside clients skipped: run tests/compat/install first");
    None
}

fn run(python: &Path, script: &str, variables: &[(&str, &str)]) -> String {
    run_with_input(python, script, variables, Stdio::null())
}

fn run_with_input(python: &Path, script: &str, variables: &[(&str, &str)], input: Stdio) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat").join(script);
    let output =
        Command::new(python).arg(&script).envs(variables.iter().copied()).stdin(input).output();
    let output = output.unwrap();
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
    assert!(steps.lines().count() >= 13, "{steps}");
}

#[test]
fn converters_of_model_vendors_take_every_tool() {
    let Some(python) = python() else { return };
    let tools = Command::new(env!("CARGO_BIN_EXE_polytomic-mcp")).arg("schemas").output().unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&tools.stdout).unwrap();
    file.rewind().unwrap();
    let steps = run_with_input(&python, "converters.py", &[], file.into());
    assert!(steps.lines().count() >= 11, "{steps}");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_rpc_and_websocket_clients_work_with_the_server() {
    let Some(python) = python() else { return };
    let server = Server::start(Launch::sandbox()).await;
    let steps = run(&python, "json_rpc.py", &[("RPC_URL", &server.url)]);
    assert!(steps.lines().count() >= 11, "{steps}");
}
