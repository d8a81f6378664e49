//! No subcommand: the MCP server on stdin and stdout.

use std::io::{IsTerminal, Write};

use super::CliError;
use super::startup::App;
use crate::config::Config;
use crate::mcp;
use crate::stdio::{self, Limits};

/// Serves until the input ends or a signal comes.
pub(super) fn run(config: Config) -> Result<(), CliError> {
    let limits = Limits { line_bytes: config.max_line_bytes, drain: config.drain };
    let started = App::serving(config)?;
    if std::io::stdin().is_terminal() {
        let _ = writeln!(
            std::io::stderr(),
            "polytomic-mcp: waiting for an MCP client on stdin. An assistant or editor starts this; \
             `polytomic-mcp demo` shows it at work, `polytomic-mcp --help` what else there is."
        );
    }
    started.run(async |registry| {
        let stop = stdio::shutdown_on_signal()?;
        mcp::serve(registry, stdio::open_stdio(), limits, stop).await;
        Ok(())
    })
}
