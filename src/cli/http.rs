//! `http`: serves MCP over HTTP, for a team or for clients on other machines.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use clap::{ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::error::CliError;
use super::listen;
use super::port::{Port, Running};
use super::serve::title;
use super::startup::App;
use crate::config::{Config, KeysFrom};
use crate::mcp::{Endpoint, PATH};
use crate::state::QuestionStore;

pub(super) fn command() -> Command {
    Command::new("http")
        .about("Serve MCP over HTTP, for a team or for clients on other machines")
        .long_about(
            "Serve MCP over Streamable HTTP at /mcp, in both protocol eras and without sessions: any of several \
             replicas can respond to any request.\n\n\
             The first line on stdout is a JSON object with \"url\" (plain text on a terminal). On SIGTERM no more \
             requests are accepted, and those that run are finished within --drain-seconds. /healthz and /readyz need no token, /metrics \
             (Prometheus) does. Beyond loopback addresses a token is required (POLYTOMIC_HTTP_TOKEN), or an issuer of OAuth \
             tokens. docs/deploy.md has complete examples.",
        )
        .after_help(
            "Examples:\n  \
             polytomic-mcp http --sandbox\n  \
             POLYTOMIC_HTTP_TOKEN=… polytomic-mcp http --listen 0.0.0.0:8080 --keys-from request",
        )
        .arg(
            listen::argument("Address and port to listen on; port 0 selects a free one")
                .default_value("127.0.0.1:0"),
        )
}

pub(super) fn run(matches: &ArgMatches, config: Config) -> Result<(), CliError> {
    let (body_limit, title) = (config.max_line_bytes, title(&config));
    let listen = matches.get_one("listen").copied();
    let listen = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    let port = Port::new(&config, listen, PATH);
    let public_url = port.settings.public_url.as_ref().map(ToString::to_string);
    let mut headers = Map::new();
    if config.ports.token.is_some() {
        headers.insert("Authorization".to_owned(), json!("Bearer ${POLYTOMIC_HTTP_TOKEN}"));
    }
    if config.ports.keys_from == KeysFrom::Request {
        headers.insert("X-Polytomic-Api-Key".to_owned(), json!("${POLYTOMIC_API_KEY}"));
    }
    let store = config.shared_state().cloned().map(QuestionStore::shared).unwrap_or_default();
    let app = App::for_port(config)?;
    app.run(async |registry| {
        let endpoint = |running: &Running| {
            let Running { tasks, ending, .. } = running;
            let registry = Arc::clone(&registry);
            Endpoint::new(registry, title, store, body_limit, tasks.clone(), ending.clone())
        };
        let announce = |running: &Running| {
            announce(&format!("{}{PATH}", running.url), public_url.as_deref(), headers)
        };
        port.serve(Arc::clone(&registry), endpoint, announce).await
    })
}

fn announce(
    url: &str,
    public_url: Option<&str>,
    headers: Map<String, Value>,
) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    if !stdout.is_terminal() {
        let line = match public_url {
            Some(public_url) => json!({"url": url, "public_url": public_url}),
            None => json!({"url": url}),
        };
        writeln!(stdout, "{line}")?;
        return stdout.flush();
    }
    let url = public_url.unwrap_or(url);
    let entry = match headers.is_empty() {
        true => json!({"type": "http", "url": url}),
        false => json!({"type": "http", "url": url, "headers": headers}),
    };
    let snippet = serde_json::to_string_pretty(&json!({"mcpServers": {"polytomic": entry}}));
    writeln!(stdout, "Serving MCP at {url}; stop with Ctrl-C.\n")?;
    writeln!(stdout, "For Claude Code, Cursor and other clients that read `mcpServers`:\n")?;
    writeln!(stdout, "{}", snippet.unwrap_or_default())?;
    stdout.flush()
}
