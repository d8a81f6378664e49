//! One WebSocket: each message is a JSON-RPC message or a batch, and so is each response.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::message;
use super::metered::{Meter, Metered};
use super::service::Service;
use crate::http::{Caller, Reservation};
use crate::registry::RequestAccount;
use crate::stdio::FramingError;

/// Maximum number of messages whose responses are not sent: a peer that sends requests and never reads must not fill
/// our memory with responses.
const MAX_UNANSWERED_MESSAGES: usize = 256;
/// Maximum number of them that run at the same time: the queue for the API is shared with other callers.
const MAX_RUNNING_MESSAGES: usize = 64;
/// Maximum number of responses that wait to be sent.
const MAX_QUEUED_RESPONSES: usize = 16;
/// A peer is asked at this interval whether it is there, and has the same time to respond.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// A peer that sends more control frames than this between two checks is given up.
const MAX_CONTROL_FRAMES: usize = 200;
/// How often it is looked at what a peer has sent.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
const READ_BUFFER_BYTES: usize = 16 << 10;
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
    /// Of the handshake.
    pub(super) account: RequestAccount,
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
    let Socket { service, limit, stopping, caller, account } = socket;
    let connection = Arc::clone(&caller.connection);
    let _in_flight = connection.in_flight();
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(limit))
        .max_frame_size(Some(limit));
    let meter = Meter::new(caller.clone());
    let stream = Metered { stream: TokioIo::new(upgraded), meter: meter.clone() };
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
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
            let running = Arc::new(Semaphore::new(MAX_RUNNING_MESSAGES));
            let mut calls = JoinSet::new();
            let mut code = None;
            let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
            pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut checks = interval(CHECK_INTERVAL);
            checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let (mut is_alive, mut controls) = (true, 0);
            while code.is_none() {
                while caller.is_exhausted() {
                    tokio::time::sleep(BUDGET_INTERVAL).await;
                    meter.note_pause();
                }
                // Without a call it makes way for other connections, as all do that wait for their client.
                let waiting = calls.is_empty().then(|| connection.waiting());
                let received = tokio::select! {
                    () = stopping.cancelled() => {
                        code = Some(CloseCode::Away);
                        continue;
                    }
                    Some(_) = calls.join_next() => continue,
                    _ = checks.tick() => {
                        controls = 0;
                        if meter.is_overdue() {
                            return None;
                        }
                        continue;
                    }
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
                    Ok(control) => {
                        controls += 1;
                        if controls > MAX_CONTROL_FRAMES {
                            return None;
                        }
                        meter.note_control(control.len());
                        continue;
                    }
                    Err(Error::Capacity(_)) => {
                        code = Some(CloseCode::Size);
                        message::reject(&FramingError::TooLong { limit })
                    }
                    Err(_) => return None,
                };
                meter.note_message();
                let permit = Arc::clone(&permits).acquire_owned().await.ok()?;
                let (service, outgoing) = (Arc::clone(&service), outgoing.clone());
                let (reservation, running) = (caller.reservation(), Arc::clone(&running));
                let account = account.clone();
                calls.spawn(async move {
                    let response = {
                        let _running = running.acquire_owned().await;
                        service.run(message, account).await
                    };
                    if let Some(response) = response {
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
