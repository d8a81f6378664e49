//! `demo`: the main job, done before one's eyes against the embedded sandbox.
//!
//! It starts its own binary as an MCP server and speaks to it over the pipes exactly as an assistant
//! would; nothing is called from inside. Each step is checked, and the first that does not give what it
//! should ends the demo with status 1.
#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::CliError;
use crate::config::SETTINGS;

/// The protocol version that the demo asks for: the newest with an initialize.
const PROTOCOL: &str = "2025-11-25";
/// No step takes long; a server that does not answer must not hold the demo for ever.
const PATIENCE: Duration = Duration::from_secs(30);
const TABLE: &str = "public.users";

pub(super) fn command() -> Command {
    Command::new("demo")
        .about("Create a model in the embedded sandbox as an assistant would, and show it")
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print the real messages instead, one JSON object a line"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), CliError> {
    let mut session = Session::start(matches.get_flag("json"))?;
    let result = steps(&mut session);
    let (status, log) = session.end()?;
    result.map_err(|failure| match (failure.status, log.trim()) {
        // Nobody reads any more, which is no failure; or there is nothing to add.
        (0, _) | (_, "") => failure,
        (_, log) => failure.with_hint(format!("the server's log:\n{log}")),
    })?;
    if !status.success() {
        return Err(CliError::failed(format!("the server ended with {status}")));
    }
    Ok(())
}

/// The way from a connection to a model and back, each step checked.
fn steps(session: &mut Session) -> Result<(), CliError> {
    session.say("An assistant starts the server and introduces itself.")?;
    let info = session.request(
        "initialize",
        json!({
            "protocolVersion": PROTOCOL,
            "capabilities": {},
            "clientInfo": {"name": "polytomic-mcp-demo", "version": env!("CARGO_PKG_VERSION")},
        }),
    )?;
    let name = info["serverInfo"]["name"].as_str().unwrap_or_default();
    expect(name == "polytomic-mcp", "initialize", "serverInfo.name polytomic-mcp", &info)?;
    session.notify("notifications/initialized")?;
    session.say(&format!(
        "  {name} {} speaks protocol {}",
        shown(&info["serverInfo"]["version"]),
        shown(&info["protocolVersion"])
    ))?;

    session.say("\nIt asks what the server can do.")?;
    let tools = session.request("tools/list", json!({}))?;
    let names: Vec<&str> =
        list(&tools["tools"]).iter().filter_map(|t| t["name"].as_str()).collect();
    expect(names.contains(&"create_model"), "tools/list", "a tool create_model", &tools)?;
    session.say(&format!("  {} tools: {}", names.len(), names.join(", ")))?;

    session.say("\nIt looks for a connection to read from.")?;
    let found = session.call("list_connections", json!({}))?;
    let connection = &found["connections"][0];
    let id = connection["id"].clone();
    expect(id.is_string(), "list_connections", "a connection with an id", &found)?;
    session.say(&format!(
        "  {} ({}), id {}",
        shown(&connection["name"]),
        shown(&connection["status"]),
        shown(&id)
    ))?;

    session.say("\nIt asks what a model may read there.")?;
    let source = session.call("get_model_source", json!({"connection_id": id}))?;
    let tables = list(&source["items"]["table"]["items"]);
    expect(tables.contains(&json!(TABLE)), "get_model_source", "the table public.users", &source)?;
    session.say(&format!(
        "  exactly one of {}; tables: {}",
        words(&source["requires_one_of"]),
        words(&source["items"]["table"]["items"])
    ))?;

    session.say("\nIt previews the model; nothing is saved.")?;
    let definition = json!({"connection_id": id, "configuration": {"table": TABLE}});
    let preview = session.call("preview_model", definition.clone())?;
    let fields = list(&preview["model"]["fields"]);
    expect(!fields.is_empty(), "preview_model", "fields", &preview)?;
    for field in fields {
        session.say(&format!("  {:<16} {}", shown(&field["name"]), shown(&field["type"])))?;
    }

    session.say("\nIt creates the model.")?;
    let mut named = definition;
    named["name"] = json!("Users");
    let created = session.call("create_model", named)?;
    let (model, job) = (&created["model"], &created["job"]);
    let model_id = model["id"].clone();
    expect(model_id.is_string(), "create_model", "a model with an id", &created)?;
    expect(job["status"] == "done", "create_model", "a job that is done", &created)?;
    session.say(&format!(
        "  model {} \"{}\", version {}, identifier {}, {} fields",
        shown(&model_id),
        shown(&model["name"]),
        shown(&model["version"]),
        shown(&model["identifier"]),
        list(&model["fields"]).len()
    ))?;
    session.say(&format!(
        "  job   {} {} {}",
        shown(&job["job_id"]),
        shown(&job["type"]),
        shown(&job["status"])
    ))?;

    session.say("\nIt looks at some records.")?;
    let sample = session.call("sample_records", json!({"model_id": model_id}))?;
    let records = list(&sample["records"]);
    let key = shown(&model_id);
    let first = &records.first().unwrap_or(&Value::Null)[&key];
    expect(first.is_object(), "sample_records", "records of the model", &sample)?;
    for record in records.iter().take(3) {
        let values: Vec<String> = record[&key]
            .as_object()
            .into_iter()
            .flatten()
            .take(4)
            .map(|(name, value)| format!("{name}: {}", shown(value)))
            .collect();
        session.say(&format!("  {}", values.join(", ")))?;
    }
    session.say(&format!("  … {} records in all", records.len()))?;

    session.say("\nIt reads the model back.")?;
    let read = session.call("get_model", json!({"model_id": model_id}))?;
    expect(read["model"]["name"] == "Users", "get_model", "the model named Users", &read)?;
    session.say(&format!(
        "  \"{}\" reads {}",
        shown(&read["model"]["name"]),
        read["model"]["configuration"]
    ))?;

    session.say("\nIt cleans up.")?;
    let deleted = session.call("delete_model", json!({"model_id": model_id}))?;
    expect(deleted["deleted"] == true, "delete_model", "deleted true", &deleted)?;
    session.say(&format!("  model {} is deleted", shown(&model_id)))
}

/// One MCP session with this very program as the server.
struct Session {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<String>,
    log: JoinHandle<String>,
    json: bool,
    last_id: u64,
}

impl Session {
    fn start(json: bool) -> Result<Self, CliError> {
        let program = std::env::current_exe()?;
        let mut process = Process::new(program);
        process.arg("--sandbox");
        // The demo is the same for everyone, whatever is configured here.
        for setting in SETTINGS {
            process.env_remove(setting.variable());
        }
        let mut child = process
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| CliError::failed(format!("the server does not start: {error}")))?;
        let input = child.stdin.take();
        let (sender, answers) = channel();
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
        Ok(Self { child, input, answers, log, json, last_id: 0 })
    }

    /// Words for a person; none where the messages themselves are printed.
    fn say(&self, text: &str) -> Result<(), CliError> {
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
        let gone = || CliError::failed("the server has gone");
        let input = self.input.as_mut().ok_or_else(gone)?;
        writeln!(input, "{message}").map_err(|_| gone())?;
        input.flush().map_err(|_| gone())
    }

    fn notify(&mut self, method: &str) -> Result<(), CliError> {
        self.send(&json!({"jsonrpc": "2.0", "method": method}))
    }

    fn request(&mut self, method: &str, params: Value) -> Result<Value, CliError> {
        self.last_id += 1;
        let id = self.last_id;
        let started = Instant::now();
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        let line = self
            .answers
            .recv_timeout(PATIENCE)
            .map_err(|_| CliError::failed(format!("{method}: the server does not answer")))?;
        let mut answer: Value = serde_json::from_str(&line).map_err(|error| {
            CliError::failed(format!("{method}: the answer is no JSON: {error}"))
        })?;
        self.print("server", &answer)?;
        let what = params["name"].as_str().unwrap_or(method);
        let ms = started.elapsed().as_secs_f64() * 1e3;
        self.say(&format!("→ {what}{} ({ms:.1} ms)", arguments(&params)))?;
        expect(answer["id"] == id, what, "an answer with the request's id", &answer)?;
        expect(answer.get("result").is_some(), what, "a result", &answer)?;
        Ok(answer["result"].take())
    }

    /// Calls a tool and gives its structured result.
    fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, CliError> {
        let params = json!({"name": tool, "arguments": arguments});
        let mut result = self.request("tools/call", params)?;
        let good = result["isError"] != true && result["structuredContent"].is_object();
        expect(good, tool, "a result that is no error", &result)?;
        Ok(result["structuredContent"].take())
    }

    /// Closes the pipe, as an assistant does, and gives the server's exit status and log.
    fn end(mut self) -> Result<(std::process::ExitStatus, String), CliError> {
        drop(self.input.take());
        let status = self.child.wait()?;
        Ok((status, self.log.join().unwrap_or_default()))
    }
}

fn expect(good: bool, step: &str, expected: &str, got: &Value) -> Result<(), CliError> {
    if good {
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

fn words(value: &Value) -> String {
    list(value).iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// Text as it is, anything else as JSON.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
