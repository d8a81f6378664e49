//! Processes that the bench owns, and what /proc says about them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::Failure;

/// A tick of /proc: USER_HZ is 100 on every architecture in use.
const TICK: Duration = Duration::from_millis(10);

/// A child that does not outlive its owner.
pub(super) struct Owned(Child);

impl Owned {
    /// Starts it with an empty environment, both ends of the talk piped and stderr let through.
    pub(super) fn start(command: &mut Command) -> Result<(Self, ChildStdin, ChildStdout), Failure> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let ends = (child.stdin.take(), child.stdout.take());
        let owned = Self(child);
        match ends {
            (Some(input), Some(output)) => Ok((owned, input, output)),
            _ => Err("a child without pipes".into()),
        }
    }

    /// User and system time of all its threads so far.
    pub(super) fn cpu(&self) -> Result<Duration, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        // The name in parentheses may hold anything, so what counts begins after the last one.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let mut ticks = 0;
        for field in fields.split_whitespace().skip(11).take(2) {
            ticks += field.parse::<u32>()?;
        }
        Ok(TICK * ticks)
    }

    /// The most memory that it ever held, in bytes.
    pub(super) fn peak(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let peak = status_line(&status, "VmHWM:")?;
        let kibibytes: u64 = peak.trim_end_matches("kB").trim().parse()?;
        Ok(kibibytes << 10)
    }

    /// Waits for its end; its input must be closed.
    pub(super) fn wait(mut self) -> Result<(), Failure> {
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a file like /proc/self/status says after `name`.
pub(super) fn status_line<'a>(status: &'a str, name: &str) -> Result<&'a str, Failure> {
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name));
    Ok(value.ok_or_else(|| format!("/proc has no {name}"))?.trim())
}

/// This executable in another role: it reads and writes lines, and ends with its input.
pub(super) struct Part {
    pub(super) process: Owned,
    pub(super) input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Part {
    /// The API, and its address.
    pub(super) fn stub() -> Result<(Self, String), Failure> {
        let mut part = Self::start(&["stub"])?;
        let url = part.line()?;
        Ok((part, url))
    }

    /// The loop of bare GETs against `url`.
    pub(super) fn floor(url: &str) -> Result<Self, Failure> {
        Self::start(&["floor", url])
    }

    /// The bare route that asks the API at `url`, and its address.
    pub(super) fn route(url: &str) -> Result<(Self, String), Failure> {
        let mut part = Self::start(&["route", url])?;
        let address = part.line()?;
        Ok((part, address))
    }

    fn start(arguments: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let (process, input, output) = Owned::start(command.args(arguments).env_clear())?;
        let output = BufReader::new(output);
        Ok(Self { process, input, output })
    }

    /// Sends a line and waits for the line in response.
    pub(super) fn ask(&mut self, line: &str) -> Result<String, Failure> {
        writeln!(self.input, "{line}")?;
        self.line()
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("a part of the bench ended".into());
        }
        Ok(line.trim_end().to_owned())
    }
}

/// For the parts: ends the process with its input, which is the bench's hold on it.
pub(super) fn end_with_input() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}
