//! `rpc`: serves the tools as JSON-RPC 2.0 methods, on stdin and stdout or over HTTP and WebSocket.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;

use clap::{ArgMatches, Command};
use serde_json::json;

use super::error::CliError;
use super::listen;
use super::startup::App;
use crate::config::Config;
use crate::jsonrpc::{self, Server, StartError};
use crate::stdio::{self, Limits};

pub(super) fn command() -> Command {
    Command::new("rpc")
        .about("Serve the tools as JSON-RPC 2.0 methods on stdin, or over HTTP and WebSocket")
        .long_about(
            "Serve the tools as JSON-RPC 2.0 methods with named parameters.\n\n\
             On stdin and stdout: one message or one batch per line, or each behind a Content-Length header; \
             responses are written as they become ready, all of them before the process ends. With --listen: HTTP POST and WebSocket \
             on one port; the first line on stdout is a JSON object with \"url\" (plain text on a terminal). \
             `rpc.discover` returns the OpenRPC document.",
        )
        .after_help(
            "Example:\n  \
             echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list_connections\"}' | polytomic-mcp rpc --sandbox",
        )
        .arg(listen::argument("Address and port to listen on; port 0 selects a free one"))
}

pub(super) fn run(matches: &ArgMatches, mut config: Config) -> Result<(), CliError> {
    let limits = Limits { line_bytes: config.max_line_bytes, drain: config.drain };
    let token = config.ports.rpc_token.take().or_else(|| config.ports.token.take());
    let Some(listen) = matches.get_one::<SocketAddr>("listen").copied() else {
        return App::for_server(config)?.run(async |registry| {
            let shutdown = stdio::shutdown_on_signal()?;
            let served =
                jsonrpc::serve_stdio(registry, stdio::open_stdio(), limits, shutdown).await;
            served.map_err(|error| CliError::failed(format!("cannot write the responses: {error}")))
        });
    };
    App::for_port(config)?.run(async |registry| {
        // Signals are handled first: the reader of the line may send one at once.
        let shutdown = stdio::shutdown_on_signal()?;
        let server =
            Server::start(registry, listen, token, limits.line_bytes).await.map_err(start_error)?;
        announce(server.url())?;
        shutdown.cancelled().await;
        // A second signal ends the process at once.
        let again = stdio::shutdown_on_signal()?;
        tokio::select! {
            () = server.stop(limits.drain) => {}
            () = again.cancelled() => {}
        }
        Ok(())
    })
}

fn start_error(error: StartError) -> CliError {
    let cli_error = CliError::failed(error.to_string());
    match error {
        StartError::NoToken(_) => CliError { status: 2, ..cli_error }
            .with_hint("set POLYTOMIC_RPC_TOKEN, or listen on 127.0.0.1"),
        StartError::Listen(..) => {
            cli_error.with_hint("choose another port; port 0 selects a free one")
        }
    }
}

fn announce(url: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    if stdout.is_terminal() {
        writeln!(
            stdout,
            "Serving JSON-RPC over HTTP POST and WebSocket at {url}; stop with Ctrl-C."
        )?;
    } else {
        writeln!(stdout, "{}", json!({"url": url}))?;
    }
    stdout.flush()
}
