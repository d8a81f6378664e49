//! The path of this program that clients get: absolute, and one that outlives an update.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::cli::error::CliError;

/// The path, and a warning if it is not going to last.
pub(super) struct Binary {
    pub(super) path: String,
    pub(super) warning: Option<String>,
}

/// Finds the path. Package managers put a link into a folder of `PATH`, whose target has another path with each version;
/// the system may only know the target.
///
/// # Errors
/// If the program does not know where it is.
#[expect(clippy::disallowed_methods, reason = "where programs are, not a setting")]
pub(super) fn find() -> Result<Binary, CliError> {
    let current = std::env::current_exe()?;
    let target = fs::canonicalize(&current)?;
    let name = current.file_name().unwrap_or_default().to_owned();
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&folders).map(|folder| folder.join(&name));
    let started = std::env::args_os().next().map(PathBuf::from);
    let started = started.filter(|path| path.components().count() > 1);
    let started = started.and_then(|path| std::path::absolute(path).ok());
    let is_this =
        |path: &PathBuf| path.is_absolute() && fs::canonicalize(path).is_ok_and(|at| at == target);
    let path = on_path.chain(started).find(is_this).unwrap_or(current);
    let warning = warning(&path);
    let path = path.into_os_string().into_string().map_err(|path| {
        CliError::failed(format!("the path of this program is not UTF-8: {}", path.display()))
            .with_hint("move it to another folder")
    })?;
    Ok(Binary { path, warning })
}

fn warning(path: &Path) -> Option<String> {
    let names: Vec<_> = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    let has = |name: &str| names.contains(&name);
    let shown = path.display();
    if has("target") && (has("debug") || has("release")) {
        return Some(format!(
            "{shown} is in a build directory, which `cargo clean` empties; `cargo install --path . --locked` gives it a \
             lasting place"
        ));
    }
    has("_npx").then(|| {
        format!("{shown} is in a cache of npx; `npm install --global` gives it a lasting place")
    })
}
