//! MCP over HTTP.

mod clients;
mod limits;
mod port;
mod protocol;
mod sessions;
