//! One WebSocket: each message is a JSON-RPC message or a batch, and so is each response.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::message;
use super::service::Service;
use crate::stdio::FramingError;

/// Maximum number of messages whose responses are not sent: a peer that sends requests and never reads must not fill
/// our memory with responses.
const MAX_UNANSWERED_MESSAGES: usize = 256;
/// Maximum number of responses that wait to be sent.
const MAX_QUEUED_RESPONSES: usize = 16;
/// Time for the peer to read the last responses and to close the connection: closing it with unread input would
/// discard them.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves until the peer closes the connection, which cancels its calls, or until `stopping` is cancelled and every
/// response is sent. `limit`: maximum length of a message, in bytes.
pub(super) async fn serve(
    upgraded: Upgraded,
    service: Service,
    limit: usize,
    stopping: CancellationToken,
) {
    let config =
        WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
    let socket =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let (mut sender, mut receiver) = socket.split();
    let code = {
        let (responses, mut queue) = mpsc::channel(MAX_QUEUED_RESPONSES);
        let mut writing = pin!(async {
            while let Some((response, permit)) = queue.recv().await {
                if sender.send(Message::text::<String>(response)).await.is_err() {
                    break;
                }
                drop::<OwnedSemaphorePermit>(permit);
            }
        });
        let reading = async {
            let permits = Arc::new(Semaphore::new(MAX_UNANSWERED_MESSAGES));
            let mut calls = JoinSet::new();
            let mut code = None;
            while code.is_none() {
                let received = tokio::select! {
                    () = stopping.cancelled() => {
                        code = Some(CloseCode::Away);
                        continue;
                    }
                    Some(_) = calls.join_next() => continue,
                    received = receiver.next() => received?,
                };
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
                let (service, responses) = (service.clone(), responses.clone());
                calls.spawn(async move {
                    if let Some(response) = service.run(message).await {
                        let _ = responses.send((response, permit)).await;
                    }
                });
            }
            while calls.join_next().await.is_some() {}
            drop(responses);
            code
        };
        let code = tokio::select! {
            () = &mut writing => None,
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
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
}
