//! The JSON-RPC face: the registry's tools as methods of plain JSON-RPC 2.0, without a handshake.
//!
//! `module` makes methods of the registry, `message` reads one message or batch, `dispatch` runs it;
//! `stdio` and `server` carry them, a line or an HTTP or WebSocket message each; `guard` stands before
//! the server; `openrpc` describes all of it. Nothing here knows a tool by name.
//!
//! Source: JSON-RPC 2.0 specification; OpenRPC 1.3.

mod dispatch;
mod guard;
mod message;
mod openrpc;
mod server;
mod service;
mod stdio;

pub(crate) use openrpc::document as openrpc_document;
pub(crate) use server::{Server, StartError};
pub(crate) use service::Service;
pub(crate) use stdio::serve as serve_stdio;
