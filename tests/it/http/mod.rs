//! JSON-RPC over HTTP POST and WebSocket: `rpc --listen`.

mod server;

mod post;
mod websocket;

pub use server::{Server, next_text, send_text};
