//! JSON-RPC over HTTP POST and WebSocket: `rpc --listen`.

mod post;
mod websocket;
