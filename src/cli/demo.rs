//! `demo`: runs a complete session against the sandbox.
//!
//! It starts its own binary as an MCP server and talks to it over pipes exactly as an assistant does; it calls nothing
//! directly. Each step is checked, and the first unexpected result ends the demo with status 1.
#![expect(clippy::indexing_slicing, reason = "a missing key of a JSON value reads as null")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::error::CliError;
use crate::config::SETTINGS;

/// The requested protocol version: the newest with an initialize.
const PROTOCOL: &str = "2025-11-25";
/// No step takes long; a server that does not respond must not block the demo forever.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
const TABLE: &str = "public.users";

pub(super) fn command() -> Command {
    Command::new("demo").about("Run a complete session against the built-in sandbox").arg(
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help("Print the messages, one JSON object per line"),
    )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), CliError> {
    let mut session = Session::start(matches.get_flag("json"))?;
    let result = run_steps(&mut session);
    let (status, log) = session.end()?;
    result.map_err(|error| match (error.status, log.trim()) {
        // A closed stdout is not an error; or there is nothing to add.
        (0, _) | (_, "") => error,
        (_, log) => error.with_hint(format!("the log of the server:\n{log}")),
    })?;
    if !status.success() {
        return Err(CliError::failed(format!("the server ended with {status}")));
    }
    Ok(())
}

/// From a connection to a model and back, with each step checked.
fn run_steps(session: &mut Session) -> Result<(), CliError> {
    session.narrate("The client starts the server and initializes the session.")?;
    let info = session.request(
        "initialize",
        json!({
            "protocolVersion": PROTOCOL,
            "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "polytomic-mcp-demo", "version": env!("CARGO_PKG_VERSION")},
        }),
    )?;
    let name = info["serverInfo"]["name"].as_str().unwrap_or_default();
    expect(name == "polytomic-mcp", "initialize", "serverInfo.name polytomic-mcp", &info)?;
    session.notify("notifications/initialized")?;
    session.narrate(&format!(
        "  {name} {} speaks protocol {}",
        display(&info["serverInfo"]["version"]),
        display(&info["protocolVersion"])
    ))?;

    session.narrate("\nIt lists the tools.")?;
    let tools = session.request("tools/list", json!({}))?;
    let names: Vec<&str> =
        list(&tools["tools"]).iter().filter_map(|t| t["name"].as_str()).collect();
    expect(names.contains(&"create_model"), "tools/list", "a tool create_model", &tools)?;
    session.narrate(&format!("  {} tools: {}", names.len(), names.join(", ")))?;

    session.narrate("\nIt lists the connections.")?;
    let found = session.call("list_connections", json!({}))?;
    let connection = &found["connections"][0];
    let id = connection["id"].clone();
    expect(id.is_string(), "list_connections", "a connection with an id", &found)?;
    session.narrate(&format!(
        "  {} ({}), id {}",
        display(&connection["name"]),
        display(&connection["status"]),
        display(&id)
    ))?;

    session.narrate("\nIt gets what a model can read from the connection.")?;
    let source = session.call("get_model_source", json!({"connection_id": id}))?;
    let tables = list(&source["items"]["table"]["items"]);
    expect(tables.contains(&json!(TABLE)), "get_model_source", "the table public.users", &source)?;
    session.narrate(&format!(
        "  exactly one of {}; tables: {}",
        comma_separated(&source["requires_one_of"]),
        comma_separated(&source["items"]["table"]["items"])
    ))?;

    session.narrate("\nIt previews the model; nothing is created.")?;
    let definition = json!({"connection_id": id, "configuration": {"table": TABLE}});
    let preview = session.call("preview_model", definition.clone())?;
    let fields = list(&preview["model"]["fields"]);
    expect(!fields.is_empty(), "preview_model", "fields", &preview)?;
    for field in fields {
        session.narrate(&format!(
            "  {:<16} {}",
            display(&field["name"]),
            display(&field["type"])
        ))?;
    }

    session.narrate("\nIt creates the model.")?;
    let mut named = definition;
    named["name"] = json!("Users");
    let created = session.call("create_model", named)?;
    let (model, job) = (&created["model"], &created["job"]);
    let model_id = model["id"].clone();
    expect(model_id.is_string(), "create_model", "a model with an id", &created)?;
    expect(job["status"] == "done", "create_model", "a job that is done", &created)?;
    session.narrate(&format!(
        "  model {} \"{}\", version {}, identifier {}, {} fields",
        display(&model_id),
        display(&model["name"]),
        display(&model["version"]),
        display(&model["identifier"]),
        list(&model["fields"]).len()
    ))?;
    session.narrate(&format!(
        "  job   {} {} {}",
        display(&job["job_id"]),
        display(&job["type"]),
        display(&job["status"])
    ))?;

    session.narrate("\nIt samples some records.")?;
    let sample = session.call("sample_records", json!({"model_id": model_id}))?;
    let records = list(&sample["records"]);
    let key = display(&model_id);
    let first = &records.first().unwrap_or(&Value::Null)[&key];
    expect(first.is_object(), "sample_records", "records of the model", &sample)?;
    for record in records.iter().take(3) {
        let values: Vec<String> = record[&key]
            .as_object()
            .into_iter()
            .flatten()
            .take(4)
            .map(|(name, value)| format!("{name}: {}", display(value)))
            .collect();
        session.narrate(&format!("  {}", values.join(", ")))?;
    }
    session.narrate(&format!("  … {} records in total", records.len()))?;

    session.narrate("\nIt gets the model.")?;
    let read = session.call("get_model", json!({"model_id": model_id}))?;
    expect(read["model"]["name"] == "Users", "get_model", "the model named Users", &read)?;
    session.narrate(&format!(
        "  \"{}\" reads {}",
        display(&read["model"]["name"]),
        read["model"]["configuration"]
    ))?;

    session.narrate("\nIt deletes the model, which the server asks the user about.")?;
    let deleted = session.call("delete_model", json!({"model_id": model_id}))?;
    expect(deleted["deleted"] == true, "delete_model", "deleted true", &deleted)?;
    session.narrate(&format!("  model {} is deleted", display(&model_id)))
}

/// One MCP session with this binary as the server.
struct Session {
    child: Child,
    input: Option<ChildStdin>,
    responses: Receiver<String>,
    log: JoinHandle<String>,
    json: bool,
    last_id: u64,
}

impl Session {
    fn start(json: bool) -> Result<Self, CliError> {
        let program = std::env::current_exe()?;
        let mut process = Process::new(program);
        process.args(["--sandbox", "--config", "off"]);
        // The demo is the same for everybody, whatever is configured.
        for setting in SETTINGS {
            process.env_remove(setting.variable());
        }
        let mut child = process
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| CliError::failed(format!("cannot start the server: {error}")))?;
        let input = child.stdin.take();
        let (sender, responses) = channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let errors = child.stderr.take();
        let log = std::thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(mut errors) = errors {
                let _ = errors.read_to_end(&mut text);
            }
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Self { child, input, responses, log, json, last_id: 0 })
    }

    /// Prints narration, unless the messages themselves are printed.
    fn narrate(&self, text: &str) -> Result<(), CliError> {
        if self.json {
            return Ok(());
        }
        Ok(writeln!(io::stdout(), "{text}")?)
    }

    fn print(&self, direction: &str, message: &Value) -> Result<(), CliError> {
        if !self.json {
            return Ok(());
        }
        let line = json!({"direction": direction, "message": message});
        Ok(writeln!(io::stdout(), "{line}")?)
    }

    fn send(&mut self, message: &Value) -> Result<(), CliError> {
        self.print("client", message)?;
        let closed = || CliError::failed("the server has closed its stdin");
        let input = self.input.as_mut().ok_or_else(closed)?;
        writeln!(input, "{message}").map_err(|_| closed())?;
        input.flush().map_err(|_| closed())
    }

    fn notify(&mut self, method: &str) -> Result<(), CliError> {
        self.send(&json!({"jsonrpc": "2.0", "method": method}))
    }

    fn request(&mut self, method: &str, params: Value) -> Result<Value, CliError> {
        self.last_id += 1;
        let id = self.last_id;
        let started = Instant::now();
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        let (mut response, mut question) = (self.receive(method)?, None);
        while response["method"] == "elicitation/create" {
            let decision = json!({"action": "accept", "content": {"confirm": true}});
            self.send(&json!({"jsonrpc": "2.0", "id": response["id"], "result": decision}))?;
            question = Some(display(&response["params"]["message"]));
            response = self.receive(method)?;
        }
        let step = params["name"].as_str().unwrap_or(method);
        let ms = started.elapsed().as_secs_f64() * 1e3;
        self.narrate(&format!("→ {step}{} ({ms:.1} ms)", arguments(&params)))?;
        if let Some(question) = question {
            for line in question.lines() {
                self.narrate(&format!("  ? {line}"))?;
            }
            self.narrate("  the user accepts with confirm true")?;
        }
        expect(response["id"] == id, step, "a response with the id of the request", &response)?;
        expect(response.get("result").is_some(), step, "a result", &response)?;
        Ok(response["result"].take())
    }

    /// The next message of the server.
    fn receive(&mut self, method: &str) -> Result<Value, CliError> {
        let line = self
            .responses
            .recv_timeout(RESPONSE_TIMEOUT)
            .map_err(|_| CliError::failed(format!("{method}: the server does not respond")))?;
        let message = serde_json::from_str(&line).map_err(|error| {
            CliError::failed(format!("{method}: the response is not JSON: {error}"))
        })?;
        self.print("server", &message)?;
        Ok(message)
    }

    /// Calls a tool and returns its structured result.
    fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, CliError> {
        let params = json!({"name": tool, "arguments": arguments});
        let mut result = self.request("tools/call", params)?;
        let is_success = result["isError"] != true && result["structuredContent"].is_object();
        expect(is_success, tool, "a result that is not an error", &result)?;
        Ok(result["structuredContent"].take())
    }

    /// Closes the pipe, as an assistant does, and returns the exit status and log of the server.
    fn end(mut self) -> Result<(std::process::ExitStatus, String), CliError> {
        drop(self.input.take());
        let status = self.child.wait()?;
        Ok((status, self.log.join().unwrap_or_default()))
    }
}

fn expect(is_met: bool, step: &str, expected: &str, got: &Value) -> Result<(), CliError> {
    if is_met {
        return Ok(());
    }
    Err(CliError::failed(format!("{step}: expected {expected}, got {got}")))
}

fn arguments(params: &Value) -> String {
    params.get("arguments").map(|arguments| format!(" {arguments}")).unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn comma_separated(value: &Value) -> String {
    list(value).iter().map(display).collect::<Vec<_>>().join(", ")
}

/// A string without quotes, anything else as JSON.
fn display(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
