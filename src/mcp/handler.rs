//! The service behind `stdio` and `http`: responds to each method from the registry.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities,
    ClientRequest, CompleteRequestParams, CompleteResult, ContentBlock, CustomRequest,
    CustomResult, DiscoverResult, ErrorCode, ErrorData, GetExtensions, GetMeta,
    GetPromptRequestParams, GetPromptResponse, Implementation, InitializeRequestParams,
    InitializeResult, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, MetaObject, PaginatedRequestParams, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, RequestId,
    ServerCapabilities, ServerConfig, ServerResult, Tool as ListedTool, ToolAnnotations,
};
use rmcp::service::{Peer, RequestContext, Service};
use rmcp::{RoleServer, ServerHandler};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::elicitation::ElicitationAsker;
use super::message::{ProgressToken, SentDecision};
use super::notifier::Notifier;
use super::progress::ProgressReporter;
use super::questions::Questions;
use super::request_state::{
    Call, CallerIdentity, RequestStates, RoundTripAsker, StateError, call_digest,
};
use super::{completion, prompts, resource};
use crate::registry::{
    Asker, CallError, CallSignals, Registry, RequestAccount, SentArguments, Tool, ToolError,
    UnservedTool, WhenBusy, shorten,
};

/// How long clients may cache lists, which never change while the process runs.
const LIST_TTL_MS: u64 = 3_600_000;

/// Handles the methods of the protocol.
pub(super) struct Handler {
    registry: Arc<Registry>,
    questions: Arc<Questions>,
    states: RequestStates,
    title: String,
    shutdown: CancellationToken,
}

/// An extension of requests that do not depend on earlier ones of a connection.
#[derive(Clone)]
pub(super) struct SelfContained;

/// Asks the user during one call, as its era does.
#[derive(Default)]
struct CallAsker {
    asker: Option<Arc<dyn Asker>>,
    /// The same one, if its question ends the call.
    round_trip: Option<Arc<RoundTripAsker>>,
}

impl Handler {
    /// Once `shutdown` is cancelled, read-only calls end at once.
    pub(super) fn new(
        registry: Arc<Registry>,
        title: String,
        questions: Arc<Questions>,
        states: RequestStates,
        shutdown: CancellationToken,
    ) -> Self {
        Self { registry, questions, states, title, shutdown }
    }

    /// Responds to a request. `peer` is where rmcp keeps the initialize of a connection.
    ///
    /// # Errors
    /// The error of the response; a panic is one as well, since the client would wait for ever.
    pub(super) async fn handle(
        &self,
        mut request: ClientRequest,
        id: RequestId,
        peer: Peer<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        let mut cx = RequestContext::new(id, peer);
        cx.meta = std::mem::take(request.get_meta_mut());
        cx.extensions = std::mem::take(request.extensions_mut());
        // On the heap, like the long steps below, since the task of a request is moved several times before it runs.
        let handled = Box::pin(Service::handle_request(self, request, cx));
        let handled = AssertUnwindSafe(handled).catch_unwind().await;
        handled.unwrap_or_else(|_| Err(internal_error()))
    }

    /// In the stateless era every result identifies the server.
    fn add_server_info(&self, cx: &RequestContext<RoleServer>, meta: &mut Option<MetaObject>) {
        if is_stateless(cx) {
            meta.get_or_insert_default()
                .insert("io.modelcontextprotocol/serverInfo".to_owned(), json!(self.identity()));
        }
    }

    fn identity(&self) -> Implementation {
        Implementation::new("polytomic-mcp", env!("CARGO_PKG_VERSION")).with_title(&self.title)
    }

    /// The response to a call that asks nothing.
    fn respond(
        &self,
        cx: &RequestContext<RoleServer>,
        mut result: CallToolResult,
    ) -> CallToolResponse {
        self.add_server_info(cx, &mut result.meta);
        result.into()
    }

    async fn run_call(
        &self,
        request: CallToolRequestParams,
        mut cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        require_version(&cx)?;
        let tool = match self.registry.tool(&request.name) {
            Ok(tool) => tool,
            Err(UnservedTool::Unknown) => {
                return Err(ErrorData::invalid_params(self.unknown_tool(&request.name), None));
            }
            Err(UnservedTool::Disabled(error)) => return Ok(self.respond(&cx, failure(&error))),
        };
        let arguments = cx.extensions.remove::<SentArguments>();
        let arguments = arguments.unwrap_or_else(|| SentArguments::new("arguments", None));
        let token = cx.extensions.get::<ProgressToken>().cloned();
        let reporter = cx.extensions.get::<Notifier>().cloned().zip(token);
        let reporter = reporter.map(|(notifier, token)| ProgressReporter::new(notifier, token));
        let progress = reporter.as_ref().map(ProgressReporter::sink);
        let signals = match self.signals(&cx) {
            Ok(signals) => signals,
            Err(error) => return Ok(self.respond(&cx, failure(&error))),
        };
        let caller = caller(&cx);
        let digest = || call_digest(&caller, tool.entry.name, &arguments);
        let call = Call { caller: &caller, digest: &digest };
        let asker = match self.registry.may_ask(tool) {
            true => Box::pin(self.call_asker(&cx, call)).await,
            false => Ok(CallAsker::default()),
        };
        let CallAsker { asker, round_trip } = match asker {
            Ok(asker) => asker,
            Err(error) => return Ok(self.respond(&cx, failure(&error.into()))),
        };
        let signals = CallSignals { progress, asker, ..signals };
        // Never waits, since a cancellation has to be read.
        let run = self.registry.call_as_sent(tool, &arguments, WhenBusy::Refuse, signals);
        // Pinned here, where each of the futures around it would have a place of its own for it.
        let run = pin!(run);
        let run = async {
            match reporter {
                Some(reporter) => reporter.report_during(run).await,
                None => run.await,
            }
        };
        let result = match round_trip {
            None => run.await,
            Some(asker) => {
                let result = tokio::select! {
                    biased;
                    question = Box::pin(asker.input_required(&self.states, call)) => match question {
                        Ok(mut question) => {
                            self.add_server_info(&cx, &mut question.meta);
                            return Ok(question.into());
                        }
                        Err(error) => return Ok(self.respond(&cx, failure(&error.into()))),
                    },
                    result = run => result,
                };
                Box::pin(asker.leave(&self.states, &caller)).await;
                result
            }
        };
        let result = match result {
            // Without structuredContent, which `response` copies from the text.
            Ok(result) => success(Box::<str>::from(result).into_string()),
            Err(CallError::Failed(error)) => failure(&error),
            Err(CallError::Params(reason)) => {
                let message = format!("Invalid params of tools/call: arguments: {reason}.");
                return Err(ErrorData::invalid_params(message, None));
            }
        };
        Ok(self.respond(&cx, result))
    }

    /// How a request is cancelled, and whose key it uses.
    ///
    /// # Errors
    /// That of a key which is not usable.
    fn signals(&self, cx: &RequestContext<RoleServer>) -> Result<CallSignals, ToolError> {
        let account = cx.extensions.get::<RequestAccount>();
        let account = account.map_or(Ok(None), RequestAccount::for_call)?;
        let cancel = cx.extensions.get::<CancellationToken>().cloned().unwrap_or_default();
        // Without the default, which would create two tokens to drop them.
        let (shutdown, progress, asker) = (self.shutdown.clone(), None, None);
        Ok(CallSignals { cancel, shutdown, progress, asker, account })
    }

    /// How the user can be asked during a call.
    async fn call_asker(
        &self,
        cx: &RequestContext<RoleServer>,
        call: Call<'_>,
    ) -> Result<CallAsker, StateError> {
        let shows_forms = |client: &ClientCapabilities| client.elicitation.is_some();
        let can_ask = cx.client_capabilities().as_ref().is_some_and(shows_forms);
        let questions = || Arc::clone(&self.questions);
        if is_stateless(cx) {
            let decision = cx.extensions.get::<SentDecision>();
            if !can_ask && decision.is_none() {
                return Ok(CallAsker::default());
            }
            let asker = RoundTripAsker::new(questions(), &self.states, decision, call).await?;
            let asker = Arc::new(asker);
            return Ok(CallAsker { asker: Some(Arc::clone(&asker) as _), round_trip: Some(asker) });
        }
        let notifier = cx.extensions.get::<Notifier>().filter(|_| can_ask).cloned();
        let asker = notifier
            .map(|notifier| Arc::new(ElicitationAsker { questions: questions(), notifier }) as _);
        Ok(CallAsker { asker, round_trip: None })
    }

    fn unknown_tool(&self, name: &str) -> String {
        let name = shorten(name);
        match self.registry.nearest(&name) {
            Some(known) => format!("Unknown tool {name:?}; did you mean {known:?}?"),
            None => format!("Unknown tool {name:?}; tools/list returns the tools."),
        }
    }
}

/// A result that never changes while the process runs, with what the stateless era adds to it. A macro, since the
/// result types have the same methods but no trait for them.
macro_rules! cacheable {
    ($handler:expr, $cx:expr, $result:expr) => {{
        require_version(&$cx)?;
        let mut result = $result;
        if is_stateless(&$cx) {
            result = result.with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Public);
        }
        $handler.add_server_info(&$cx, &mut result.meta);
        Ok(result)
    }};
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_prompts()
            .enable_resources()
            .enable_tools()
            .build();
        let mut info = ServerConfig::new(capabilities);
        info.server_info = self.identity();
        info.instructions = Some(self.registry.instructions());
        info
    }

    async fn initialize(
        &self,
        mut request: InitializeRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let result = self.negotiate_initialize(&request)?;
        // The negotiated version applies to the following requests, not the requested one.
        request.protocol_version = result.protocol_version.clone();
        if cx.extensions.get::<SelfContained>().is_none() {
            cx.peer.set_peer_info(request);
        }
        Ok(result)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = ServerHandler::supported_protocol_versions(self).into_owned();
        Ok(DiscoverResult::from_server_info(versions, ServerHandler::get_info(self))
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_tools(
        &self,
        params: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        refuse_cursor(params)?;
        let tools = self.registry.tools().iter().map(describe_tool).collect();
        cacheable!(self, cx, ListToolsResult::with_all_items(tools))
    }

    async fn list_resources(
        &self,
        params: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        refuse_cursor(params)?;
        cacheable!(self, cx, ListResourcesResult::with_all_items(vec![resource::describe()]))
    }

    async fn list_resource_templates(
        &self,
        params: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        refuse_cursor(params)?;
        let templates = self.registry.templates().map(resource::describe_template).collect();
        cacheable!(self, cx, ListResourceTemplatesResult::with_all_items(templates))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if let Some(guide) = resource::guide(&self.registry, &request.uri) {
            let result: Result<_, ErrorData> =
                cacheable!(self, cx, ReadResourceResult::new(vec![guide]));
            return result.map(ReadResourceResponse::from);
        }
        require_version(&cx)?;
        let signals = self.signals(&cx).map_err(|error| resource::request_error(&error))?;
        let contents = Box::pin(resource::read(&self.registry, &request.uri, signals)).await?;
        let mut result = ReadResourceResult::new(vec![contents]);
        if is_stateless(&cx) {
            // What it shows may change at any time, and is for one caller.
            result = result.with_ttl_ms(0).with_cache_scope(CacheScope::Private);
        }
        self.add_server_info(&cx, &mut result.meta);
        Ok(result.into())
    }

    async fn list_prompts(
        &self,
        params: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        refuse_cursor(params)?;
        let listed = self.registry.prompts().map(prompts::describe).collect();
        cacheable!(self, cx, ListPromptsResult::with_all_items(listed))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        require_version(&cx)?;
        let mut result = prompts::get(&self.registry, &request)?;
        self.add_server_info(&cx, &mut result.meta);
        Ok(result.into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        require_version(&cx)?;
        let signals = self.signals(&cx).map_err(|error| resource::request_error(&error))?;
        let completion = Box::pin(completion::complete(&self.registry, request, signals)).await?;
        let mut result = CompleteResult::new(completion);
        self.add_server_info(&cx, &mut result.meta);
        Ok(result)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        Box::pin(self.run_call(request, cx)).await
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = shorten(&request.method);
        Err(ErrorData::new(
            ErrorCode::METHOD_NOT_FOUND,
            format!(
                "Unknown method {method:?}; this server supports tools/list, tools/call, prompts/list, prompts/get, \
                 resources/list, resources/templates/list, resources/read and completion/complete."
            ),
            None,
        ))
    }
}

/// A tool as `tools/list` returns it. All four hints are explicit, since clients guess absent ones.
pub(crate) fn describe_tool(tool: &Tool) -> ListedTool {
    let entry = tool.entry;
    ListedTool::new(entry.name, tool.description(), tool.input_schema())
        .with_title(entry.title)
        .with_raw_output_schema(Arc::new(tool.output_schema()))
        .with_annotations(
            ToolAnnotations::new()
                .read_only(entry.effect.is_read_only())
                .destructive(entry.effect.is_destructive())
                .idempotent(entry.effect.is_idempotent())
                .open_world(true),
        )
}

fn internal_error() -> ErrorData {
    ErrorData::internal_error("Internal error; see the log on stderr.", None)
}

fn success(text: String) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

/// An error as text only: one client validates structuredContent against the output schema even for errors, and
/// discards ours; another shows nothing but structuredContent if there is any.
fn failure(error: &ToolError) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(error.to_json())])
}

/// Every list is one page, so no cursor is ours. An empty one is what some clients send with the first request.
fn refuse_cursor(params: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match params.and_then(|params| params.cursor).filter(|cursor| !cursor.is_empty()) {
        None => Ok(()),
        Some(_) => Err(ErrorData::invalid_params(
            "Unknown cursor; the list is complete without one, and this server returns no nextCursor.",
            None,
        )),
    }
}

/// The protocol version of a request must be known, from an earlier initialize or from its own `_meta`.
fn require_version(cx: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
    if cx.protocol_version().is_some() {
        return Ok(());
    }
    Err(ErrorData::invalid_params(
        "Send initialize first, or pass io.modelcontextprotocol/protocolVersion and \
         io.modelcontextprotocol/clientCapabilities in _meta.",
        None,
    ))
}

/// Who calls; empty on a pipe, which has one caller.
fn caller(cx: &RequestContext<RoleServer>) -> Arc<str> {
    cx.extensions.get::<CallerIdentity>().map(|caller| Arc::clone(&caller.0)).unwrap_or_default()
}

/// Whether the request belongs to the stateless era.
fn is_stateless(cx: &RequestContext<RoleServer>) -> bool {
    cx.protocol_version().is_some_and(|version| version >= ProtocolVersion::NO_INITIALIZE)
}
