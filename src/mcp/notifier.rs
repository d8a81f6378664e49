//! Sends messages about one request while it runs: on stdout, or on the event stream of its response.

use std::sync::Arc;

use bytes::Bytes;
use rmcp::model::RequestId;
use serde::Serialize;
use tokio::sync::mpsc;

use super::response::to_json;
use crate::stdio::InFlightRequests;

/// Sends messages about one request; none goes out once it has a response or is cancelled.
#[derive(Clone)]
pub(super) struct Notifier(Way);

#[derive(Clone)]
enum Way {
    Stdio(Arc<InFlightRequests<RequestId>>, RequestId),
    Stream(mpsc::Sender<Bytes>),
}

impl Notifier {
    pub(super) fn stdio(in_flight: Arc<InFlightRequests<RequestId>>, id: RequestId) -> Self {
        Self(Way::Stdio(in_flight, id))
    }

    /// For a request whose response is a stream of the messages that are sent here.
    pub(super) fn stream(messages: mpsc::Sender<Bytes>) -> Self {
        Self(Way::Stream(messages))
    }

    pub(super) fn send(&self, message: &impl Serialize) {
        match &self.0 {
            Way::Stdio(in_flight, id) => in_flight.write_about(id, &to_json(message)),
            // A client that does not read misses messages, as it would without a stream.
            Way::Stream(messages) => {
                let _ = messages.try_send(to_json(message).into());
            }
        }
    }

    /// Sends a message whether or not the request has a response.
    pub(super) fn send_anyway(&self, message: &impl Serialize) {
        match &self.0 {
            Way::Stdio(in_flight, _) => in_flight.write(&[&to_json(message)]),
            Way::Stream(_) => self.send(message),
        }
    }
}
