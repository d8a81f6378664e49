//! Files to which several processes append lines, each line complete whatever happens to the others.
//!
//! A line is one write to the end of the file, under the file's lock. A process that is killed, or a full disk, may leave
//! a part of a line: the next one then begins with a line break. The file is opened for each line, so that one that
//! was moved away or removed is created again.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::polytomic::private_file;

/// Opens a file for appending, and creates it for this user only.
///
/// # Errors
/// If it cannot be opened, or is no regular file: a pipe or a device keeps no line, and may block its writer.
pub(super) fn open(path: &Path) -> io::Result<File> {
    // Looked at before: opening a pipe waits for its reader on some systems.
    if let Ok(metadata) = path.metadata() {
        require_lines_are_kept(&metadata)?;
    }
    let file = private_file().append(true).create(true).open(path)?;
    require_lines_are_kept(&file.metadata()?)?;
    Ok(file)
}

fn require_lines_are_kept(metadata: &Metadata) -> io::Result<()> {
    // The system's own error says what is wrong with a directory.
    if metadata.is_file() || metadata.is_dir() {
        return Ok(());
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"))
}

/// Whether other users of this machine can change a file. Not known on Windows.
#[cfg(unix)]
pub(super) fn is_writable_by_others(file: &File) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o022 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_writable_by_others(_: &File) -> bool {
    false
}

/// Appends a line, and returns the size of the file.
pub(super) fn append(path: &Path, line: &str) -> io::Result<u64> {
    let mut file = open(path)?;
    file.lock()?;
    let metadata = file.metadata()?;
    let is_torn = metadata.len() > 0 && {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        last != *b"\n"
    };
    let text = format!("{}{line}\n", if is_torn { "\n" } else { "" });
    // Not write_all: the rest of a line that is written in two parts could stand behind another one's.
    let written = loop {
        match file.write(text.as_bytes()) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            written => break written?,
        }
    };
    if written < text.len() {
        return Err(io::Error::new(ErrorKind::WriteZero, "only a part of a line could be written"));
    }
    Ok(metadata.len() + written as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_does_not_swallow_the_next_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        append(&path, "one").unwrap();
        open(&path).unwrap().write_all(b"tor").unwrap();
        append(&path, "two").unwrap();
        let size = append(&path, "three").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!((text.as_str(), text.len() as u64), ("one\ntor\ntwo\nthree\n", size));
    }
}
