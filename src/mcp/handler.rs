//! The service behind the transport: what each method answers, from the registry.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock,
    CustomRequest, CustomResult, DiscoverResult, ErrorCode, ErrorData, Implementation,
    InitializeRequestParams, InitializeResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, MetaObject, PaginatedRequestParams, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ServerCapabilities,
    ServerConfig, Tool as ListedTool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::progress::ProgressReporter;
use super::resource;
use super::transport::Notifier;
use crate::registry::{CallSignals, Registry, Tool, ToolError};

/// The list of tools is the same for the life of the process.
const LIST_TTL_MS: u64 = 3_600_000;

/// Answers the protocol's methods from the registry.
pub(super) struct Handler {
    registry: Arc<Registry>,
    stop: CancellationToken,
}

impl Handler {
    /// `stop`: when it is cancelled, calls that only read end at once.
    pub(super) fn new(registry: Arc<Registry>, stop: CancellationToken) -> Self {
        Self { registry, stop }
    }

    async fn answer(
        &self,
        request: CallToolRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        require_version(&cx)?;
        let Some(tool) = self.registry.tool(&request.name) else {
            return Err(ErrorData::invalid_params(self.unknown_tool(&request.name), None));
        };
        let cancel = cx.extensions.get::<CancellationToken>().cloned().unwrap_or_default();
        let arguments = request.arguments.unwrap_or_default();
        let token = cx.meta.get_progress_token();
        let told = cx.extensions.get::<Notifier>().cloned().zip(token);
        let told = told.map(|(notifier, token)| ProgressReporter::new(notifier, token));
        let progress = told.as_ref().map(ProgressReporter::of_job);
        let caller = CallSignals { cancel, shutdown: self.stop.clone(), progress };
        let call = self.registry.call(tool, arguments, caller);
        let result = match told {
            Some(told) => told.during(call).await,
            None => call.await,
        };
        let mut result = match result {
            // Without structuredContent: the transport writes it from the text.
            Ok(result) => block(Box::<str>::from(result).into_string()),
            Err(error) => failed(&error),
        };
        if is_stateless(&cx) {
            stamp(&mut result.meta);
        }
        Ok(result.into())
    }

    fn unknown_tool(&self, name: &str) -> String {
        let name: String = name.chars().take(80).collect();
        match self.registry.nearest(&name) {
            Some(known) => format!("There is no tool {name:?}; did you mean {known:?}?"),
            None => format!("There is no tool {name:?}; tools/list names those there are."),
        }
    }
}

/// A result that is the same for the life of the process, with what the era without initialize adds to it.
/// The types have these methods alike, and no trait for them.
macro_rules! unchanging {
    ($cx:expr, $result:expr) => {{
        require_version(&$cx)?;
        let mut result = $result;
        if is_stateless(&$cx) {
            result = result.with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Public);
            stamp(&mut result.meta);
        }
        Ok(result)
    }};
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        let mut info = ServerConfig::new(capabilities);
        info.server_info = identity();
        info.instructions = Some(self.registry.instructions().to_owned());
        info
    }

    async fn initialize(
        &self,
        mut request: InitializeRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let result = self.negotiate_initialize(&request)?;
        // The negotiated version is what holds for the requests that follow, not the one asked for.
        request.protocol_version = result.protocol_version.clone();
        cx.peer.set_peer_info(request);
        Ok(result)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info())
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.registry.tools().iter().map(listed).collect();
        unchanging!(cx, ListToolsResult::with_all_items(tools))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        unchanging!(cx, ListResourcesResult::with_all_items(vec![resource::listed()]))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        unchanging!(cx, ListResourceTemplatesResult::with_all_items(Vec::new()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let contents = resource::read(&request.uri).map_err(|known| {
            let uri: String = request.uri.chars().take(80).collect();
            let told = format!("There is no resource {uri:?}; there is {known:?}.");
            ErrorData::invalid_params(told, None)
        })?;
        let result: Result<_, ErrorData> = unchanging!(cx, ReadResourceResult::new(vec![contents]));
        result.map(ReadResourceResponse::from)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        // rmcp gives no answer when a handler panics, and the caller would hang.
        let call = AssertUnwindSafe(self.answer(request, cx)).catch_unwind().await;
        call.unwrap_or_else(|_| {
            let told = "The call failed inside; the log on stderr has more.";
            Err(ErrorData::internal_error(told, None))
        })
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method: String = request.method.chars().take(80).collect();
        Err(ErrorData::new(
            ErrorCode::METHOD_NOT_FOUND,
            format!(
                "There is no method {method:?}; this server has tools/list, tools/call, resources/list and resources/read."
            ),
            None,
        ))
    }
}

/// A tool as `tools/list` shows it. All four hints are spelled out: what is absent, clients guess.
pub(crate) fn listed(tool: &Tool) -> ListedTool {
    let entry = tool.entry;
    ListedTool::new(entry.name, entry.description, tool.input_schema.clone())
        .with_title(entry.title)
        .with_raw_output_schema(tool.output_schema.clone())
        .with_annotations(
            ToolAnnotations::new()
                .read_only(entry.effect.is_read_only())
                .destructive(entry.effect.is_destructive())
                .idempotent(entry.effect.is_idempotent())
                .open_world(true),
        )
}

fn identity() -> Implementation {
    Implementation::new("polytomic-mcp", env!("CARGO_PKG_VERSION")).with_title("Polytomic")
}

fn block(text: String) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

/// A failure as text alone: one client validates structuredContent against the output schema even on
/// errors and throws ours away, another shows nothing else where there is any.
fn failed(error: &ToolError) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(json!(error).to_string())])
}

/// Which version a request speaks has to be known: by initialize before it, or by its own `_meta`.
fn require_version(cx: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
    if cx.protocol_version().is_some() {
        return Ok(());
    }
    Err(ErrorData::invalid_params(
        "Send initialize first, or give io.modelcontextprotocol/protocolVersion and \
         io.modelcontextprotocol/clientCapabilities in _meta.",
        None,
    ))
}

/// Whether the request speaks the era without initialize.
fn is_stateless(cx: &RequestContext<RoleServer>) -> bool {
    cx.protocol_version().is_some_and(|version| version >= ProtocolVersion::NO_INITIALIZE)
}

/// In that era every result says who answered.
fn stamp(meta: &mut Option<MetaObject>) {
    meta.get_or_insert_default()
        .insert("io.modelcontextprotocol/serverInfo".to_owned(), json!(identity()));
}
