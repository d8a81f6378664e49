//! The MCP server: the tools of the registry over the Model Context Protocol on stdio and HTTP, in both protocol eras.
//!
//! `message` parses a message, `stdio` carries messages over two byte streams, `http` over POSTs, `handler` responds from the registry,
//! `progress` sends notifications about running calls; `resource`, `prompts` and `completion` are what people choose in a client. Nothing here knows a tool
//! by name.
//!
//! Source: MCP specification 2025-11-25 (and the three before it) and 2026-07-28.

mod completion; // of arguments of prompts and resources
mod elicitation; // asks the user by a request
mod handler;
mod http; // Streamable HTTP
pub(crate) mod message;
mod notifier; // messages about running requests
mod peer; // what rmcp wants to know about a connection
mod progress;
mod prompts;
mod questions; // the open questions to the user
mod request_state; // asks the user in the stateless era
mod resource;
mod response;
mod seal;
mod stdio;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::registry::Registry;
use crate::stdio::{Input, Limits, Output};
use handler::Handler;
pub(crate) use handler::describe_tool;
pub(crate) use http::{Endpoint, PATH};
use questions::Questions;
use request_state::RequestStates;
use stdio::Connection;

/// Serves until the input ends and every response is written, or `shutdown` is cancelled. Clients show `title`.
pub(crate) async fn serve(
    registry: Arc<Registry>,
    title: String,
    (input, output): (Input, Output),
    limits: Limits,
    shutdown: CancellationToken,
) {
    // Cancelled by a signal, or shortly before the grace period ends.
    let handover = shutdown.child_token();
    let questions = Arc::<Questions>::default();
    let states = RequestStates::of_connection();
    let handler = Handler::new(registry, title, Arc::clone(&questions), states, handover.clone());
    Connection::new(handler, questions, (input, output), limits, shutdown, handover).serve().await;
}
