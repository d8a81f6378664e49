//! The MCP face: the registry's tools over Model Context Protocol on stdio, both protocol eras.
//!
//! `message` reads a line as a request of the protocol, `transport` carries lines over two byte streams
//! the way clients need it, `handler` answers from the registry, `progress` tells of calls under way, `guide`
//! is the one resource. Nothing here knows a tool by name.
//!
//! Source: MCP specification 2025-11-25 (and the three before it) and 2026-07-28.

mod handler;
mod message;
mod progress;
mod resource;
mod transport;

use std::sync::Arc;

use rmcp::service::serve_directly_with_ct;
use tokio_util::sync::CancellationToken;

use crate::registry::Registry;
use crate::stdio::{Input, Limits, Output};
use handler::Handler;
pub(crate) use handler::listed;
use transport::LineTransport;

/// Serves until the input ends and everything is answered, or `stop` is cancelled.
pub(crate) async fn serve(
    registry: Arc<Registry>,
    (input, output): (Input, Output),
    limits: Limits,
    stop: CancellationToken,
) {
    let service = CancellationToken::new();
    // Cancelled by a signal as well.
    let ending = stop.child_token();
    let handler = Handler::new(registry, ending.clone());
    let transport = LineTransport::new(input, output, limits, stop, service.clone(), ending);
    // Never `serve()`: that ends on a notification before initialize, and after one request of the
    // stateless era demands `_meta` for the rest of the connection.
    let running = serve_directly_with_ct(handler, transport, None, service);
    if let Err(error) = running.waiting().await {
        tracing::error!(%error, "mcp service ended badly");
    }
}
