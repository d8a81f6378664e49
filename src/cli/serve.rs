//! Without a subcommand: the MCP server on stdin and stdout.

use std::io::IsTerminal;

use super::error::CliError;
use super::startup::App;
use crate::config::Config;
use crate::mcp;
use crate::stderr;
use crate::stdio::{self, Limits};

/// Serves until the input ends or a signal arrives.
pub(super) fn run(config: Config) -> Result<(), CliError> {
    let limits = Limits { line_bytes: config.max_line_bytes, drain: config.drain };
    let title = title(&config);
    let app = App::for_server(config)?;
    if std::io::stdin().is_terminal() {
        stderr::print(
            "polytomic-mcp: waiting for an MCP client on stdin; assistants and editors start this command. \
             Try `polytomic-mcp demo`, or see `polytomic-mcp --help`.",
        );
    }
    app.run(async |registry| {
        let stop = stdio::shutdown_on_signal()?;
        mcp::serve(registry, title, stdio::open_stdio(), limits, stop).await;
        Ok(())
    })
}

/// What clients show as the name of the server. Two accounts stand side by side in a client as two servers.
pub(super) fn title(config: &Config) -> String {
    match &config.profile {
        Some(profile) => format!("Polytomic ({profile})"),
        None => "Polytomic".to_owned(),
    }
}
