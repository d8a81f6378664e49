//! The flag `--listen` of `rpc` and `sandbox`.

use std::net::SocketAddr;

use clap::Arg;

/// The flag, with its help text.
pub(super) fn argument(help: &'static str) -> Arg {
    Arg::new("listen").long("listen").value_name("ADDRESS").value_parser(parse).help(help)
}

fn parse(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an IP address and a port, e.g. 127.0.0.1:8080".to_owned())
}
