//! `rpc`: the tools as JSON-RPC 2.0 methods, on stdin and stdout or on a port.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;

use clap::{Arg, ArgMatches, Command};
use serde_json::json;

use super::CliError;
use super::startup::App;
use crate::config::Config;
use crate::jsonrpc::{self, Server, StartError};
use crate::stdio::{self, Limits};

pub(super) fn command() -> Command {
    Command::new("rpc")
        .about("Serve the tools as JSON-RPC 2.0 methods on stdin, or on a port")
        .long_about(
            "Serve the tools as JSON-RPC 2.0 methods with named parameters.\n\n\
             On stdin and stdout: one message or one batch a line, answers in the order in which the \
             work is done, all of them before the end. With --listen: HTTP POST and WebSocket on one \
             port; the first line on stdout is a JSON object with \"url\". `rpc.discover` answers \
             the OpenRPC document.",
        )
        .after_help(
            "Example:\n  \
             echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list_connections\"}' | polytomic-mcp rpc --sandbox",
        )
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .value_parser(super::address)
                .help("Address and port to listen on; port 0 takes a free one"),
        )
}

pub(super) fn run(matches: &ArgMatches, mut config: Config) -> Result<(), CliError> {
    let limits = Limits { line_bytes: config.max_line_bytes, drain: config.drain };
    let token = config.rpc_token.take();
    let started = App::serving(config)?;
    let Some(listen) = matches.get_one::<SocketAddr>("listen").copied() else {
        return started.run(async |registry| {
            let stop = stdio::shutdown_on_signal()?;
            let served = jsonrpc::serve_stdio(registry, stdio::open_stdio(), limits, stop).await;
            served.map_err(|error| CliError::failed(error.to_string()))
        });
    };
    started.run(async |registry| {
        // Listening for signals comes first: whoever reads the line may send one at once.
        let stop = stdio::shutdown_on_signal()?;
        let server =
            Server::start(registry, listen, token, limits.line_bytes).await.map_err(failure)?;
        announce(server.url())?;
        stop.cancelled().await;
        // Whoever signals twice does not want to wait.
        let again = stdio::shutdown_on_signal()?;
        tokio::select! {
            () = server.stop(limits.drain) => {}
            () = again.cancelled() => {}
        }
        Ok(())
    })
}

fn failure(error: StartError) -> CliError {
    let failure = CliError::failed(error.to_string());
    match error {
        StartError::NoToken(_) => CliError { status: 2, ..failure }
            .with_hint("set POLYTOMIC_RPC_TOKEN, or listen on 127.0.0.1"),
        StartError::Listen(..) => failure.with_hint("choose another port; port 0 takes a free one"),
        StartError::Methods(_) => failure,
    }
}

fn announce(url: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    if stdout.is_terminal() {
        writeln!(stdout, "JSON-RPC over HTTP POST and WebSocket at {url}; Ctrl-C stops it.")?;
    } else {
        writeln!(stdout, "{}", json!({"url": url}))?;
    }
    stdout.flush()
}
