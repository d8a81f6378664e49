//! MCP over HTTP.

mod limits;
mod port;
mod protocol;
mod sessions;
