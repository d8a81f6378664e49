//! Opens stdin and stdout, without a blocking thread if the kernel allows it.
//!
//! Python and shells start servers over pipes, Node over sockets; files, terminals and /dev/null do not support
//! readiness. Measured: 21 µs per call over a socket this way, 75 µs through a blocking thread.

use tokio::io::{AsyncRead, AsyncWrite};

/// What a server reads from.
pub(crate) type Input = Box<dyn AsyncRead + Send + Unpin>;
/// What a server writes to.
pub(crate) type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// Opens both, each by its kind. Must be called inside a runtime.
pub(crate) fn open_stdio() -> (Input, Output) {
    #[cfg(unix)]
    let nonblocking = (unix::input().ok().flatten(), unix::output().ok().flatten());
    #[cfg(not(unix))]
    let nonblocking: (Option<Input>, Option<Output>) = (None, None);
    (
        nonblocking.0.unwrap_or_else(|| Box::new(tokio::io::stdin())),
        nonblocking.1.unwrap_or_else(|| Box::new(tokio::io::stdout())),
    )
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::fs::FileTypeExt;

    use tokio::net::UnixStream;
    #[cfg(target_os = "linux")]
    use tokio::net::unix::pipe;

    use super::{Input, Output};

    pub(super) fn input() -> io::Result<Option<Input>> {
        let file = duplicate(&io::stdin())?;
        let kind = file.metadata()?.file_type();
        if kind.is_socket() {
            return Ok(Some(Box::new(socket(file)?)));
        }
        #[cfg(target_os = "linux")]
        if kind.is_fifo() {
            return Ok(Some(Box::new(pipe::OpenOptions::new().open_receiver(reopen_path(&file))?)));
        }
        Ok(None)
    }

    pub(super) fn output() -> io::Result<Option<Output>> {
        let file = duplicate(&io::stdout())?;
        let kind = file.metadata()?.file_type();
        if kind.is_socket() {
            return Ok(Some(Box::new(socket(file)?)));
        }
        #[cfg(target_os = "linux")]
        if kind.is_fifo() {
            return Ok(Some(Box::new(pipe::OpenOptions::new().open_sender(reopen_path(&file))?)));
        }
        Ok(None)
    }

    fn duplicate(stream: &impl AsFd) -> io::Result<File> {
        stream.as_fd().try_clone_to_owned().map(File::from)
    }

    fn socket(file: File) -> io::Result<UnixStream> {
        let socket = std::os::unix::net::UnixStream::from(OwnedFd::from(file));
        socket.set_nonblocking(true)?;
        UnixStream::from_std(socket)
    }

    /// A path that reopens a pipe: O_NONBLOCK belongs to the open file description, which may be shared with the
    /// parent process.
    #[cfg(target_os = "linux")]
    fn reopen_path(file: &File) -> String {
        use std::os::fd::AsRawFd;
        format!("/proc/self/fd/{}", file.as_raw_fd())
    }
}
