//! Each package, built from the binary by packaging/build and run as its users run it, by packaging/checks.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::support::root;

const PROGRAM: &str = env!("CARGO_BIN_EXE_polytomic-mcp");

#[test]
fn the_bundle_is_packed_unpacked_and_started() {
    check("mcpb.py");
}

#[test]
fn the_npm_package_is_installed_and_run() {
    check("npm.py");
}

#[test]
fn the_archive_has_what_cargo_binstall_and_shells_expect() {
    check("archive.py");
}

#[test]
fn the_registry_entry_is_valid() {
    check("server_json.py");
}

#[test]
fn the_files_of_the_image_are_enough() {
    check("image.py");
}

#[test]
fn workflows_dockerfile_and_licenses_pass_their_linters() {
    check("linters.py");
}

/// Runs a script of packaging/checks, if packaging/install has been run.
fn check(script: &str) {
    // Of the folder that the program was built into: target/debug/polytomic-mcp.
    let tools = Path::new(PROGRAM).ancestors().nth(2).unwrap().join("packaging");
    let python = tools.join("bin/python");
    if !python.exists() {
        #[expect(clippy::disallowed_methods, reason = "set where the packages are to be checked")]
        let required = std::env::var_os("PACKAGES_REQUIRED").is_some();
        assert!(!required, "{} is missing: run packaging/install", python.display());
        // Not by eprintln, which the test runner keeps to itself.
        let _ = writeln!(std::io::stderr(), "packages skipped: run packaging/install first");
        return;
    }
    let script = root().join("packaging/checks").join(script);
    // They compress much; other tests measure time.
    let mut command = Command::new("nice");
    let output = command
        .args(["-n", "10"])
        .arg(python)
        .arg(&script)
        .env("PROGRAM", PROGRAM)
        .env("TOOLS", &tools)
        .output();
    let output = output.unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", script.display());
    for reason in stdout.lines().filter(|line| line.starts_with("skipped")) {
        let _ = writeln!(std::io::stderr(), "{}: {reason}", script.display());
    }
}
