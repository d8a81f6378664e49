//! A terminal for a process under test.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::{Keys, Stream, wait_until};

/// A pseudo-terminal: what a person sees, and a stream of a process.
pub fn open_terminal() -> (File, OwnedFd) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(path).unwrap();
    (master.into(), terminal.into())
}

/// A person at a terminal.
pub struct Terminal {
    keyboard: File,
    screen: Stream,
}

impl Terminal {
    /// A person who reads everything, and the stream for a process. The screen ends once all copies of the stream are
    /// closed.
    pub fn open() -> (Self, OwnedFd) {
        let (master, terminal) = open_terminal();
        let screen = Stream::read_at_once(Some(master.try_clone().unwrap().into()));
        (Self { keyboard: master, screen }, terminal)
    }

    /// Waits until the screen shows a text.
    pub async fn until(&self, text: &str) {
        let description = format!("{text:?} on the terminal");
        wait_until(&description, async || self.screen.text().contains(text)).await;
    }

    /// Waits until what is typed is not shown.
    pub async fn until_hidden(&self) {
        let is_hidden =
            || !tcgetattr(&self.keyboard).unwrap().local_modes.contains(LocalModes::ECHO);
        wait_until("a terminal that hides what is typed", async || is_hidden()).await;
    }

    /// Types a text.
    pub fn type_text(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// All that the screen showed, once the process has ended.
    pub fn finish(self) -> String {
        let text = self.screen.text_to_end();
        Keys::default().assert_not_in("the terminal", &text);
        text
    }
}
