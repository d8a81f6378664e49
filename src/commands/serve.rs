//! No subcommand: the MCP server on stdin and stdout.

use std::io::{IsTerminal, Write};

use super::Failure;
use super::started::Started;
use crate::config::Config;
use crate::mcp;
use crate::wire::{self, Limits};

/// Serves until the input ends or a signal comes.
pub(super) fn run(config: Config) -> Result<(), Failure> {
    let limits = Limits { line_bytes: config.max_line_bytes, drain: config.drain };
    let started = Started::serving(config)?;
    if std::io::stdin().is_terminal() {
        let _ = writeln!(
            std::io::stderr(),
            "polytomic-mcp: waiting for an MCP client on stdin. An assistant or editor starts this; \
             `polytomic-mcp demo` shows it at work, `polytomic-mcp --help` what else there is."
        );
    }
    started.run(async |registry| {
        let stop = wire::stop_on_signals()?;
        mcp::serve(registry, wire::open_stdio(), limits, stop).await;
        Ok(())
    })
}
