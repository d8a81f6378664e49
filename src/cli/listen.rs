//! The flag `--listen` of `http`, `rpc` and `sandbox`.

use std::net::{Ipv4Addr, SocketAddr};

use clap::Arg;

/// The flag, with its help text.
pub(super) fn argument(help: &'static str) -> Arg {
    Arg::new("listen").long("listen").value_name("ADDRESS").value_parser(parse).help(help)
}

fn parse(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let address = match port {
        Some(port) => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        None => text.parse().ok(),
    };
    address.ok_or_else(|| "expected an IP address and a port, e.g. 127.0.0.1:8080".to_owned())
}
