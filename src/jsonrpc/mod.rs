//! The JSON-RPC server: the tools of the registry as methods of plain JSON-RPC 2.0, without a handshake.
//!
//! `service` registers the tools as methods, `message` parses a message or batch, and `dispatch` runs it. `stdio` serves
//! lines, `server` HTTP and WebSocket, with `guard` as the HTTP layer in front of it. `openrpc` describes the methods.
//! Nothing here knows a tool by name.
//!
//! Source: JSON-RPC 2.0 specification; OpenRPC 1.3.

mod dispatch;
mod guard;
pub(crate) mod message;
mod openrpc;
mod server;
mod service;
mod stdio;

pub(crate) use openrpc::document as openrpc_document;
pub(crate) use server::{Server, StartError};
pub(crate) use stdio::serve as serve_stdio;
