//! MCP over HTTP.

mod callers;
mod limits;
mod port;
mod protocol;
mod replicas;
mod sessions;
