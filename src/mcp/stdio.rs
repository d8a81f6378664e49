//! The messages of two byte streams: reads them, runs the requests, and writes the responses.
//!
//! It takes the place of rmcp's service loop and stdio transport (3.11, measured) for these points: every malformed message gets an
//! error and none ends the connection; messages may have headers with their length; any number is an id, and a response repeats
//! it byte for byte; an id is in use until its handler has ended; a cancelled call gets no response, and its id stays
//! in use until then; the end of the input takes effect once every response is written; many responses go out in one
//! write; a request costs one task, where rmcp's loop costs a channel and a second one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    ClientNotification, ClientRequest, ErrorCode, ErrorData, GetExtensions, JsonRpcMessage,
    JsonRpcNotification, JsonRpcRequest, RequestId,
};
use rmcp::service::RunningService;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handler::Handler;
use super::message::{self, Message, Rejection};
use super::notifier::Notifier;
use super::peer::{Nobody, unconnected_peer};
use super::questions::Questions;
use super::response::{error_without_id, with_error_parts, with_result_parts};
use crate::stdio::{
    Framing, InFlightRequests, Input, Limits, MAX_UNWRITTEN_BYTES, MessageReader, Output,
    SHUTDOWN_GRACE, SHUTDOWN_HANDOVER, write_timeout,
};

/// With more calls in flight, reading yields to them.
const MAX_CALLS_BEFORE_YIELD: usize = 64;
/// How far the input is read while no message can be accepted. Beyond that, its end goes unnoticed.
const MAX_READ_AHEAD_BYTES: usize = 8 << 20;
/// How long calls that are dropped may take to end.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// A client on two byte streams.
pub(super) struct Connection {
    handler: Arc<Handler>,
    /// Where rmcp keeps what the client has sent with its initialize.
    peer: RunningService<RoleServer, Nobody>,
    messages: MessageReader<Input>,
    in_flight: Arc<InFlightRequests<RequestId>>,
    requests: TaskTracker,
    questions: Arc<Questions>,
    limits: Limits,
    shutdown: CancellationToken,
    /// Cancelled when calls in flight are dropped.
    drop_calls: CancellationToken,
    /// Cancelled shortly before the grace period ends, for calls to return what they have.
    handover: CancellationToken,
    /// When calls in flight are dropped; set at the end of the input or by a signal.
    drain_until: Option<Instant>,
    signalled: bool,
    writer: JoinHandle<io::Result<()>>,
}

impl Connection {
    /// `shutdown` ends the reading; `handover` is cancelled shortly before the grace period ends. Must be called inside a runtime.
    pub(super) fn new(
        handler: Handler,
        questions: Arc<Questions>,
        (input, output): (Input, Output),
        limits: Limits,
        shutdown: CancellationToken,
        handover: CancellationToken,
    ) -> Self {
        let framing = Framing::default();
        let in_flight = InFlightRequests::new(framing.clone());
        let writer = tokio::spawn(in_flight.clone().write_to(output));
        let messages = MessageReader::new(input, limits.line_bytes, framing);
        Self {
            handler: Arc::new(handler),
            peer: unconnected_peer(),
            messages,
            in_flight,
            requests: TaskTracker::new(),
            questions,
            limits,
            shutdown,
            drop_calls: CancellationToken::new(),
            handover,
            drain_until: None,
            signalled: false,
            writer,
        }
    }

    /// Serves until the input ends or there is a signal, and every response is written or the grace period is over.
    pub(super) async fn serve(mut self) {
        let shutdown = self.shutdown.clone();
        let grace = tokio::select! {
            biased;
            () = shutdown.cancelled() => {
                self.signalled = true;
                SHUTDOWN_GRACE
            }
            () = self.read_to_end() => self.limits.drain,
        };
        let end = Instant::now() + grace;
        let until = if self.signalled { end } else { self.drain_until.unwrap_or(end) };
        // Nobody is left to respond.
        self.questions.end();
        self.drain(until).await;
        self.drop_calls.cancel();
        self.requests.close();
        let _ = timeout(DROP_TIMEOUT, self.requests.wait()).await;
        self.in_flight.close();
        let written = timeout(write_timeout(self.signalled), self.writer).await;
        if let Ok(Ok(Err(error))) = written {
            tracing::warn!(%error, "output failed");
        }
    }

    /// Waits until every response is written, or for the grace period.
    async fn drain(&mut self, mut until: Instant) {
        let handover_time = SHUTDOWN_HANDOVER.min(self.limits.drain / 2);
        loop {
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
                    until = until.min(Instant::now() + SHUTDOWN_GRACE);
                }
            }
        }
    }

    fn accept(&self, bytes: &[u8]) {
        match message::parse(bytes) {
            Ok(Message::Response(response)) => {
                if !self.questions.resolve(&response) {
                    tracing::warn!(reason = "a response to no request", "message dropped");
                }
            }
            Ok(Message::Incoming(JsonRpcMessage::Request(request))) => self.start(request),
            Ok(Message::Incoming(JsonRpcMessage::Notification(JsonRpcNotification {
                notification: ClientNotification::CancelledNotification(cancelled),
                ..
            }))) => {
                if let Some(id) = &cancelled.params.request_id {
                    self.in_flight.cancel(id);
                }
            }
            // Nothing follows from another notification.
            Ok(Message::Incoming(_)) => {}
            Err(Rejection::Drop(reason)) => tracing::warn!(reason, "message dropped"),
            Err(Rejection::Respond(id, code, message)) => self.send_error(id, code, message),
        }
    }

    /// Runs a request as a task, unless an earlier one with its id is in flight.
    fn start(&self, request: JsonRpcRequest<ClientRequest>) {
        let JsonRpcRequest { id, mut request, .. } = request;
        let token = self.drop_calls.child_token();
        let in_flight = Arc::clone(&self.in_flight);
        if !in_flight.start(id.clone(), token.clone(), 1) {
            let message = "A request with this id is still in flight.".to_owned();
            self.send_error(Some(id), ErrorCode::INVALID_REQUEST, message);
            return;
        }
        let extensions = request.extensions_mut();
        extensions.insert(token);
        extensions.insert(Notifier::stdio(Arc::clone(&in_flight), id.clone()));
        let (handler, peer) = (Arc::clone(&self.handler), self.peer.peer().clone());
        // On the heap, since tokio moves what it spawns six times.
        self.requests.spawn(Box::pin(async move {
            match handler.handle(request, id.clone(), peer).await {
                Ok(result) => with_result_parts(&id, &result, |parts| in_flight.finish(&id, parts)),
                Err(error) => with_error_parts(&id, &error, |parts| in_flight.finish(&id, parts)),
            }
        }));
    }

    fn send_error(&self, id: Option<RequestId>, code: ErrorCode, message: String) {
        let error = ErrorData::new(code, message, None);
        match id {
            Some(id) => with_error_parts(&id, &error, |parts| self.in_flight.write(parts)),
            None => self.in_flight.write(&[&error_without_id(&error)]),
        }
    }

    /// Accepts messages until the input ends. Pauses while the peer does not read, and yields to running calls.
    async fn read_to_end(&mut self) {
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
                        return;
                    }
                    self.drain_until = Some(Instant::now() + self.limits.drain);
                    continue;
                }
                () = sleep_until(until) => return,
            }
            let message = tokio::select! {
                biased;
                () = self.in_flight.wait_until_broken() => return,
                message = self.messages.next() => message,
            };
            match message {
                Ok(Some(Ok(bytes))) => self.accept(&bytes),
                Ok(Some(Err(error))) => {
                    self.send_error(None, ErrorCode(error.code()), error.to_string());
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "input failed");
                    return;
                }
            }
        }
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
