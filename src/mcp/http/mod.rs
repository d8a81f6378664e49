//! Streamable HTTP: each POST carries one message, and its response is JSON or an event stream.
//!
//! `endpoint` responds to a POST: `headers` compares its headers with its message, `session` makes and reads the session ids of
//! the era with an initialize, `running` is a request that runs and `response` what is sent meanwhile, `events` as a stream;
//! `cancellation` finds the request that a client cancels. No request depends on an earlier one, so that any replica can respond to it.
//!
//! rmcp's own transport (3.11) is not used: it parses messages as its stdio transport does, with the faults that
//! docs/architecture.md lists, and its sessions of the era with an initialize are rows of a table.
//!
//! Source: MCP specification 2025-11-25 (and the two before it) and 2026-07-28, "Streamable HTTP".

mod cancellation;
mod endpoint;
mod events;
mod headers;
mod response;
mod running;
mod session;

pub(crate) use endpoint::{Endpoint, PATH};
