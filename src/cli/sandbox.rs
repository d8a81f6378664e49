//! `sandbox`: runs the sandbox alone, until a signal arrives.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;

use super::error::CliError;
use super::listen;
use crate::config::Config;
use crate::sandbox::{FaultRule, Keys, Options, Sandbox, SeedData, StartError};
use crate::{log, stdio};

const FAULTS: &str = "\
Fault rules are OPERATIONS:FAULT with further properties after commas. OPERATIONS is an id such as create_model, a \
pattern such as *_model, or *. One FAULT:
  status=503           An error response of the API; retry_after=SECONDS adds Retry-After
  delay=500ms          The request waits first
  hang                 No response; the connection stays open
  cut, cut=100         The body of the response ends in the middle, or after so many bytes
  reset                The connection is reset
  gateway, gateway=504 A gateway's page, after the request was carried out
  html, invalid_json   A page, or JSON that ends too early, with status 200
  fail_job, endless_job  The work becomes a job that fails, or runs forever
  rate_limit=10        429 for more requests per second
Properties: times=3, skip=5, probability=0.1, seed=7, and carry_out, with which a request that fails takes effect.";

pub(super) fn command() -> Command {
    Command::new("sandbox")
        .about("Run the sandbox, a local implementation of the Polytomic API")
        .long_about(
            "Run the sandbox, a local implementation of the Polytomic API.\n\n\
             Its business data is made up and read-only; models are kept in memory, or in the file of \
             --data. The first line on stdout is a JSON object with \"url\", \"api_key\" and \"page\", a \
             link that opens a page to watch the sandbox once (plain text on a terminal). It runs until SIGTERM or SIGINT.",
        )
        .after_long_help(FAULTS)
        .arg(
            listen::argument("Loopback address and port to listen on; port 0 selects a free one")
                .default_value("127.0.0.1:0"),
        )
        .arg(
            Arg::new("keys")
                .long("keys")
                .action(ArgAction::SetTrue)
                .help("Also print keys that may only read, of another organization, and expired"),
        )
        .arg(
            Arg::new("seed-data")
                .long("seed-data")
                .value_name("SIZE")
                .value_parser(["small", "large", "none"])
                .default_value("small")
                .help("Business data and connections to start with; large is a hundred times as much"),
        )
        .arg(
            Arg::new("fault")
                .long("fault")
                .value_name("RULE")
                .action(ArgAction::Append)
                .value_parser(|text: &str| text.parse::<FaultRule>())
                .help("Make operations fail, e.g. create_model:status=503,retry_after=2,times=3; repeatable"),
        )
        .arg(
            Arg::new("faults")
                .long("faults")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("TOML file with fault rules, a table [[fault]] for each"),
        )
        .arg(
            Arg::new("latency")
                .long("latency")
                .value_name("MS")
                .value_parser(value_parser!(u64).range(0..=60_000))
                .default_value("0")
                .help("Delay of every response in milliseconds"),
        )
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("SQLite file for models, syncs, jobs and idempotency keys [env: POLYTOMIC_SANDBOX_DATA]"),
        )
}

pub(super) fn run(matches: &ArgMatches, config: Config) -> Result<(), CliError> {
    log::start(config.log);
    let data = matches.get_one("data").cloned().or(config.sandbox_data);
    let mut options = Options { data, ..Options::default() };
    if let Some(listen) = matches.get_one("listen") {
        options.listen = *listen;
    }
    options.seed_data = match matches.get_one::<String>("seed-data").map(String::as_str) {
        Some("large") => SeedData::Large,
        Some("none") => SeedData::None,
        _ => SeedData::Small,
    };
    options.faults = fault_rules(matches)?;
    let latency = matches.get_one("latency").copied().unwrap_or_default();
    options.latency = Duration::from_millis(latency);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Signals are handled first: the reader of the line may send one at once.
        let shutdown = stdio::shutdown_on_signal()?;
        let sandbox = Sandbox::start(options).map_err(|error| start_error(&error))?;
        announce(&sandbox, matches.get_flag("keys"))?;
        shutdown.cancelled().await;
        sandbox.stop();
        Ok(())
    })
}

/// The rules of the file, and those of the flags.
fn fault_rules(matches: &ArgMatches) -> Result<Vec<FaultRule>, CliError> {
    let mut rules = Vec::new();
    if let Some(path) = matches.get_one::<PathBuf>("faults") {
        let text = std::fs::read_to_string(path).map_err(|error| {
            CliError::failed(format!("cannot read {}: {error}", path.display()))
                .with_hint("pass a TOML file with a table [[fault]] for each rule")
        })?;
        rules = FaultRule::parse_toml(&text).map_err(|error| {
            CliError::failed(format!("{}: {error}", path.display()))
                .with_hint("a rule is, for example, operations = \"create_model\" and status = 503")
        })?;
    }
    rules.extend(matches.get_many::<FaultRule>("fault").into_iter().flatten().cloned());
    Ok(rules)
}

/// Why the sandbox did not start, and what to do about it.
pub(super) fn start_error(error: &StartError) -> CliError {
    let hint = match error {
        StartError::NotLoopback(_) | StartError::AddressInUse(_) => {
            "leave out --listen to use a free port of 127.0.0.1"
        }
        StartError::NotAStore(_) | StartError::OtherVersion { .. } => {
            "choose a new file; it is created"
        }
        StartError::DataInUse(_) => "stop the other sandbox, or choose another file",
        StartError::Data { .. } => "choose a file in an existing, writable directory",
        _ => return CliError::failed(error.to_string()),
    };
    CliError::failed(error.to_string()).with_hint(hint)
}

fn announce(sandbox: &Sandbox, with_keys: bool) -> io::Result<()> {
    let (url, api_key, page) = (sandbox.url(), sandbox.api_key(), sandbox.page());
    let Keys { read_only, other_organization, expired, .. } = sandbox.keys();
    let mut stdout = io::stdout().lock();
    if stdout.is_terminal() {
        writeln!(stdout, "The sandbox is running; stop it with Ctrl-C.\n")?;
        writeln!(stdout, "  URL                 {url}")?;
        writeln!(stdout, "  API key             {api_key}")?;
        if with_keys {
            writeln!(stdout, "  Read-only           {read_only}")?;
            writeln!(stdout, "  Other organization  {other_organization}")?;
            writeln!(stdout, "  Expired             {expired}")?;
        }
        writeln!(stdout, "\n  Watch it at {page}\n  (the link works once)")?;
        writeln!(stdout, "\n  curl -H 'Authorization: Bearer {api_key}' {url}/api/me")?;
    } else {
        let mut line = json!({ "url": url, "api_key": api_key, "page": page });
        if with_keys && let Some(line) = line.as_object_mut() {
            let keys = json!({
                "read_only": read_only, "other_organization": other_organization, "expired": expired,
            });
            line.insert("keys".to_owned(), keys);
        }
        writeln!(stdout, "{line}")?;
    }
    stdout.flush()
}
