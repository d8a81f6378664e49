//! Responds to one POST: reads its message, checks its headers, and runs it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Request, Response, StatusCode};
use rmcp::model::{
    ClientNotification, ClientRequest, ErrorCode, ErrorData, GetExtensions, GetMeta,
    JsonRpcMessage, ListToolsRequest, ProtocolVersion, RequestId, ServerResult,
};
use rmcp::service::{Peer, RunningService};
use rmcp::{RoleServer, ServerHandler};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cancellation::Cancellations;
use super::headers::{self, SESSION_ID};
use super::response::{Wishes, accepted, message_channel, respond};
use super::running::{Completed, Running, status_of};
use super::session::Session;
use crate::http::{self, Body, Caller, Rejection, accepts, is_json, read_body};
use crate::mcp::handler::{Handler, SelfContained};
use crate::mcp::message::{self, Message, ProgressToken};
use crate::mcp::notifier::Notifier;
use crate::mcp::peer::{Nobody, unconnected_peer};
use crate::mcp::questions::Questions;
use crate::mcp::request_state::{CallerIdentity, RequestStates};
use crate::mcp::response::{error_without_id, to_json, with_result_parts};
use crate::registry::Registry;
use crate::state::QuestionStore;

/// The path of the endpoint.
pub(crate) const PATH: &str = "/mcp";

/// MCP over POST on [`PATH`].
pub(crate) struct Endpoint {
    registry: Arc<Registry>,
    handler: Arc<Handler>,
    lists: Arc<Lists>,
    versions: Vec<ProtocolVersion>,
    /// Requests do not depend on a connection, and rmcp wants one.
    nobody: RunningService<RoleServer, Nobody>,
    /// What all replicas know.
    store: QuestionStore,
    cancellations: Cancellations,
    /// Maximum length of a body, in bytes.
    body_limit: usize,
    /// Everything that the end of the server waits for.
    tasks: TaskTracker,
}

impl Endpoint {
    /// The tools of a registry. Clients show `title`; `store` is what all replicas know about questions to the user. Once `ending` is cancelled, read-only calls end at once. Must be called
    /// inside a runtime.
    pub(crate) fn new(
        registry: Arc<Registry>,
        title: String,
        store: QuestionStore,
        body_limit: usize,
        tasks: TaskTracker,
        ending: CancellationToken,
    ) -> Self {
        let cancellations = Cancellations::new(store.shared_state().cloned());
        let states = RequestStates::of_callers(store.clone());
        let questions = Arc::<Questions>::default();
        let handler = Handler::new(Arc::clone(&registry), title, questions, states, ending);
        let versions = ServerHandler::supported_protocol_versions(&handler).into_owned();
        Self {
            registry,
            handler: Arc::new(handler),
            lists: Arc::default(),
            versions,
            nobody: unconnected_peer(),
            store,
            cancellations,
            body_limit,
            tasks,
        }
    }

    async fn post(
        &self,
        request: Request<Incoming>,
        caller: &Caller,
    ) -> Result<Response<Body>, Rejection> {
        let headers = request.headers().clone();
        if !is_json(&headers) {
            return Err(Rejection::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the message as application/json in UTF-8, without Content-Encoding.",
            )
            .closing());
        }
        let (json, events) =
            (accepts(&headers, "application/json"), accepts(&headers, "text/event-stream"));
        if !json && !events {
            return Err(Rejection::new(
                StatusCode::NOT_ACCEPTABLE,
                "Accept application/json and text/event-stream.",
            )
            .closing());
        }
        let payload = read_body(request, caller, self.body_limit).await?;
        let account = self.registry.request_account(&headers).await;
        // What belongs to one key is not for a caller with another.
        let identity = account.identity(&caller.identity);
        let caller = &Caller { identity, ..caller.clone() };
        if caller.is_exhausted() {
            return Err(Rejection::busy(
                StatusCode::TOO_MANY_REQUESTS,
                "Responses to your earlier requests are not read yet; read them before you send more.",
            ));
        }
        let wishes = Wishes { json, events, progress: false };
        let message = match message::parse(&payload.bytes) {
            Ok(Message::Incoming(message)) => message,
            // No request of ours waits for one.
            Ok(Message::Response(_)) | Err(message::Rejection::Drop(_)) => return Ok(accepted()),
            Err(message::Rejection::Respond(id, code, message)) => {
                return Ok(refused(&headers, id, code, message));
            }
        };
        // It may be long, and the call may take long.
        drop(payload);
        match message {
            JsonRpcMessage::Request(mut request) => {
                request.request.extensions_mut().insert(account);
                Ok(self.run(request.request, request.id, &headers, wishes, caller).await)
            }
            JsonRpcMessage::Notification(notification) => {
                if let Err(error) = headers::check_version(&headers, &self.versions) {
                    let bytes = error_without_id(&error);
                    return Ok(Completed::new(StatusCode::BAD_REQUEST, bytes).into_response());
                }
                if let ClientNotification::CancelledNotification(cancelled) =
                    notification.notification
                    && let Some(id) = &cancelled.params.request_id
                    && let Some(session) = self.session(&headers, caller).await
                {
                    self.cancellations.cancel(&session.name_of(id)).await;
                }
                Ok(accepted())
            }
            _ => Ok(accepted()),
        }
    }

    async fn run(
        &self,
        mut request: ClientRequest,
        id: RequestId,
        headers: &HeaderMap,
        wishes: Wishes,
        caller: &Caller,
    ) -> Response<Body> {
        let session = self.session(headers, caller).await;
        let version = match headers::check(headers, &request, &self.versions) {
            Ok(version) => version,
            Err(error) => {
                return Completed::error(&id, &error, StatusCode::BAD_REQUEST).into_response();
            }
        };
        let is_legacy = version.has_initialize();
        let cancel = CancellationToken::new();
        let mut running_request = None;
        if is_legacy {
            let is_initialize = matches!(request, ClientRequest::InitializeRequest(_));
            let named = headers.contains_key(headers::PROTOCOL_VERSION);
            let negotiated = session.as_ref().map(|session| session.version.clone());
            let version = negotiated.filter(|_| !named).unwrap_or(version);
            if !is_initialize {
                request.get_meta_mut().set_protocol_version(version);
            }
            if let Some(session) = &session {
                let running = &self.cancellations.running;
                running_request = running.add(session.name_of(&id), cancel.clone());
                if running_request.is_none() {
                    let message = "A request with this id is still in flight.";
                    let error = ErrorData::invalid_request(message, None);
                    return Completed::error(&id, &error, StatusCode::OK).into_response();
                }
            }
        }
        let (sender, messages) = message_channel();
        let extensions = request.extensions_mut();
        let progress = extensions.get::<ProgressToken>().is_some();
        extensions.insert(SelfContained);
        extensions.insert(CallerIdentity(Arc::clone(&caller.identity)));
        extensions.insert(cancel);
        extensions.insert(Notifier::stream(sender));
        let (handler, lists) = (Arc::clone(&self.handler), Arc::clone(&self.lists));
        let peer = self.nobody.peer().clone();
        let run = Box::pin(run(handler, lists, request, id.clone(), peer, is_legacy));
        let (store, identity) = (self.store.clone(), Arc::clone(&caller.identity));
        let reservation = caller.reservation();
        let task = self.tasks.spawn(async move {
            let (mut completed, negotiated) = run.await;
            if let Some(session) = negotiated.and_then(Session::new)
                && let Ok(Some(keys)) = store.sealing_keys().await
            {
                completed.session = session.to_id(&keys, &identity);
            }
            drop(running_request);
            completed.counted(reservation)
        });
        // In the era with an initialize, the end of a connection is not the wish to cancel.
        let running = Running::new(task, id, !is_legacy);
        respond(running, messages, Wishes { progress, ..wishes }).await
    }

    /// The session of a request; none without one, and for one that cannot be read.
    async fn session(&self, headers: &HeaderMap, caller: &Caller) -> Option<Session> {
        let id = headers.get(SESSION_ID)?.to_str().ok()?;
        let keys = self.store.sealing_keys().await.ok()??;
        Session::from_id(id, &keys, &caller.identity)
    }
}

impl http::Service for Endpoint {
    fn allowed_methods(&self, path: &str) -> Option<&'static str> {
        (path.strip_suffix('/').unwrap_or(path) == PATH).then_some("POST")
    }

    fn expectation(&self) -> &'static str {
        "Send MCP messages with POST to /mcp; this server keeps no sessions and no streams to open with GET. \
         /healthz, /readyz and /metrics are read with GET."
    }

    async fn respond(&self, request: Request<Incoming>, caller: Caller) -> Response<Body> {
        self.post(request, &caller).await.unwrap_or_else(Rejection::into_response)
    }
}

/// The response to a message that cannot be read as one.
fn refused(
    headers: &HeaderMap,
    id: Option<RequestId>,
    code: ErrorCode,
    message: String,
) -> Response<Body> {
    let error = ErrorData::new(code, message, None);
    let version = headers.get(headers::PROTOCOL_VERSION).and_then(|value| value.to_str().ok());
    let is_legacy = version.is_none_or(|version| version < ProtocolVersion::NO_INITIALIZE.as_str());
    // What is wrong with the params is a matter of the method, at least before the headers repeated some of them.
    let status = match code {
        ErrorCode::INVALID_PARAMS if is_legacy => StatusCode::OK,
        _ => StatusCode::BAD_REQUEST,
    };
    let completed = match id {
        Some(id) => Completed::error(&id, &error, status),
        None => Completed::new(status, error_without_id(&error)),
    };
    completed.into_response()
}

/// The list of tools as each era gets it. It never changes, and all responses share its bytes.
#[derive(Default)]
struct Lists {
    legacy: OnceLock<Bytes>,
    stateless: OnceLock<Bytes>,
}

/// Runs a request; also returns the version that an initialize has negotiated.
async fn run(
    handler: Arc<Handler>,
    lists: Arc<Lists>,
    request: ClientRequest,
    id: RequestId,
    peer: Peer<RoleServer>,
    is_legacy: bool,
) -> (Completed, Option<ProtocolVersion>) {
    let missing = request.get_meta().missing_required_keys(&ProtocolVersion::NO_INITIALIZE);
    let lacks_metadata = !missing.is_empty();
    let list = match &request {
        ClientRequest::ListToolsRequest(ListToolsRequest { params, .. })
            if params.as_ref().is_none_or(|params| params.cursor.is_none()) =>
        {
            let list = if is_legacy { &lists.legacy } else { &lists.stateless };
            (is_legacy || !lacks_metadata).then_some(list)
        }
        _ => None,
    };
    if let Some(known) = list.and_then(OnceLock::get) {
        return (Completed::shared(&id, known), None);
    }
    match handler.handle(request, id.clone(), peer).await {
        Ok(result) => {
            let negotiated = match &result {
                ServerResult::InitializeResult(result) => Some(result.protocol_version.clone()),
                _ => None,
            };
            let completed = match list {
                Some(list) => Completed::shared(&id, list.get_or_init(|| to_json(&result).into())),
                None => {
                    let mut bytes = Vec::new();
                    with_result_parts(&id, &result, |parts| bytes = parts.concat());
                    Completed::new(StatusCode::OK, bytes)
                }
            };
            (completed, negotiated)
        }
        Err(error) => {
            let status = if is_legacy { StatusCode::OK } else { status_of(&error, lacks_metadata) };
            (Completed::error(&id, &error, status), None)
        }
    }
}
