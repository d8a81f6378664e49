//! Cargo, started from a test.

use std::process::Command;

/// A cargo that sees the environment of a shell. `cargo test` sets variables for its tests (`CARGO_PKG_NAME` and
/// others) which ring's build script watches: with them, cargo would rebuild ring and everything above it, and again at
/// the next build.
#[expect(clippy::disallowed_methods, reason = "the environment of the test runner, not a setting")]
pub fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let is_of_the_runner = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if is_of_the_runner {
            cargo.env_remove(name);
        }
    }
    cargo
}
