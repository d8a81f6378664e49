//! The MCP client of the tests, connected to the built binary over stdio.
//!
//! A failed assertion prints the messages of both sides and the server's stderr.

use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use polytomic_mcp::registry::{Registry, Selection};
use polytomic_mcp::tools::TOOLS;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::{Keys, Launch, Stream};

/// Longer than any message or exit that a test waits for.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// A running server, and the messages exchanged with it.
pub struct Session {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<Lines<BufReader<ChildStdout>>>,
    stderr: Stream,
    keys: Keys,
    transcript: Vec<String>,
    last_id: i64,
    last_line: String,
    /// Its directory for state exists as long as the server runs.
    _launch: Launch,
}

/// How a session ended.
#[derive(Debug)]
pub struct Exit {
    pub status: Option<i32>,
    /// Messages that were not read before.
    pub rest: Vec<Value>,
    pub stderr: String,
}

impl Session {
    /// Starts the server without initializing the session.
    pub fn start(launch: &Launch) -> Self {
        let session = Self::start_without_reading_stderr(launch);
        session.read_stderr();
        session
    }

    /// The same for a client that ignores stderr, at least until [`Session::read_stderr`].
    pub fn start_without_reading_stderr(launch: &Launch) -> Self {
        Self::start_with_stderr(launch, Stdio::piped())
    }

    /// The same with another stderr.
    pub fn start_with_stderr(launch: &Launch, stderr: Stdio) -> Self {
        Self::over(launch.spawn_with_stderr(stderr), launch)
    }

    /// Starts a server that another program configured.
    pub fn of(command: std::process::Command) -> Self {
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.kill_on_drop(true).spawn().expect("the process starts");
        let session = Self::over(child, &Launch::unconfigured());
        session.read_stderr();
        session
    }

    fn over(mut child: Child, launch: &Launch) -> Self {
        let output = Some(BufReader::new(child.stdout.take().unwrap()).lines());
        let stderr = child.stderr.take().map(|stream| stream.into_owned_fd().unwrap());
        let (stderr, keys) = (Stream::unread(stderr), launch.keys());
        let input = child.stdin.take();
        let (transcript, last_id) = (Vec::new(), 1000);
        let (last_line, _launch) = (String::new(), launch.clone());
        Self { child, input, output, stderr, keys, transcript, last_id, last_line, _launch }
    }

    /// Reads stderr from now on.
    pub fn read_stderr(&self) {
        self.stderr.read();
    }

    /// Starts the server and initializes the session.
    pub async fn open(launch: &Launch) -> Self {
        let mut session = Self::start(launch);
        session.initialize("2025-11-25").await;
        session
    }

    /// An initialized session over the embedded sandbox.
    pub async fn sandbox() -> Self {
        Self::open(&Launch::sandbox()).await
    }

    pub async fn initialize(&mut self, version: &str) -> Value {
        let params = json!({
            "protocolVersion": version, "capabilities": {},
            "clientInfo": {"name": "tests", "version": "1"},
        });
        let response = self.request("initialize", params).await;
        self.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        response["result"].clone()
    }

    pub fn id(&self) -> u32 {
        self.child.id().expect("the server is running")
    }

    /// Peak resident memory of the server, as the kernel reports it.
    pub fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub async fn send(&mut self, message: Value) {
        self.send_raw(format!("{message}\n").as_bytes()).await;
    }

    pub async fn send_raw(&mut self, bytes: &[u8]) {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).into_owned();
        self.transcript.push(format!("→ {shown}"));
        let input = self.input.as_mut().expect("the input is open");
        input.write_all(bytes).await.expect("the server reads");
        input.flush().await.expect("the server reads");
    }

    /// The next message.
    pub async fn next(&mut self) -> Value {
        self.next_within(MAX_WAIT).await
    }

    /// The next message, for a wait that may be longer.
    pub async fn next_within(&mut self, limit: Duration) -> Value {
        let line = self.next_line_within(limit).await;
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("stdout is not JSON: {error}\n{}", self.transcript()))
    }

    /// The next message as it was sent.
    pub async fn next_line(&mut self) -> String {
        self.next_line_within(MAX_WAIT).await
    }

    async fn next_line_within(&mut self, limit: Duration) -> String {
        let output = self.output.as_mut().expect("the output is open");
        let line = match timeout(limit, output.next_line()).await {
            Ok(Ok(Some(line))) => line,
            other => panic!("no message ({other:?})\n{}", self.transcript()),
        };
        self.keys.assert_not_in("a message", &line);
        if self.transcript.len() < 2_000 {
            self.transcript.push(format!("← {}", &line.chars().take(2000).collect::<String>()));
        }
        self.last_line.clone_from(&line);
        line
    }

    /// Bytes of the last message, including its line break.
    pub fn last_bytes(&self) -> usize {
        self.last_line.len() + 1
    }

    /// The last message as it was sent.
    pub fn last_line(&self) -> &str {
        &self.last_line
    }

    /// Sends one line and returns the next message.
    pub async fn exchange(&mut self, line: &[u8]) -> Value {
        self.send_raw(line).await;
        self.next().await
    }

    /// Asserts that no message is pending: the response to a ping comes next.
    pub async fn expect_silence(&mut self) {
        let response = self.request("ping", json!({})).await;
        assert_eq!(response["result"], json!({}), "{}", self.transcript());
    }

    pub fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// Sends a request and returns the response, which must be the next message.
    pub async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id();
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        let response = self.next().await;
        assert_eq!(response["id"], id, "{}", self.transcript());
        response
    }

    /// Sends a request and returns its response, skipping the notifications before it.
    pub async fn request_ignoring_notifications(&mut self, method: &str) -> Value {
        let id = self.next_id();
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}})).await;
        loop {
            let message = self.next().await;
            if message["id"] == id {
                return message;
            }
        }
    }

    /// Sends a call without waiting for its response; returns its id.
    pub async fn start_call(&mut self, tool: &str, arguments: Value) -> i64 {
        let id = self.next_id();
        let params = json!({"name": tool, "arguments": arguments});
        let message = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        self.send(message).await;
        id
    }

    /// Cancels a call.
    pub async fn cancel(&mut self, id: i64) {
        let params = json!({"requestId": id});
        self.send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}))
            .await;
    }

    /// Calls a tool that succeeds; returns the structured result, which must match the advertised schema and
    /// the text.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        let response = self.request("tools/call", params).await;
        self.expect_result(tool, &response)
    }

    /// The structured result in the response to a call.
    pub fn expect_result(&self, tool: &str, response: &Value) -> Value {
        let result = &response["result"];
        assert_ne!(result["isError"], json!(true), "{tool} failed\n{}", self.transcript());
        let structured = &result["structuredContent"];
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        let from_text: Value = serde_json::from_str(text).unwrap_or_default();
        assert_eq!(
            &from_text,
            structured,
            "text and structured content differ\n{}",
            self.transcript()
        );
        matches_schema(tool, structured)
            .unwrap_or_else(|error| panic!("{tool}: {error}\n{}", self.transcript()));
        structured.clone()
    }

    /// Calls a tool that fails; returns the error object.
    pub async fn call_err(&mut self, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        let response = self.request("tools/call", params).await;
        self.expect_error(&response)
    }

    /// The error object in the response to a call: one text, with all properties of an error.
    pub fn expect_error(&self, response: &Value) -> Value {
        let result = &response["result"];
        assert_eq!(result["isError"], json!(true), "no error\n{}", self.transcript());
        assert_eq!(result.get("structuredContent"), None, "{}", self.transcript());
        assert_eq!(result["content"].as_array().map(Vec::len), Some(1), "{}", self.transcript());
        let error: Value =
            serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        for key in ["code", "message", "hint", "outcome"] {
            let text = error[key].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{key} is missing in {error}");
        }
        assert!(error["retryable"].is_boolean(), "{error}");
        let text = format!("{} {}", error["message"], error["hint"]);
        for named in text.split("details.").skip(1) {
            let name: String =
                named.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            assert!(error["details"].get(&name).is_some(), "details.{name} is missing in {error}");
        }
        let has_request_id = error["details"].get("request_id").is_some();
        assert!(has_request_id || !text.contains("request id"), "no request id came: {error}");
        error
    }

    /// Creates a model of a table; returns its id.
    pub async fn create_model(&mut self, name: &str, table: &str) -> String {
        let arguments = json!({
            "connection_id": super::CONNECTION, "name": name, "configuration": {"table": table},
        });
        let created = self.call("create_model", arguments).await;
        created["model"]["id"].as_str().unwrap().to_owned()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let status = std::process::Command::new("kill").args([signal, &id]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal} {id}");
    }

    /// Sends SIGKILL, as if the process crashed, and waits for it to exit.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("the server exits");
    }

    /// Takes the input, for a task that writes concurrently.
    pub fn take_input(&mut self) -> ChildStdin {
        self.input.take().expect("the input is open")
    }

    /// Puts the input back after [`Session::take_input`].
    pub fn put_input(&mut self, input: ChildStdin) {
        self.input = Some(input);
    }

    /// Closes the server's output, like a client that has died.
    pub fn close_output(&mut self) {
        self.output = None;
    }

    /// Closes the input and waits for the process to exit.
    pub async fn close(mut self) -> Exit {
        drop(self.input.take());
        self.wait().await
    }

    /// Waits for the process to exit, without reading its output.
    pub async fn exit_status(&mut self) -> Option<i32> {
        timeout(MAX_WAIT, self.child.wait()).await.expect("the server exits").unwrap().code()
    }

    /// Waits for the process to exit, and reads the rest of its output.
    pub async fn wait(&mut self) -> Exit {
        let mut rest = Vec::new();
        while let Some(output) = &mut self.output {
            match timeout(MAX_WAIT, output.next_line()).await {
                Ok(Ok(Some(line))) => {
                    self.keys.assert_not_in("a message", &line);
                    let message = serde_json::from_str(&line);
                    rest.push(
                        message.unwrap_or_else(|error| {
                            panic!("{error}: {line}\n{}", self.transcript())
                        }),
                    );
                }
                Ok(_) => break,
                Err(_) => panic!("the server does not exit\n{}", self.transcript()),
            }
        }
        let status = timeout(MAX_WAIT, self.child.wait()).await.expect("the server exits").unwrap();
        let stderr = self.stderr.text_to_end();
        self.keys.assert_not_in("stderr", &stderr);
        Exit { status: status.code(), rest, stderr }
    }

    /// The messages of both sides and stderr, for a failed assertion.
    pub fn transcript(&self) -> String {
        format!("{}\nstderr: {}", self.transcript.join("\n"), self.stderr())
    }
}

impl Drop for Session {
    /// Most tests end without reading all output. It is searched for keys all the same.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let _ = self.child.start_kill();
        if let Some(output) = self.output.take() {
            let output = output.into_inner();
            let buffered = String::from_utf8_lossy(output.buffer()).into_owned();
            // It fails where the runtime has ended before.
            let rest = Stream::read_at_once(output.into_inner().into_owned_fd().ok());
            self.keys.assert_not_in("stdout", &(buffered + &rest.text_to_end()));
        }
        self.keys.assert_not_in("stderr", &self.stderr.text_to_end());
    }
}

/// Adds the `_meta` of the stateless protocol revision to params.
pub fn stateless(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params
}

/// Validates a result against the output schema of its tool.
fn matches_schema(tool: &str, structured: &Value) -> Result<(), String> {
    static SCHEMAS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
        let selection = Selection { toolsets: vec!["all".to_owned()], ..Selection::default() };
        let registry = Registry::unconnected(TOOLS).with_selection(selection);
        let tools = registry.tools().iter();
        tools.map(|t| (t.entry.name.to_owned(), json!(t.output_schema()))).collect()
    });
    let schema = SCHEMAS.get(tool).ok_or("no such tool")?;
    jsonschema::validate(schema, structured).map_err(|error| error.to_string())
}
