//! `rpc`: serves the tools as JSON-RPC 2.0 methods, on stdin and stdout or over HTTP and WebSocket.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use clap::{ArgMatches, Command};
use serde_json::json;

use super::error::CliError;
use super::listen;
use super::port::{Port, Running};
use super::startup::App;
use crate::config::{self, Config};
use crate::jsonrpc::{self, Endpoint};
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

pub(super) fn run(matches: &ArgMatches, config: Config) -> Result<(), CliError> {
    let limits = Limits { line_bytes: config.max_line_bytes, drain: config.drain };
    let Some(listen) = matches.get_one::<SocketAddr>("listen").copied() else {
        if let Some(flag) = config::first_port_flag(matches) {
            let message = format!("--{flag} has no effect on stdin and stdout");
            return Err(CliError::usage(message).with_hint("add --listen to serve on a port"));
        }
        return App::for_server(config)?.run(async |registry| {
            let shutdown = stdio::shutdown_on_signal()?;
            let served =
                jsonrpc::serve_stdio(registry, stdio::open_stdio(), limits, shutdown).await;
            served.map_err(|error| CliError::failed(format!("cannot write the responses: {error}")))
        });
    };
    let mut port = Port::new(&config, listen, "/");
    port.token_variables = "POLYTOMIC_HTTP_TOKEN or POLYTOMIC_RPC_TOKEN";
    if let Some(token) = config.ports.rpc_token.clone() {
        port.settings.token = Some(token);
    }
    App::for_port(config)?.run(async |registry| {
        let endpoint = |running: &Running| {
            let Running { tasks, stopping, ending, .. } = running;
            let registry = Arc::clone(&registry);
            let tokens = (stopping.clone(), ending.clone());
            Endpoint::new(registry, limits.line_bytes, tasks.clone(), tokens)
        };
        port.serve(Arc::clone(&registry), endpoint, announce).await
    })
}

fn announce(running: &Running) -> std::io::Result<()> {
    let (mut stdout, url) = (std::io::stdout().lock(), &running.url);
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
