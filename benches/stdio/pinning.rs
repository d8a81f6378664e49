//! The bench on one core.
//!
//! On several, sequential latency has two modes (14 or 80 µs for the floor), by whether the kernel wakes
//! the next process on the same core or on a sleeping one. Pinned, there is one; children inherit it.

use std::process::{Command, ExitCode, Stdio};

use super::Failure;

/// Becomes `taskset -c N this pinned …`, N being the first core that is allowed.
pub(super) fn start_again(arguments: &[String]) -> Result<ExitCode, Failure> {
    for (tool, package) in [("taskset", "util-linux"), ("rustc", "Rust")] {
        let found = Command::new(tool)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !found.is_ok_and(|status| status.success()) {
            return Err(
                format!("{tool} is needed and does not run; it comes with {package}").into()
            );
        }
    }
    let mut command = Command::new("taskset");
    command
        .args(["-c", &first_core()?])
        .arg(std::env::current_exe()?)
        .arg("pinned")
        .args(arguments);
    replace(&mut command)
}

/// `0-3,8` names the cores of a process; a container may lack core 0.
fn first_core() -> Result<String, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("/proc is needed, as Linux has it: {error}"))?;
    let list = super::process::status_line(&status, "Cpus_allowed_list:")?;
    let digits = list.find(|c: char| !c.is_ascii_digit());
    Ok(list.split_at(digits.unwrap_or(list.len())).0.to_owned())
}

#[cfg(unix)]
fn replace(command: &mut Command) -> Result<ExitCode, Failure> {
    // In place, so that what stops the bench stops what it measures.
    Err(std::os::unix::process::CommandExt::exec(command).into())
}

#[cfg(not(unix))]
fn replace(_: &mut Command) -> Result<ExitCode, Failure> {
    Err("the bench needs Linux".into())
}
