//! `call`: calls one tool from a shell.
//!
//! `assignments` parses `key=value` into arguments, `confirm` asks the user, `output` prints the result, `spinner` shows progress. The
//! registry runs the call.

mod assignments;
mod confirm;
mod output;
mod spinner;

use std::io::{IsTerminal, Read};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::error::CliError;
use super::plain_text::plain_text;
use super::startup::{App, unserved};
use crate::config::Config;
use crate::registry::{
    CallSignals, ErrorCode, NO_NEXT, Outcome, ProgressSink, Registry, Tool, ToolError, mark_numbers,
};
use crate::stdio;
use crate::tools::TOOLS;
use spinner::Spinner;

pub(super) fn command() -> Command {
    let names = TOOLS.entries().map(|entry| entry.name);
    Command::new("call")
        .about("Call one tool and print its result")
        .after_help(
            "Examples:\n  \
             polytomic-mcp call list_connections\n  \
             polytomic-mcp call create_model name=Users connection_id=ID configuration.table=public.users\n  \
             polytomic-mcp call preview_model connection_id=ID configuration.query=@users.sql\n  \
             polytomic-mcp call create_model --json - < model.json\n\n\
             Exit status: 0 success, 2 wrong usage or invalid arguments, 3 missing or insufficient key, \
             4 no response from the API, 130 interrupted, 1 any other error or a job not done in time.",
        )
        .arg(
            Arg::new("tool")
                .value_name("TOOL")
                .required(true)
                .value_parser(PossibleValuesParser::new(names))
                .help("Name of the tool; see `polytomic-mcp tools NAME` for its arguments"),
        )
        .arg(
            Arg::new("assignment")
                .value_name("KEY=VALUE")
                .num_args(0..)
                .help("Argument: key=text, key:=JSON, key=@file; a.b=text for a nested property"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .value_name("JSON")
                .help("Arguments as one JSON object, or - to read it from stdin"),
        )
        .arg(
            Arg::new("yes")
                .long("yes")
                .short('y')
                .action(ArgAction::SetTrue)
                .help("Confirm a call that loses something, instead of being asked at the terminal"),
        )
        .arg(
            Arg::new("output")
                .long("output")
                .value_name("FORMAT")
                .value_parser(["text", "json"])
                .help("Output format: text or json [default: text on a terminal, otherwise json]"),
        )
}

pub(super) fn run(matches: &ArgMatches, config: Config) -> Result<(), CliError> {
    let name = matches.get_one::<String>("tool").cloned().unwrap_or_default();
    let as_json = match matches.get_one::<String>("output") {
        Some(format) => format == "json",
        None => !std::io::stdout().is_terminal(),
    };
    let assignments = matches.get_many::<String>("assignment").into_iter().flatten();
    let is_confirmed = matches.get_flag("yes");
    let base = matches.get_one::<String>("json").map(|text| parse_object(text)).transpose()?;
    let (has_sandbox, is_in_memory) = (config.has_sandbox(), config.is_in_memory());
    let selected_by = config.selected_by();
    let app = App::for_call(config)?;
    app.run(async |registry| {
        let tool = match registry.tool(&name) {
            Ok(tool) => tool,
            Err(error) => return Err(failed(&unserved(&name, error, &selected_by)?, as_json)?),
        };
        let schema = tool.input_schema();
        let arguments = assignments::parse(base.unwrap_or_default(), assignments.clone(), &schema)
            .map_err(|message| {
                let hint = format!("see polytomic-mcp tools {name} for the arguments");
                CliError::usage(message).with_hint(hint)
            })?;
        let names_stored =
            ["model_id", "sync_id", "job_id"].iter().any(|id| arguments.contains_key(*id));
        match call(&registry, tool, arguments, is_confirmed).await? {
            Ok(result) => {
                output::print(result.get(), as_json)?;
                check_finished(result.get(), has_sandbox)
            }
            Err(mut error) => {
                if error.code == ErrorCode::NotFound && names_stored && is_in_memory {
                    error.hint = EMPTY_SANDBOX.to_owned();
                }
                if error.code == ErrorCode::ConfirmationRequired {
                    error.hint = match error.details.contains_key("name") {
                        true => UNCONFIRMED_NAMED.to_owned(),
                        false => UNCONFIRMED.to_owned(),
                    };
                }
                if matches!(error.code, ErrorCode::InvalidArgument | ErrorCode::JobFailed)
                    && let Some(hint) = assignments::hint(assignments, &schema)
                {
                    error.hint = format!("{hint} {}", error.hint);
                }
                add_key(&mut error);
                Err(failed(&error, as_json)?)
            }
        }
    })
}

/// Adds the idempotency key to the hint. Since this process ends, the next equal call has it by itself only for ten minutes,
/// on this machine and with POLYTOMIC_STATE: what the hint says of that is replaced.
fn add_key(error: &mut ToolError) {
    const BY_ITSELF: &str = "Call again with the same arguments within 10 minutes";
    let Some(key) = error.details.get("idempotency_key").and_then(Value::as_str) else { return };
    let repeat = format!("Repeat the call with idempotency_key={key}: nothing is done twice.");
    let by_itself = error.hint.split_once(BY_ITSELF);
    error.hint =
        match by_itself.and_then(|(before, rest)| Some((before, rest.split_once("twice.")?.1))) {
            Some((before, after)) => format!("{before}{repeat}{after}"),
            None => format!("{} {repeat}", error.hint),
        };
}

/// Prints the error of a call for scripts, and returns it for stderr.
fn failed(error: &ToolError, as_json: bool) -> Result<CliError, CliError> {
    if as_json {
        output::print_json(&format!("{{\"error\":{}}}", error.to_json()))?;
    }
    Ok(cli_error(error))
}

const EMPTY_SANDBOX: &str = "Each `call --sandbox` starts an empty sandbox, which ends with it: to keep models between calls, \
    pass --sandbox-data FILE to each, also to the one that creates.";

const UNCONFIRMED: &str = "Pass --yes to confirm the call, or call at a terminal to be asked.";
const UNCONFIRMED_NAMED: &str = "Pass --yes to confirm the call, or expected_name=NAME with its present name, or \
    call at a terminal to be asked.";

/// Parses the value of --json.
fn parse_object(text: &str) -> Result<Map<String, Value>, CliError> {
    let mut read = String::new();
    let text = if text == "-" {
        std::io::stdin().read_to_string(&mut read)?;
        read.as_str()
    } else {
        text
    };
    match serde_json::from_str(&mark_numbers(text)) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err(CliError::usage("--json: expected a JSON object")),
        Err(error) => Err(CliError::usage(format!("--json: {error}"))),
    }
}

/// Calls a tool, with a spinner on a terminal. The outer error is an interruption.
async fn call(
    registry: &Registry,
    tool: &Tool,
    arguments: Map<String, Value>,
    is_confirmed: bool,
) -> Result<Result<Box<RawValue>, ToolError>, CliError> {
    let shutdown = stdio::shutdown_on_signal()?;
    let spinner = Arc::new(Spinner::new(tool.entry.name));
    let shown = Arc::clone(&spinner);
    let progress: ProgressSink = Arc::new(move |status| shown.set_status(status));
    let signals = CallSignals {
        progress: Some(progress),
        shutdown: shutdown.clone(),
        asker: confirm::asker(is_confirmed, &spinner),
        ..CallSignals::default()
    };
    let mut running = pin!(registry.call(tool, arguments, signals));
    let result = tokio::select! {
        // A call that ends because of the signal is not reported as its result.
        biased;
        () = shutdown.cancelled() => {
            // A call that waits for a job returns its handle, which is worth printing.
            let handover = tokio::time::timeout(Duration::from_millis(500), running).await;
            if let Ok(Ok(handle)) = handover {
                output::print_json(handle.get())?;
            }
            Err(CliError { status: 130, ..CliError::failed("interrupted") })
        }
        result = &mut running => Ok(result),
        never = spinner.spin() => match never {},
    };
    spinner.clear();
    result
}

/// An error for what is not done in time: its handle is on stdout, and the status makes scripts continue. A sandbox inside this
/// process ends with it, and so do its jobs and executions.
fn check_finished(text: &str, has_sandbox: bool) -> Result<(), CliError> {
    let result: Value = serde_json::from_str(text).unwrap_or_default();
    let Some(next) = result.get("next") else {
        let notice = result.get("notice").and_then(Value::as_str).unwrap_or_default();
        return match notice.contains(NO_NEXT) {
            true => Err(CliError::failed(NOT_DONE).with_hint(NO_NEXT)),
            false => Ok(()),
        };
    };
    let text = |key| next.get(key).and_then(Value::as_str).unwrap_or_default();
    let arguments = next.get("arguments").and_then(Value::as_object);
    let arguments: String = arguments
        .into_iter()
        .flatten()
        .filter(|(key, _)| *key != "wait_seconds")
        .map(|(key, value)| match value {
            Value::String(text) => format!(" {key}={text}"),
            value => format!(" {key}={value}"),
        })
        .collect();
    let error = CliError::failed(NOT_DONE);
    if has_sandbox {
        return Err(error.with_hint(
            "it ends with this call and its sandbox: call again without `async`, or with a larger `wait_seconds`",
        ));
    }
    Err(error.with_hint(format!("polytomic-mcp call {}{arguments} wait_seconds=60", text("tool"))))
}

const NOT_DONE: &str = "what the call has started is not done yet";

/// The problems of the arguments, a line each, if there are several; the message names the first.
fn problems(error: &ToolError) -> String {
    let problems = error.details.get("problems").and_then(Value::as_array);
    let problems = problems.filter(|problems| problems.len() > 1);
    let lines = problems.into_iter().flatten().map(|problem| {
        let text = |name| problem.get(name).and_then(Value::as_str).map(plain_text);
        let [argument, expected] =
            ["argument", "expected"].map(|name| text(name).unwrap_or_default());
        let got = text("got").unwrap_or_else(|| "nothing".to_owned());
        format!("\n  {argument}: expected {expected}, got {got}")
    });
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\ndetails.problems:{lines}") }
}

fn cli_error(error: &ToolError) -> CliError {
    let status = match error.code {
        ErrorCode::InvalidArgument if error.outcome == Outcome::NotSent => 2,
        ErrorCode::NotConfigured
        | ErrorCode::Unauthorized
        | ErrorCode::Forbidden
        | ErrorCode::AccessDenied => 3,
        ErrorCode::UpstreamUnavailable | ErrorCode::Timeout => 4,
        _ => 1,
    };
    let detail = ["message", "error", "reason", "cause"]
        .iter()
        .find_map(|name| error.details.get(*name).and_then(Value::as_str))
        .map(|detail| format!("\ndetails: {}", plain_text(detail)))
        .unwrap_or_else(|| problems(error));
    CliError { status, ..CliError::failed(format!("{}{detail}", error.message)) }
        .with_hint(error.hint.clone())
}
