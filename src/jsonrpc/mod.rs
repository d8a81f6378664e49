//! The JSON-RPC server: the tools of the registry as methods of plain JSON-RPC 2.0, without a handshake.
//!
//! `message` parses a message or batch, and `service` runs it: of stdin (`stdio`), of a POST (`http`) or of a `websocket`.
//! `openrpc` describes the methods.
//! Nothing here knows a tool by name.
//!
//! Source: JSON-RPC 2.0 specification; OpenRPC 1.3.

mod http;
pub(crate) mod message;
mod metered; // the bytes of a WebSocket
mod openrpc;
mod service;
mod stdio;
mod websocket;

pub(crate) use http::Endpoint;
pub(crate) use openrpc::document as openrpc_document;
pub(crate) use stdio::serve as serve_stdio;
