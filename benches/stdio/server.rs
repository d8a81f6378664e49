//! The server under test and a client of it that costs next to nothing: blocking pipes, no JSON read
//! while the clock runs.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::Owned;
use super::stub::MODEL;
use super::{BINARY, Failure};

/// The key that both sides send.
pub(super) const KEY: &str = "bench-key-4711";
/// Calls in flight where it is not one.
pub(super) const WINDOW: usize = 64;
/// Ids begin here and so have the same length, as all responses to one request then have.
const FIRST_ID: u64 = 10_000_000;

/// Which kind of the program is spoken to.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum ServerKind {
    /// MCP, after an initialize.
    Mcp,
    /// Plain JSON-RPC.
    Rpc,
}

/// A running server, its session open.
pub(super) struct Server {
    kind: ServerKind,
    pub(super) process: Owned,
    input: ChildStdin,
    output: ChildStdout,
    received: Vec<u8>,
    next_id: u64,
}

/// The command that starts it, with an environment of its own.
pub(super) fn command() -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().stderr(Stdio::inherit());
    command
}

/// The line that opens a session.
pub(super) fn initialize() -> String {
    let params = json!({
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    });
    let line = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    format!("{line}\n")
}

impl Server {
    /// Against the API at `url`, with at most `in_flight` requests to it at once where that is given.
    pub(super) fn start(
        url: &str,
        kind: ServerKind,
        in_flight: Option<usize>,
    ) -> Result<Self, Failure> {
        let mut command = command();
        command.env("POLYTOMIC_BASE_URL", url).env("POLYTOMIC_API_KEY", KEY);
        if let Some(limit) = in_flight {
            command.env("POLYTOMIC_MAX_IN_FLIGHT", limit.to_string());
        }
        if kind == ServerKind::Rpc {
            command.arg("rpc");
        }
        let (process, input, output) = Owned::start(&mut command)?;
        let received = vec![0; 1 << 20];
        let mut server = Self { kind, process, input, output, received, next_id: FIRST_ID };
        if kind == ServerKind::Mcp {
            server.input.write_all(initialize().as_bytes())?;
            server.line()?;
            let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
            writeln!(server.input, "{ready}")?;
        }
        Ok(server)
    }

    /// Sends a request and waits for its `result` or `error`.
    pub(super) fn ask(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        let line = json!({"jsonrpc": "2.0", "id": 2, "method": method, "params": params});
        writeln!(self.input, "{line}")?;
        self.response()
    }

    /// Reads one model.
    pub(super) fn get_model(&mut self, id: &str) -> Result<Value, Failure> {
        let params = json!({"name": "get_model", "arguments": {"model_id": id}});
        self.ask("tools/call", &params)
    }

    /// The next response.
    pub(super) fn response(&mut self) -> Result<Value, Failure> {
        Ok(serde_json::from_slice(self.line()?)?)
    }

    /// What the server reads from.
    pub(super) fn input(&mut self) -> &mut ChildStdin {
        &mut self.input
    }

    /// Times of `count` sequential calls.
    pub(super) fn in_turn(&mut self, count: usize) -> Result<Vec<f64>, Failure> {
        let length = self.right_length()?;
        let mut line = String::new();
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            line.clear();
            self.write_call(&mut line)?;
            let started = Instant::now();
            self.input.write_all(line.as_bytes())?;
            let received = self.line()?.len();
            times.push(started.elapsed().as_secs_f64());
            if received != length {
                return Err(format!("a response of {received} bytes instead of {length}").into());
            }
        }
        Ok(times)
    }

    /// `count` calls with `window` in flight: what all took.
    pub(super) fn at_once(&mut self, window: usize, count: usize) -> Result<Duration, Failure> {
        let length = self.right_length()?;
        let started = Instant::now();
        let (mut sent, mut received_count, mut bytes) = (0, 0, 0);
        let mut lines = String::new();
        let mut chunk = vec![0; 1 << 16];
        while received_count < count {
            lines.clear();
            while sent < count && sent - received_count < window {
                self.write_call(&mut lines)?;
                sent += 1;
            }
            // Fits a pipe, and the server reads while it writes: neither waits for the other.
            self.input.write_all(lines.as_bytes())?;
            let n = self.output.read(&mut chunk)?;
            let fresh = chunk.get(..n).unwrap_or_default();
            if fresh.is_empty() {
                return Err("the server ended".into());
            }
            received_count += fresh.iter().filter(|byte| **byte == b'\n').count();
            bytes += n;
        }
        let elapsed = started.elapsed();
        if bytes != count * length {
            return Err(format!("{count} responses of {length} bytes came as {bytes} bytes").into());
        }
        Ok(elapsed)
    }

    /// The length of a correct response, from one that was parsed.
    fn right_length(&mut self) -> Result<usize, Failure> {
        let mut line = String::new();
        self.write_call(&mut line)?;
        self.input.write_all(line.as_bytes())?;
        let line = self.line()?;
        let length = line.len();
        let response: Value = serde_json::from_slice(line)?;
        let result = match self.kind {
            ServerKind::Mcp => &response["result"]["structuredContent"],
            ServerKind::Rpc => &response["result"],
        };
        let fields = &result["model"]["fields"];
        if fields.as_array().is_none_or(|fields| fields.len() != 13) {
            return Err(format!("get_model returned {response}").into());
        }
        Ok(length)
    }

    fn write_call(&mut self, lines: &mut String) -> Result<(), Failure> {
        let id = self.next_id;
        self.next_id += 1;
        let arguments = format!("{{\"model_id\":\"{MODEL}\"}}");
        let (method, params) = match self.kind {
            ServerKind::Mcp => {
                let params = format!("{{\"name\":\"get_model\",\"arguments\":{arguments}}}");
                ("tools/call", params)
            }
            ServerKind::Rpc => ("get_model", arguments),
        };
        writeln!(
            lines,
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{params}}}"
        )?;
        Ok(())
    }

    /// The next line, its newline included. Nothing may be in flight but its question.
    fn line(&mut self) -> Result<&[u8], Failure> {
        let length = read_line(&mut self.output, &mut self.received)?;
        Ok(self.received.get(..length).unwrap_or_default())
    }
}

/// Reads until the last byte is a newline; returns the number of bytes.
pub(super) fn read_line(output: &mut impl Read, line: &mut [u8]) -> Result<usize, Failure> {
    let mut end = 0;
    loop {
        let n = output.read(line.get_mut(end..).unwrap_or_default())?;
        if n == 0 {
            return Err("the server ended, or its response is longer than 1 MiB".into());
        }
        end += n;
        if line.get(..end).is_some_and(|received| received.ends_with(b"\n")) {
            return Ok(end);
        }
    }
}
