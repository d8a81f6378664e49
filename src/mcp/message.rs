//! Parses a message of the protocol, or says how to reject it.
//!
//! Requests are built by their method. rmcp's own parser tries 22 types one after the other and calls an invalid
//! `tools/call` an unknown method; here a known method with invalid params is -32602 with the reason.

use rmcp::RoleServer;
use rmcp::model::{
    ArgumentInfo, CallToolRequest, CallToolRequestParams, CancelledNotification,
    CancelledNotificationParam, ClientCapabilities, ClientNotification, ClientRequest,
    CompleteRequest, CompleteRequestParams, CompletionContext, CustomRequest, DiscoverRequest,
    ErrorCode, GetExtensions, GetMeta, GetPromptRequest, GetPromptRequestParams, Implementation,
    InitializeRequest, InitializeRequestParams, JsonRpcMessage, ListPromptsRequest,
    ListResourceTemplatesRequest, ListResourcesRequest, ListToolsRequest, PaginatedRequestParams,
    PingRequest, ProtocolVersion, ReadResourceRequest, ReadResourceRequestParams, Reference,
    RequestId, RequestMetaObject,
};
use rmcp::service::RxJsonRpcMessage;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::registry::{SentArguments, object_text};
use crate::stdio::{Envelope, id_text, read_members, without_byte_order_mark};

/// Maximum characters of a peer's text that an error quotes.
const MAX_QUOTED_CHARACTERS: usize = 200;

/// How to reject a message that is not one for the service.
#[derive(Debug)]
pub(crate) enum Rejection {
    /// No response is sent, since the line is a notification or a response: two peers that respond to each
    /// other's garbage would never stop. The text is for the log.
    Drop(&'static str),
    /// An error is sent, with the id if it could be read.
    Respond(Option<RequestId>, ErrorCode, String),
}

/// A message of a client.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are of the large variant, and none is kept"
)]
pub(crate) enum Message<'a> {
    /// A request or a notification, for the service.
    Incoming(RxJsonRpcMessage<RoleServer>),
    /// A response to a request of ours, whatever it holds.
    Response(Response<'a>),
}

/// A response, unparsed. It never gets a response itself.
#[derive(Debug)]
pub(crate) struct Response<'a> {
    pub(super) id: Option<&'a RawValue>,
    pub(super) result: Option<&'a RawValue>,
    pub(super) error: Option<&'a RawValue>,
}

/// Parses one message. The id of a request is its text as a string, since rmcp has no ids but strings and 64-bit
/// integers; the response has the text again.
pub(crate) fn parse(bytes: &[u8]) -> Result<Message<'_>, Rejection> {
    let text = std::str::from_utf8(without_byte_order_mark(bytes))
        .map_err(|error| parse_error(format!("The message is not UTF-8: {error}.")))?;
    let envelope = Envelope::parse(text)
        .map_err(|error| parse_error(format!("The message is not JSON: {error}.")))?;
    if !envelope.is_well_formed() {
        return Err(reject_malformed(&envelope));
    }
    if envelope.is_response() {
        let Envelope { id, result, error, .. } = envelope;
        return Ok(Message::Response(Response { id, result, error }));
    }
    request_or_notification(&envelope).map(Message::Incoming)
}

fn request_or_notification(
    envelope: &Envelope<'_>,
) -> Result<RxJsonRpcMessage<RoleServer>, Rejection> {
    let Some(method) = &envelope.method else {
        return Err(invalid(envelope.id.and_then(text_as_id), "The method is missing."));
    };
    let id = envelope.id.map(text_as_id);
    if !envelope.is_version_2() {
        return Err(invalid(id.flatten(), "\"jsonrpc\" must be \"2.0\"."));
    }
    match id {
        None => notification(method, envelope.params),
        Some(None) => {
            Err(invalid(None, "The id must be a string or a number, of at most 65536 bytes."))
        }
        Some(Some(id)) => match request(method, envelope.params) {
            Ok(request) => Ok(JsonRpcMessage::request(request, id)),
            Err(reason) => Err(Rejection::Respond(
                Some(id),
                ErrorCode::INVALID_PARAMS,
                format!("Invalid params of {}: {}.", shorten(method), shorten(&reason)),
            )),
        },
    }
}

fn text_as_id(raw: &RawValue) -> Option<RequestId> {
    id_text(raw).map(|text| RequestId::String(text.into()))
}

fn parse_error(message: String) -> Rejection {
    Rejection::Respond(None, ErrorCode::PARSE_ERROR, message)
}

fn invalid(id: Option<RequestId>, message: &str) -> Rejection {
    Rejection::Respond(id, ErrorCode::INVALID_REQUEST, message.to_owned())
}

/// Rejects JSON that is not an envelope.
fn reject_malformed(envelope: &Envelope<'_>) -> Rejection {
    match envelope.is_response() {
        true => Rejection::Drop("a malformed response"),
        false => invalid(
            envelope.id.and_then(text_as_id),
            "A message must be one JSON-RPC 2.0 object whose method is a string; batches are not supported.",
        ),
    }
}

fn notification(
    method: &str,
    params: Option<&RawValue>,
) -> Result<RxJsonRpcMessage<RoleServer>, Rejection> {
    match method {
        "notifications/cancelled" => {
            let malformed = |_| Rejection::Drop("a malformed cancellation");
            let id = with_members(params, ["requestId"], |[id]| Ok(id.and_then(text_as_id)));
            let id = id.map_err(malformed)?.ok_or_else(|| malformed(String::new()))?;
            let params = CancelledNotificationParam::new(Some(id), None);
            Ok(JsonRpcMessage::notification(ClientNotification::CancelledNotification(
                CancelledNotification::new(params),
            )))
        }
        "notifications/initialized" => Ok(JsonRpcMessage::notification(
            ClientNotification::InitializedNotification(Default::default()),
        )),
        _ => Err(Rejection::Drop("a notification that this server does not handle")),
    }
}

/// Builds a request from what this server uses of its params, so that nothing else can be wrong.
fn request(method: &str, params: Option<&RawValue>) -> Result<ClientRequest, String> {
    let (mut request, meta): (ClientRequest, _) = match method {
        "tools/call" => with_members(params, CALL_MEMBERS, |members| {
            let [name, arguments, meta, state, responses] = members;
            if arguments.is_some_and(|raw| !is_object_or_text(raw)) {
                return Err("arguments: expected an object".to_owned());
            }
            let params = CallToolRequestParams::new(text("name", name)?);
            let mut request = CallToolRequest::new(params);
            request.extensions.insert(SentArguments::new("arguments", arguments));
            if let Some(state) = state.filter(|raw| raw.get() != "null") {
                let state = text("requestState", Some(state))?;
                let responses = responses.map(ToOwned::to_owned);
                request.extensions.insert(SentDecision { state, responses });
            }
            Ok((request.into(), Meta::read(meta)?))
        })?,
        "initialize" => with_members(params, INITIALIZE_MEMBERS, |[version, client, meta]| {
            let meta = Meta::read(meta)?;
            let is_stateless = |version: ProtocolVersion| !version.has_initialize();
            if version.is_none() && meta.for_rmcp.protocol_version().is_some_and(is_stateless) {
                // The era of the request has no such method.
                return Ok((CustomRequest::new(method, None).into(), meta));
            }
            let version = protocol_version("protocolVersion", version)?
                .ok_or("protocolVersion: expected a string such as \"2025-11-25\", got nothing")?;
            // What the client is does not matter here.
            let name = Implementation::new("client", "");
            let params = InitializeRequestParams::new(capabilities(client), name);
            let params = params.with_protocol_version(version);
            Ok((InitializeRequest::new(params).into(), meta))
        })?,
        "prompts/get" => with_members(params, ["name", "arguments", "_meta"], |members| {
            let [name, arguments, meta] = members;
            let params = GetPromptRequestParams::new(text("name", name)?);
            let params = params.with_arguments(object("arguments", arguments)?);
            Ok((GetPromptRequest::new(params).into(), Meta::read(meta)?))
        })?,
        "completion/complete" => {
            with_members(params, ["ref", "argument", "context", "_meta"], |members| {
                let [reference, argument, context, meta] = members;
                let raw = reference.ok_or("ref: expected an object, got nothing")?;
                let reference: Reference = serde_json::from_str(raw.get()).map_err(|_| {
                    "ref: expected {\"type\": \"ref/prompt\", \"name\": …} or {\"type\": \"ref/resource\", \"uri\": …}"
                })?;
                let argument = argument.map_or("{}", RawValue::get);
                let ([name, value], _) = read_members(argument, ["name", "value"])
                    .map_err(|_| "argument: expected an object with name and value")?;
                let value = text("argument.value", value)?;
                let argument = ArgumentInfo::new(text("argument.name", name)?, value);
                let context = context.map_or("{}", RawValue::get);
                let filled = read_members(context, ["arguments"]).ok().and_then(|([raw], _)| raw);
                let filled = object("context.arguments", filled)?.into_iter();
                let filled =
                    filled.filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
                let context = CompletionContext::with_arguments(filled.collect());
                let params = CompleteRequestParams::new(reference, argument).with_context(context);
                Ok((CompleteRequest::new(params).into(), Meta::read(meta)?))
            })?
        }
        "resources/read" => with_members(params, ["uri", "_meta"], |[uri, meta]| {
            let params = ReadResourceRequestParams::new(text("uri", uri)?);
            Ok((ReadResourceRequest::new(params).into(), Meta::read(meta)?))
        })?,
        _ => {
            let list = with_members(params, ["cursor", "_meta"], |[cursor, meta]| {
                let params = PaginatedRequestParams::default();
                Ok((params.with_cursor(cursor.and_then(cursor_text)), Meta::read(meta)?))
            });
            let known = [
                "ping",
                "server/discover",
                "tools/list",
                "prompts/list",
                "resources/list",
                "resources/templates/list",
            ];
            let (params, meta) = match list {
                // The params of an unknown method do not matter.
                Err(_) if !known.contains(&method) => Default::default(),
                list => list?,
            };
            let version = meta.for_rmcp.protocol_version();
            // The stateless era has no ping; rmcp would reject it with the bare name.
            let has_ping = version.is_none_or(|version| version.has_initialize());
            let (params, extensions) = (Some(params), Default::default());
            let request = match method {
                "ping" if has_ping => PingRequest::default().into(),
                "server/discover" => DiscoverRequest::new(Default::default()).into(),
                "tools/list" => {
                    ListToolsRequest { method: Default::default(), params, extensions }.into()
                }
                "prompts/list" => {
                    ListPromptsRequest { method: Default::default(), params, extensions }.into()
                }
                "resources/list" => {
                    ListResourcesRequest { method: Default::default(), params, extensions }.into()
                }
                "resources/templates/list" => {
                    let method = Default::default();
                    ListResourceTemplatesRequest { method, params, extensions }.into()
                }
                _ => CustomRequest::new(method, None).into(),
            };
            (request, meta)
        }
    };
    if let Some(token) = meta.progress_token {
        request.extensions_mut().insert(token);
    }
    *request.get_meta_mut() = meta.for_rmcp;
    Ok(request)
}

/// What is used of the params of a call.
const CALL_MEMBERS: [&str; 5] = ["name", "arguments", "_meta", "requestState", "inputResponses"];
const INITIALIZE_MEMBERS: [&str; 3] = ["protocolVersion", "capabilities", "_meta"];

/// What a client of the stateless era sends with a call that continues after a question.
#[derive(Debug, Clone)]
pub(super) struct SentDecision {
    /// What came with the question.
    pub(super) state: String,
    /// What the client responds to the questions, unparsed.
    pub(super) responses: Option<Box<RawValue>>,
}

/// Whether a client can show forms; nothing else that it can do is used, and nothing in it can be wrong.
fn capabilities(raw: Option<&RawValue>) -> ClientCapabilities {
    let is_object = |raw: &&RawValue| raw.get().starts_with('{');
    let shows_forms = |raw: Option<&RawValue>| {
        let ([elicitation], _) = read_members(raw?.get(), ["elicitation"]).ok()?;
        let elicitation = elicitation.filter(is_object)?;
        let ([form, url], _) = read_members(elicitation.get(), ["form", "url"]).ok()?;
        // An empty capability is that of forms.
        Some(form.is_some_and(|form| is_object(&form)) || (form.is_none() && url.is_none()))
    };
    let mut capabilities = ClientCapabilities::default();
    capabilities.elicitation = shows_forms(raw).unwrap_or_default().then(Default::default);
    capabilities
}

/// The token of a request's progress notifications, as its sender wrote it.
#[derive(Debug, Clone)]
pub(super) struct ProgressToken(pub(super) Box<RawValue>);

/// What this server uses of `_meta`.
#[derive(Default)]
struct Meta {
    /// The protocol version, and the presence of the client's capabilities.
    for_rmcp: RequestMetaObject,
    progress_token: Option<ProgressToken>,
}

impl Meta {
    fn read(raw: Option<&RawValue>) -> Result<Self, String> {
        const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
        const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
        let names = [VERSION, CAPABILITIES, "progressToken"];
        let meta = with_members(raw, names, |[version, client, token]| {
            let mut for_rmcp = RequestMetaObject::default();
            if let Some(version) = protocol_version(VERSION, version)? {
                for_rmcp.set_protocol_version(version);
            }
            if client.is_some() {
                for_rmcp.set_client_capabilities(capabilities(client));
            }
            let token = token.filter(|raw| id_text(raw).is_some());
            let progress_token = token.map(|raw| ProgressToken(raw.to_owned()));
            Ok(Self { for_rmcp, progress_token })
        });
        meta.map_err(|reason| format!("_meta: {reason}"))
    }
}

/// A protocol version; none if it is left empty.
fn protocol_version(name: &str, raw: Option<&RawValue>) -> Result<Option<ProtocolVersion>, String> {
    let Some(raw) = raw.filter(|raw| !is_empty(raw)) else { return Ok(None) };
    let version: ProtocolVersion = serde_json::from_str(raw.get())
        .map_err(|_| format!("{name}: expected a string such as \"2025-11-25\""))?;
    // rmcp would quote it completely.
    match version.as_str().len() {
        0..=40 => Ok(Some(version)),
        _ => Err(format!("{name} has more than 40 characters")),
    }
}

/// An optional object.
fn object(name: &str, raw: Option<&RawValue>) -> Result<Map<String, Value>, String> {
    let Some(raw) = raw.filter(|raw| !is_empty(raw)) else { return Ok(Map::new()) };
    serde_json::from_str(raw.get()).map_err(|_| format!("{name}: expected an object"))
}

/// A required text.
fn text(name: &str, raw: Option<&RawValue>) -> Result<String, String> {
    let raw = raw.ok_or_else(|| format!("{name}: expected a string, got nothing"))?;
    serde_json::from_str(raw.get()).map_err(|_| format!("{name}: expected a string"))
}

/// A cursor, which the handler refuses unless it is an empty text; none if it is left empty in another way.
fn cursor_text(raw: &RawValue) -> Option<String> {
    let other = || (!is_empty(raw)).then(|| raw.get().to_owned());
    serde_json::from_str(raw.get()).map_or_else(|_| other(), Some)
}

/// Whether a client has left a member empty, whatever its type.
fn is_empty(raw: &RawValue) -> bool {
    raw.get() == "null" || object_text(raw.get()).is_ok_and(|object| object == "{}")
}

fn is_object_or_text(raw: &RawValue) -> bool {
    raw.get().starts_with(['{', '"']) || is_empty(raw)
}

/// Applies a function to the members of params or of an object in them, which clients write in several ways.
fn with_members<T, const N: usize>(
    raw: Option<&RawValue>,
    names: [&str; N],
    f: impl FnOnce([Option<&RawValue>; N]) -> Result<T, String>,
) -> Result<T, String> {
    let object = object_text(raw.map_or("null", RawValue::get))?;
    let (members, _) = read_members(&object, names).map_err(|error| error.to_string())?;
    f(members)
}

/// Shortens text of a peer before it is quoted.
fn shorten(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARACTERS).collect()
}
