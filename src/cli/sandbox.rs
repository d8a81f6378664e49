//! `sandbox`: the stand-in for the API alone, until a signal comes.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;

use super::CliError;
use crate::config::Config;
use crate::sandbox::{Options, Sandbox, StartError};
use crate::{log, stdio};

pub(super) fn command() -> Command {
    Command::new("sandbox")
        .about("Run a stand-in for the Polytomic API on this machine")
        .long_about(
            "Run a stand-in for the Polytomic API on this machine.\n\n\
             Its business data is made up and only read; models live in memory, or in the file that \
             --data names. The first line on stdout is a JSON object with \"url\" and \"api_key\" (on \
             a terminal, words). It runs until SIGTERM or SIGINT.",
        )
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:0")
                .value_parser(super::address)
                .help("Loopback address and port to listen on; port 0 takes a free one"),
        )
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Keep models, syncs, jobs and idempotency keys in this SQLite file [env: POLYTOMIC_SANDBOX_DATA]"),
        )
}

pub(super) fn run(matches: &ArgMatches, config: Config) -> Result<(), CliError> {
    log::start(config.log);
    let data = matches.get_one("data").cloned().or(config.sandbox_data);
    let mut options = Options { data, ..Options::default() };
    if let Some(listen) = matches.get_one("listen") {
        options.listen = *listen;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Listening for signals comes first: whoever reads the line may send one at once.
        let stop = stdio::shutdown_on_signal()?;
        let sandbox = Sandbox::start(options).map_err(|error| failure(&error))?;
        announce(&sandbox)?;
        stop.cancelled().await;
        sandbox.stop();
        Ok(())
    })
}

/// Why the sandbox did not start, with what to do about it.
pub(super) fn failure(error: &StartError) -> CliError {
    let hint = match error {
        StartError::NotLoopback(_) | StartError::AddressInUse(_) => {
            "leave --listen out, and a free port of 127.0.0.1 is taken"
        }
        StartError::NotAStore(_) | StartError::OtherVersion { .. } => {
            "name a new file, and it is made"
        }
        StartError::DataInUse(_) => "stop the other sandbox, or name another file",
        StartError::Data { .. } => "name a file in a directory that exists and can be written to",
        _ => return CliError::failed(error.to_string()),
    };
    CliError::failed(error.to_string()).with_hint(hint)
}

fn announce(sandbox: &Sandbox) -> io::Result<()> {
    let (url, api_key) = (sandbox.url(), sandbox.api_key());
    let mut stdout = io::stdout().lock();
    if stdout.is_terminal() {
        writeln!(stdout, "The sandbox is running; Ctrl-C stops it.\n")?;
        writeln!(stdout, "  URL      {url}")?;
        writeln!(stdout, "  API key  {api_key}\n")?;
        writeln!(stdout, "  curl -H 'Authorization: Bearer {api_key}' {url}/api/me")?;
    } else {
        writeln!(stdout, "{}", json!({"url": url, "api_key": api_key}))?;
    }
    stdout.flush()
}
