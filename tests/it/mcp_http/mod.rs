//! MCP over HTTP.

mod callers;
mod clients;
mod limits;
mod port;
mod protocol;
mod replicas;
mod sessions;
