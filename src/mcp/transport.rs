//! rmcp's transport over two byte streams.
//!
//! It replaces rmcp's own stdio transport (3.11, measured) in these points: every malformed message gets an error and
//! none ends the connection; messages may have headers with their length; any number is an id, and a response repeats
//! it byte for byte; an id is in use until its handler has ended; a cancelled call gets no response, and its id stays
//! in use until then; the end of the input takes effect once every response is written; many responses go out in one
//! write.

use std::io;
use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{
    ClientNotification, ClientRequest, ErrorCode, ErrorData, GetExtensions, JsonRpcError,
    JsonRpcMessage, JsonRpcNotification, JsonRpcRequest, JsonRpcResponse, RequestId,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::message::{self, Message, Rejection};
use super::notifier::Notifier;
use super::questions::Questions;
use super::response::{error_without_id, to_json, with_error_parts, with_result_parts};
use crate::stdio::{
    Framing, InFlightRequests, Input, Limits, MAX_UNWRITTEN_BYTES, MessageReader, Output,
    SHUTDOWN_GRACE, SHUTDOWN_HANDOVER, write_timeout,
};

/// With more calls in flight, reading yields to them.
const MAX_CALLS_BEFORE_YIELD: usize = 64;
/// How far the input is read while no message can be accepted. Beyond that, its end goes unnoticed.
const MAX_READ_AHEAD_BYTES: usize = 8 << 20;

/// The transport. rmcp polls [`Transport::receive`] inside a `select!`, so everything read or decided is kept
/// here.
pub(super) struct StdioTransport {
    messages: MessageReader<Input>,
    in_flight: Arc<InFlightRequests<RequestId>>,
    questions: Arc<Questions>,
    limits: Limits,
    shutdown: CancellationToken,
    /// Cancelled when calls in flight are dropped; ends the service.
    drop_calls: CancellationToken,
    /// Cancelled shortly before the grace period ends, for calls to return what they have.
    handover: CancellationToken,
    /// When calls in flight are dropped; set at the end of the input or by a signal.
    drain_until: Option<Instant>,
    /// Whether reading has ended.
    reading_ended: bool,
    signalled: bool,
    writer: Option<JoinHandle<io::Result<()>>>,
}

impl StdioTransport {
    /// Spawns the writer, which `close` joins. `shutdown` ends the reading; `handover` is cancelled shortly before the
    /// grace period ends, `drop_calls` when it has.
    pub(super) fn new(
        input: Input,
        output: Output,
        questions: Arc<Questions>,
        limits: Limits,
        shutdown: CancellationToken,
        drop_calls: CancellationToken,
        handover: CancellationToken,
    ) -> Self {
        let framing = Framing::default();
        let in_flight = InFlightRequests::new(framing.clone());
        let writer = Some(tokio::spawn(in_flight.clone().write_to(output)));
        let messages = MessageReader::new(input, limits.line_bytes, framing);
        Self {
            messages,
            in_flight,
            questions,
            limits,
            shutdown,
            drop_calls,
            handover,
            drain_until: None,
            reading_ended: false,
            signalled: false,
            writer,
        }
    }

    /// A message for the service; none if it was handled here.
    fn accept(&self, bytes: &[u8]) -> Option<RxJsonRpcMessage<RoleServer>> {
        match message::parse(bytes) {
            Ok(Message::Response(response)) => {
                if !self.questions.resolve(&response) {
                    tracing::warn!(reason = "a response to no request", "message dropped");
                }
                None
            }
            Ok(Message::Incoming(JsonRpcMessage::Request(request))) => self.accept_request(request),
            Ok(Message::Incoming(JsonRpcMessage::Notification(JsonRpcNotification {
                notification: ClientNotification::CancelledNotification(cancelled),
                ..
            }))) => {
                if let Some(id) = &cancelled.params.request_id {
                    self.in_flight.cancel(id);
                }
                None
            }
            Ok(Message::Incoming(message)) => Some(message),
            Err(Rejection::Drop(reason)) => {
                tracing::warn!(reason, "message dropped");
                None
            }
            Err(Rejection::Respond(id, code, message)) => {
                self.send_error(id, code, message);
                None
            }
        }
    }

    fn accept_request(
        &self,
        mut request: JsonRpcRequest<ClientRequest>,
    ) -> Option<RxJsonRpcMessage<RoleServer>> {
        // Our own token: rmcp frees its token together with the id while the handler still runs, and the next request
        // with that id would get the old response.
        let token = self.drop_calls.child_token();
        request.request.extensions_mut().insert(token.clone());
        let (in_flight, id) = (Arc::clone(&self.in_flight), request.id.clone());
        request.request.extensions_mut().insert(Notifier::stdio(in_flight, id));
        if self.in_flight.start(request.id.clone(), token, 1) {
            return Some(JsonRpcMessage::Request(request));
        }
        self.send_error(
            Some(request.id),
            ErrorCode::INVALID_REQUEST,
            "A request with this id is still in flight.".to_owned(),
        );
        None
    }

    fn send_error(&self, id: Option<RequestId>, code: ErrorCode, message: String) {
        let error = ErrorData::new(code, message, None);
        match id {
            Some(id) => with_error_parts(&id, &error, |parts| self.in_flight.write(parts)),
            None => self.in_flight.write(&[&error_without_id(&error)]),
        }
    }

    /// Reads until there is a message for the service or the input ends. Pauses while the peer does not read, and
    /// yields to running calls.
    async fn read(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if self.in_flight.count() > MAX_CALLS_BEFORE_YIELD {
                tokio::task::yield_now().await;
            }
            let until = self.drain_until;
            // Never a limit on in_flight: cancellations have to be read.
            tokio::select! {
                biased;
                () = self.in_flight.wait_for_capacity(MAX_UNWRITTEN_BYTES, usize::MAX) => {}
                // The end of the input is noticed although its messages wait, so that the grace period starts.
                ended = self.messages.wait_for_end(MAX_READ_AHEAD_BYTES), if self.drain_until.is_none() => {
                    if let Err(error) = ended {
                        tracing::warn!(%error, "input failed");
                        return None;
                    }
                    self.drain_until = Some(Instant::now() + self.limits.drain);
                    continue;
                }
                () = sleep_until(until) => return None,
            }
            let message = tokio::select! {
                biased;
                () = self.in_flight.wait_until_broken() => return None,
                message = self.messages.next() => message,
            };
            match message {
                Ok(Some(Ok(bytes))) => {
                    if let Some(message) = self.accept(&bytes) {
                        return Some(message);
                    }
                }
                Ok(Some(Err(error))) => {
                    self.send_error(None, ErrorCode(error.code()), error.to_string());
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

impl Transport<RoleServer> for StdioTransport {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        match &message {
            JsonRpcMessage::Response(JsonRpcResponse { id, result, .. }) => {
                with_result_parts(id, result, |parts| self.in_flight.finish(id, parts));
            }
            JsonRpcMessage::Error(JsonRpcError { id: Some(id), error, .. }) => {
                with_error_parts(id, error, |parts| self.in_flight.finish(id, parts));
            }
            _ => self.in_flight.write(&[&to_json(&message)]),
        }
        std::future::ready(Ok(()))
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let shutdown = self.shutdown.clone();
        while !self.reading_ended {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {
                    self.signalled = true;
                    self.reading_ended = true;
                    self.drain_until = Some(Instant::now() + SHUTDOWN_GRACE);
                }
                message = self.read() => {
                    if message.is_some() {
                        return message;
                    }
                    self.reading_ended = true;
                    self.drain_until.get_or_insert(Instant::now() + self.limits.drain);
                }
            }
        }
        // Nobody is left to respond.
        self.questions.end();
        let handover_time = SHUTDOWN_HANDOVER.min(self.limits.drain / 2);
        // rmcp learns of the end once every response is written, since it would wait only 5 s for them.
        while let Some(until) = self.drain_until {
            tokio::select! {
                biased;
                () = self.in_flight.wait_until_idle() => break,
                () = tokio::time::sleep_until(until) => break,
                () = tokio::time::sleep_until(until - handover_time), if !self.handover.is_cancelled() => {
                    self.handover.cancel();
                }
                // A signal during the grace period shortens it.
                () = self.shutdown.cancelled(), if !self.signalled => {
                    self.signalled = true;
                    self.drain_until = Some(until.min(Instant::now() + SHUTDOWN_GRACE));
                }
            }
        }
        // Drops the remaining calls; rmcp alone would wait another 5 s for them.
        self.drop_calls.cancel();
        None
    }

    async fn close(&mut self) -> io::Result<()> {
        self.in_flight.close();
        if let Some(writer) = self.writer.take() {
            let written = timeout(write_timeout(self.signalled), writer).await;
            if let Ok(Ok(Err(error))) = written {
                tracing::warn!(%error, "output failed");
            }
        }
        Ok(())
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
