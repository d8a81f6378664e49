//! `call`: one call of a tool from a shell.
//!
//! `assignments` makes arguments of `key=value`, `output` shows the result. The way of the call itself is
//! the registry's.

mod assignments;
mod output;

use std::io::{IsTerminal, Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::CliError;
use super::startup::App;
use crate::config::Config;
use crate::registry::{CallSignals, ErrorCode, Outcome, ProgressSink, Registry, ToolError};
use crate::stdio;
use crate::tools::TOOLS;

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
             Exit status: 0 done, 2 wrong usage or arguments, 3 no or no sufficient key, 4 no answer \
             from the API, 130 interrupted, 1 any other failure or a job that is not done in time.",
        )
        .arg(
            Arg::new("tool")
                .value_name("TOOL")
                .required(true)
                .value_parser(PossibleValuesParser::new(names))
                .help("Name of the tool; `polytomic-mcp tools NAME` shows its arguments"),
        )
        .arg(
            Arg::new("assignment")
                .value_name("KEY=VALUE")
                .num_args(0..)
                .help("An argument: key=text, key:=JSON, key=@file; a.b=text below an object"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .value_name("JSON")
                .help("The arguments as one JSON object; - reads it from stdin"),
        )
        .arg(
            Arg::new("output")
                .long("output")
                .value_name("FORM")
                .value_parser(["text", "json"])
                .help("text for people, json for scripts [default: text on a terminal, else json]"),
        )
}

pub(super) fn run(matches: &ArgMatches, config: Config) -> Result<(), CliError> {
    let name = matches.get_one::<String>("tool").cloned().unwrap_or_default();
    let as_json = match matches.get_one::<String>("output") {
        Some(form) => form == "json",
        None => !std::io::stdout().is_terminal(),
    };
    let given = matches.get_many::<String>("assignment").into_iter().flatten();
    let base = matches.get_one::<String>("json").map(|text| base(text)).transpose()?;
    let started = App::new(config)?;
    started.run(async |registry| {
        let unknown = || CliError::usage(format!("there is no tool {name}."));
        let tool = registry.tool(&name).ok_or_else(unknown)?;
        let arguments = assignments::read(base.unwrap_or_default(), given, &tool.input_schema)
            .map_err(|why| {
                let hint = format!("polytomic-mcp tools {name} shows the arguments");
                CliError::usage(why).with_hint(hint)
            })?;
        match call(&registry, &name, arguments).await? {
            Ok(result) => {
                output::show(result.get(), as_json)?;
                unfinished(result.get())
            }
            Err(error) => {
                if as_json {
                    writeln!(std::io::stdout(), "{}", json!({"error": error}))?;
                }
                Err(failure(&error))
            }
        }
    })
}

/// The arguments given as a whole.
fn base(text: &str) -> Result<Map<String, Value>, CliError> {
    let mut read = String::new();
    let text = if text == "-" {
        std::io::stdin().read_to_string(&mut read)?;
        read.as_str()
    } else {
        text
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err(CliError::usage("--json: expected a JSON object.")),
        Err(error) => Err(CliError::usage(format!("--json: {error}."))),
    }
}

/// Calls with a spinner where a person looks on. The outer failure is an interruption.
async fn call(
    registry: &Arc<Registry>,
    name: &str,
    arguments: Map<String, Value>,
) -> Result<Result<Box<RawValue>, ToolError>, CliError> {
    let stop = stdio::shutdown_on_signal()?;
    let spinner = spinner(name);
    let (shown, called) = (spinner.clone(), name.to_owned());
    let progress: ProgressSink =
        Arc::new(move |words| shown.set_message(format!("{called}: {words}")));
    let caller =
        CallSignals { progress: Some(progress), shutdown: stop.clone(), ..CallSignals::default() };
    let tool = registry.tool(name);
    let mut running = pin!(async {
        match tool {
            Some(tool) => registry.call(tool, arguments, caller).await,
            None => Err(ToolError::internal()),
        }
    });
    let result = tokio::select! {
        // What ends because of the signal is not taken for what was asked.
        biased;
        () = stop.cancelled() => {
            // What waits for a job answers with its handle, which is worth printing.
            let last_word = tokio::time::timeout(Duration::from_millis(500), running).await;
            if let Ok(Ok(handle)) = last_word {
                writeln!(std::io::stdout(), "{handle}")?;
            }
            Err(CliError { status: 130, ..CliError::failed("interrupted") })
        }
        result = &mut running => Ok(result),
    };
    spinner.finish_and_clear();
    result
}

fn spinner(name: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        spinner.set_style(style);
    }
    spinner.set_message(format!("calling {name}"));
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// A job that is not done in time: its handle is on stdout, and a script sees that it has to go on.
fn unfinished(text: &str) -> Result<(), CliError> {
    let result: Value = serde_json::from_str(text).unwrap_or_default();
    let Some(next) = result.get("next") else { return Ok(()) };
    let words = |key| next.get(key).and_then(Value::as_str).unwrap_or_default();
    let arguments = next.get("arguments").and_then(Value::as_object);
    let arguments: String = arguments
        .into_iter()
        .flatten()
        .map(|(key, value)| format!(" {key}={}", value.as_str().unwrap_or_default()))
        .collect();
    Err(CliError::failed("the job is not done yet")
        .with_hint(format!("polytomic-mcp call {}{arguments} wait_seconds=60", words("tool"))))
}

fn failure(error: &ToolError) -> CliError {
    let status = match error.code {
        ErrorCode::InvalidArgument if error.outcome == Outcome::NotSent => 2,
        ErrorCode::NotConfigured
        | ErrorCode::Unauthorized
        | ErrorCode::Forbidden
        | ErrorCode::AccessDenied => 3,
        ErrorCode::UpstreamUnavailable | ErrorCode::Timeout => 4,
        _ => 1,
    };
    let said = ["message", "error", "reason", "cause"]
        .iter()
        .find_map(|name| error.details.get(*name).and_then(Value::as_str))
        .map(|said| format!("\ndetails: {}", output::plain_text(said)))
        .unwrap_or_default();
    // The next call is another process, which knows no keys but those it is given.
    let key = error.details.get("idempotency_key").and_then(Value::as_str);
    let hint = match key {
        Some(key) if error.code.is_retryable() => {
            format!("the same call with idempotency_key={key} does nothing twice")
        }
        Some(key) => {
            format!("{} The same call with idempotency_key={key} does nothing twice.", error.hint)
        }
        None => error.hint.clone(),
    };
    CliError { status, ..CliError::failed(format!("{}{said}", error.message)) }.with_hint(hint)
}
