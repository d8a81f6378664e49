//! Files of the user: reads those that settings name, and creates those that only the user can read.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Reads a regular file. One that never ends, or that waits for a writer, must not stop a server.
///
/// # Errors
/// For anything but a regular file, and for one that is longer than `max_bytes`.
pub(crate) fn read_small_file(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    // Before it is opened, since opening a FIFO waits for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(io::Error::other(format!("it is longer than {max_bytes} bytes")));
    }
    Ok(bytes)
}

/// The same as text, without a byte-order mark.
///
/// # Errors
/// As [`read_small_file`], and for bytes that are not UTF-8.
pub(crate) fn read_small_text(path: &Path, max_bytes: u64) -> io::Result<String> {
    let text = String::from_utf8(read_small_file(path, max_bytes)?)
        .map_err(|_| io::Error::other("it is not UTF-8 text"))?;
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(text),
    }
}

/// How a file is opened that only the user can read once it is created.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates a directory that only the user can read, and those above it.
///
/// # Errors
/// As [`DirBuilder::create`].
pub(crate) fn create_private_directory(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Warns that a directory for state cannot be used, unless the process has warned of it or of one above it.
///
/// `lost`: what cannot be kept; `consequence`: a sentence.
pub(crate) fn warn_about_state(directory: &Path, lost: &str, reason: &str, consequence: &str) {
    static WARNED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    {
        let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
        if directory.ancestors().any(|directory| warned.contains(directory)) {
            return;
        }
        warned.insert(directory.to_owned());
    }
    tracing::warn!(
        "{lost} cannot be kept in {}: {reason}. {consequence} POLYTOMIC_STATE sets another directory.",
        directory.display()
    );
}
