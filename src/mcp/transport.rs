//! LineReader over two byte streams, as rmcp's transport.
//!
//! What rmcp's own gets wrong and this one has to do (measured, 3.11): every odd line is answered and
//! none ends the connection; an id is taken until its handler has ended; a cancelled call is not
//! answered, yet its id is not free before; the end of the input is held back until all is answered and
//! written; many answers go out in one write.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    CallToolResult, ClientNotification, ContentBlock, ErrorCode, ErrorData, GetExtensions,
    JsonRpcError, JsonRpcMessage, JsonRpcResponse, RequestId, ServerResult,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::message::{self, Refusal};
use crate::stdio::{
    self, InFlightRequests, Input, Limits, Line, LineReader, MAX_UNWRITTEN_BYTES, Output,
    SHUTDOWN_GRACE,
};

/// More calls than this at work, and they come first, before more is read.
const BUSY: usize = 64;
/// How far the input is read while no line can be taken. Behind more than this its end is not seen.
const READ_AHEAD: usize = 8 << 20;
/// What calls get, before they are given up, to answer with what they have: a job's handle.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The way of messages about one request: none goes out once it is answered or cancelled.
#[derive(Clone)]
pub(super) struct Notifier {
    in_flight: Arc<InFlightRequests<RequestId>>,
    id: RequestId,
}

impl Notifier {
    pub(super) fn send(&self, notice: &impl Serialize) {
        self.in_flight.write_while(&self.id, &line(notice).unwrap_or_default());
    }
}

/// The transport. rmcp polls [`Transport::receive`] inside a select, so all that it has read or decided
/// is kept here.
pub(super) struct LineTransport {
    lines: LineReader<Input>,
    in_flight: Arc<InFlightRequests<RequestId>>,
    limits: Limits,
    stop: CancellationToken,
    service: CancellationToken,
    /// ProgressReporter to the calls when the time to drain is nearly over.
    ending: CancellationToken,
    /// Set at the end of the input or by a signal: when calls in flight are given up.
    drain_until: Option<Instant>,
    /// Nothing more is read.
    finished: bool,
    stopping: bool,
    writer: Option<JoinHandle<io::Result<()>>>,
}

impl LineTransport {
    /// Spawns the writer, which `close` joins. `stop` ends the reading; `ending` is cancelled when the time
    /// to drain is nearly over, `service` when it is.
    pub(super) fn new(
        input: Input,
        output: Output,
        limits: Limits,
        stop: CancellationToken,
        service: CancellationToken,
        ending: CancellationToken,
    ) -> Self {
        let in_flight = InFlightRequests::new();
        let writer = Some(tokio::spawn(in_flight.clone().write_to(output)));
        let lines = LineReader::new(input, limits.line_bytes);
        Self {
            lines,
            in_flight,
            limits,
            stop,
            service,
            ending,
            drain_until: None,
            finished: false,
            stopping: false,
            writer,
        }
    }

    /// A line as a message for the service; none when it was answered or dropped here.
    fn admit(&self, line: &[u8]) -> Option<RxJsonRpcMessage<RoleServer>> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        match message::read(line) {
            Ok(JsonRpcMessage::Request(mut request)) => {
                // Ours instead of rmcp's token, which rmcp frees together with the id while the
                // handler still runs: the next request of that id would get the old one's answer.
                let token = self.service.child_token();
                request.request.extensions_mut().insert(token.clone());
                let (in_flight, id) = (Arc::clone(&self.in_flight), request.id.clone());
                request.request.extensions_mut().insert(Notifier { in_flight, id });
                if self.in_flight.begin(request.id.clone(), token, 1) {
                    return Some(JsonRpcMessage::Request(request));
                }
                self.refuse(
                    Some(request.id),
                    ErrorCode::INVALID_REQUEST,
                    "A request with this id is still being answered.".to_owned(),
                );
                None
            }
            Ok(JsonRpcMessage::Notification(notification)) => {
                let ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                else {
                    return Some(JsonRpcMessage::Notification(notification));
                };
                if let Some(id) = &cancelled.params.request_id {
                    self.in_flight.cancel(id);
                }
                None
            }
            Ok(answer) => Some(answer),
            Err(Refusal::Silent(why)) => {
                tracing::warn!(why, "message dropped");
                None
            }
            Err(Refusal::Answer(id, code, message)) => {
                self.refuse(id, code, message);
                None
            }
        }
    }

    fn refuse(&self, id: Option<RequestId>, code: ErrorCode, message: String) {
        let error = JsonRpcError::new(id, ErrorData::new(code, message, None));
        let line = line(&error).unwrap_or_default();
        self.in_flight.write(&line);
    }

    /// Reads until a message is for the service or the input ends, with pauses for a peer that does not
    /// read and for calls that are at work.
    async fn read(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if self.in_flight.running() > BUSY {
                tokio::task::yield_now().await;
            }
            let until = self.drain_until;
            // Never a limit on in_flight: cancellations have to be read.
            tokio::select! {
                biased;
                () = self.in_flight.room(MAX_UNWRITTEN_BYTES, usize::MAX) => {}
                // The end of the input is seen although its lines wait, so that the time to drain runs.
                ended = self.lines.ended(READ_AHEAD), if self.drain_until.is_none() => {
                    if let Err(error) = ended {
                        tracing::warn!(%error, "input failed");
                        return None;
                    }
                    self.drain_until = Some(Instant::now() + self.limits.drain);
                    continue;
                }
                () = reached(until) => return None,
            }
            let line = tokio::select! {
                biased;
                () = self.in_flight.broken() => return None,
                line = self.lines.next() => line,
            };
            match line {
                Ok(Some(Line::Bytes(line))) => {
                    if let Some(message) = self.admit(&line) {
                        return Some(message);
                    }
                }
                Ok(Some(Line::TooLong)) => {
                    let told = stdio::too_long(self.limits.line_bytes);
                    self.refuse(None, ErrorCode::INVALID_REQUEST, told);
                }
                Ok(None) => return None,
                Err(error) => {
                    tracing::warn!(%error, "input failed");
                    return None;
                }
            }
        }
    }
}

impl Transport<RoleServer> for LineTransport {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let line = spliced(&message).or_else(|| line(&message)).unwrap_or_default();
        match &message {
            JsonRpcMessage::Response(JsonRpcResponse { id, .. })
            | JsonRpcMessage::Error(JsonRpcError { id: Some(id), .. }) => {
                self.in_flight.end(id, &[&line]);
            }
            _ => self.in_flight.write(&line),
        }
        std::future::ready(Ok(()))
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let stop = self.stop.clone();
        while !self.finished {
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    self.stopping = true;
                    self.finished = true;
                    self.drain_until = Some(Instant::now() + SHUTDOWN_GRACE);
                }
                message = self.read() => {
                    if message.is_some() {
                        return message;
                    }
                    self.finished = true;
                    self.drain_until.get_or_insert(Instant::now() + self.limits.drain);
                }
            }
        }
        let last_word = LAST_WORD.min(self.limits.drain / 2);
        // rmcp learns of the end once everything is answered, since it would wait only 5 s for that.
        while let Some(until) = self.drain_until {
            tokio::select! {
                biased;
                () = self.in_flight.idle() => break,
                () = tokio::time::sleep_until(until) => break,
                () = tokio::time::sleep_until(until - last_word), if !self.ending.is_cancelled() => {
                    self.ending.cancel();
                }
                // A signal while draining shortens what is left.
                () = self.stop.cancelled(), if !self.stopping => {
                    self.stopping = true;
                    self.drain_until = Some(until.min(Instant::now() + SHUTDOWN_GRACE));
                }
            }
        }
        // Ends the calls that are left; None alone would wait 5 s more for them.
        self.service.cancel();
        None
    }

    async fn close(&mut self) -> io::Result<()> {
        self.in_flight.close();
        if let Some(writer) = self.writer.take() {
            // After a signal every moment counts: clients send SIGKILL after two seconds.
            let patience = if self.stopping { 100 } else { 1_000 };
            let written = timeout(Duration::from_millis(patience), writer).await;
            if let Ok(Ok(Err(error))) = written {
                tracing::warn!(%error, "output failed");
            }
        }
        Ok(())
    }
}

async fn reached(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

fn line(message: &impl Serialize) -> Option<Vec<u8>> {
    match serde_json::to_vec(message) {
        Ok(mut line) => {
            line.push(b'\n');
            Some(line)
        }
        Err(error) => {
            tracing::error!(%error, "message not serialized");
            None
        }
    }
}

/// A successful call as a line. The handler gives the result as one text block of compact JSON; the
/// same bytes are written once more as `structuredContent`, so nothing is serialized twice.
fn spliced(message: &TxJsonRpcMessage<RoleServer>) -> Option<Vec<u8>> {
    let JsonRpcMessage::Response(JsonRpcResponse {
        result:
            ServerResult::CallToolResult(CallToolResult {
                content,
                structured_content: None,
                is_error: None | Some(false),
                ..
            }),
        ..
    }) = message
    else {
        return None;
    };
    let [ContentBlock::Text(text)] = content.as_slice() else {
        return None;
    };
    let mut line = serde_json::to_vec(message).ok()?;
    // The closing braces of result and message.
    line.truncate(line.len().checked_sub(2)?);
    line.extend_from_slice(b",\"structuredContent\":");
    line.extend_from_slice(text.text.as_bytes());
    line.extend_from_slice(b"}}\n");
    Some(line)
}
