//! One WebSocket: each message is a JSON-RPC message or a batch, and so is each response.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::message;
use super::service::Service;
use crate::http::{Caller, Reservation};
use crate::stdio::FramingError;

/// Maximum number of messages whose responses are not sent: a peer that sends requests and never reads must not fill
/// our memory with responses.
const MAX_UNANSWERED_MESSAGES: usize = 256;
/// Maximum number of responses that wait to be sent.
const MAX_QUEUED_RESPONSES: usize = 16;
/// A peer is asked at this interval whether it is there, and has the same time to respond.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// While the responses to its earlier messages fill the budget, a peer is not read; this often that is looked at.
const BUDGET_INTERVAL: Duration = Duration::from_millis(20);
/// Time for the peer to read the last responses and to close the connection: closing it with unread input would
/// discard them.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a WebSocket is served with.
pub(super) struct Socket {
    pub(super) service: Arc<Service>,
    /// Maximum length of a message, in bytes.
    pub(super) limit: usize,
    /// Cancelled when no more messages are accepted.
    pub(super) stopping: CancellationToken,
    pub(super) caller: Caller,
}

/// What is sent.
enum Outgoing {
    /// A response, with what it counts for until then.
    Response(String, (OwnedSemaphorePermit, Reservation)),
    Ping,
}

/// Serves until the peer closes the connection, which cancels its calls, or until no more messages are accepted and every
/// response is sent.
pub(super) async fn serve(upgraded: Upgraded, socket: Socket) {
    let Socket { service, limit, stopping, caller } = socket;
    let connection = Arc::clone(&caller.connection);
    let _in_flight = connection.in_flight();
    let config =
        WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
    let socket =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let (mut sender, mut receiver) = socket.split();
    let code = {
        let (outgoing, mut queue) = mpsc::channel(MAX_QUEUED_RESPONSES);
        let mut writing = pin!(async {
            while let Some(outgoing) = queue.recv().await {
                let (message, _counted) = match outgoing {
                    Outgoing::Response(text, counted) => (Message::text(text), Some(counted)),
                    Outgoing::Ping => (Message::Ping(Default::default()), None),
                };
                if sender.send(message).await.is_err() {
                    break;
                }
            }
        });
        let reading = async {
            let permits = Arc::new(Semaphore::new(MAX_UNANSWERED_MESSAGES));
            let mut calls = JoinSet::new();
            let mut code = None;
            let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
            pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut is_alive = true;
            while code.is_none() {
                while caller.budget.is_exhausted(&caller.peer_name()) {
                    tokio::time::sleep(BUDGET_INTERVAL).await;
                }
                // Without a call it makes way for other connections, as all do that wait for their client.
                let waiting = calls.is_empty().then(|| connection.waiting());
                let received = tokio::select! {
                    () = stopping.cancelled() => {
                        code = Some(CloseCode::Away);
                        continue;
                    }
                    Some(_) = calls.join_next() => continue,
                    _ = pings.tick() => {
                        if !std::mem::take(&mut is_alive) && calls.is_empty() {
                            return None;
                        }
                        let _ = outgoing.try_send(Outgoing::Ping);
                        continue;
                    }
                    received = receiver.next() => received?,
                };
                drop(waiting);
                is_alive = true;
                let message = match received {
                    Ok(Message::Text(text)) => message::parse(text.as_bytes()),
                    Ok(Message::Binary(bytes)) => message::parse(&bytes),
                    Ok(_) => continue,
                    Err(Error::Capacity(_)) => {
                        code = Some(CloseCode::Size);
                        message::reject(&FramingError::TooLong { limit })
                    }
                    Err(_) => return None,
                };
                let permit = Arc::clone(&permits).acquire_owned().await.ok()?;
                let (service, outgoing) = (Arc::clone(&service), outgoing.clone());
                let reservation = caller.reservation();
                calls.spawn(async move {
                    if let Some(response) = service.run(message).await {
                        let counted = (permit, reservation.of_response(response.len()));
                        let _ = outgoing.send(Outgoing::Response(response, counted)).await;
                    }
                });
            }
            while calls.join_next().await.is_some() {}
            drop(outgoing);
            code
        };
        let code = tokio::select! {
            () = &mut writing => None,
            () = connection.closing() => None,
            code = reading => code,
        };
        // Otherwise the peer is gone.
        let Some(code) = code else { return };
        writing.await;
        code
    };
    let Ok(mut socket) = receiver.reunite(sender) else { return };
    let closing = async {
        let _ = socket.close(Some(CloseFrame { code, reason: Default::default() })).await;
        let _ = tokio::io::copy(socket.get_mut(), &mut tokio::io::sink()).await;
    };
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
}
