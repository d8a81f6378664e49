//! The registry itself: the tools that are served over one API, and what holds for all calls.

use std::borrow::Cow;
use std::sync::Arc;

use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use super::access::{self, Access, Selection};
use super::accounts::{Account, Keys, RequestAccount, credential_from_headers};
use super::audit::AuditLog;
use super::capacity::Capacity;
use super::catalog::{Catalog, Tool};
use super::confirmation::{ConfirmPolicy, Stake};
use super::error::ToolError;
use super::fitted_text::{Hidden, fit, fit_document};
use super::known_values::KnownLists;
use super::masking::Masking;
use super::metrics::Metrics;
use super::problems;
use super::prompt::Prompt;
use super::readiness::Readiness;
use super::resource_template::ResourceTemplate;
use super::write_rules::WriteRules;
use crate::polytomic::{ClientConfig, ConfigurationError, Credential};

/// Default size limit of a result: some 12,000 tokens in each of its two copies.
const DEFAULT_MAX_BYTES: usize = 48_000;

/// Why a registry has no tool with a name.
#[derive(Debug)]
pub enum UnservedTool {
    /// No tool has this name.
    Unknown,
    /// A setting disables the tool; the error of a call.
    Disabled(Box<ToolError>),
}

/// The tools over one API.
pub struct Registry {
    catalog: Catalog,
    selection: Selection,
    tools: Vec<Tool>,
    pub(super) hidden: Arc<Hidden>,
    pub(super) keys: Arc<Keys>,
    readiness: Readiness,
    pub(super) metrics: Option<Arc<Metrics>>,
    pub(super) write_rules: WriteRules,
    pub(super) capacity: Capacity,
    pub(super) max_bytes: usize,
    pub(super) confirm: ConfirmPolicy,
    pub(super) masking: Masking,
    pub(super) allows_secret_operations: bool,
    pub(super) known_lists: KnownLists,
}

impl Registry {
    /// The tools of `catalog` over the API of `config`. Without a usable configuration the tools are listed all the
    /// same, and every call fails with its error.
    #[must_use]
    pub fn new(catalog: Catalog, config: Result<ClientConfig, ConfigurationError>) -> Self {
        Self::configured_by(catalog, move || config.clone())
    }

    /// The same for a configuration that may become usable later: each call asks for it until there is one.
    pub(crate) fn configured_by(
        catalog: Catalog,
        configure: impl Fn() -> Result<ClientConfig, ConfigurationError> + Send + Sync + 'static,
    ) -> Self {
        Self::with_keys(catalog, Keys::from_settings(configure))
    }

    /// The tools of `catalog` for callers who bring their API keys: a call without an account fails. `configure` is asked
    /// until it returns a configuration.
    #[must_use]
    pub fn with_keys_from_requests(
        catalog: Catalog,
        configure: impl Fn() -> Result<ClientConfig<()>, ConfigurationError> + Send + Sync + 'static,
    ) -> Self {
        Self::with_keys(catalog, Keys::from_requests(configure))
    }

    fn with_keys(catalog: Catalog, keys: Keys) -> Self {
        let registry = Self {
            catalog,
            selection: Selection::default(),
            tools: Vec::new(),
            hidden: Arc::default(),
            keys: Arc::new(keys),
            readiness: Readiness::default(),
            metrics: None,
            write_rules: WriteRules::default(),
            capacity: Capacity::new(),
            max_bytes: DEFAULT_MAX_BYTES,
            confirm: ConfirmPolicy::default(),
            masking: Masking::Off,
            allows_secret_operations: false,
            known_lists: KnownLists::default(),
        };
        registry.with_selection(Selection::default())
    }

    /// The tools without an API, for listing them only.
    #[must_use]
    pub fn unconnected(catalog: Catalog) -> Self {
        let error = ConfigurationError::new("No API is configured.", "Set POLYTOMIC_API_KEY.");
        Self::new(catalog, Err(error))
    }

    /// Sets the default size limit of results in bytes, as the MCP server writes them.
    #[must_use]
    pub fn with_max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// Sets which calls the user has to confirm.
    #[must_use]
    pub fn with_confirm(self, confirm: ConfirmPolicy) -> Self {
        Self { confirm, ..self }
    }

    /// Refuses to change models that were not created through this server.
    pub(crate) fn with_own_only(mut self, own_only: bool) -> Self {
        self.write_rules.own_only = own_only;
        self
    }

    /// Lets operations of the API be called that return or take secrets.
    pub(crate) fn with_secret_operations(self, allows_secret_operations: bool) -> Self {
        Self { allows_secret_operations, ..self }
    }

    /// Reports the writes in an audit log.
    pub(crate) fn with_audit_log(mut self, audit_log: Option<AuditLog>) -> Self {
        self.write_rules.audit_log = audit_log.map(Arc::new);
        self
    }

    /// Counts and measures the calls, for [`Registry::metrics`].
    #[must_use]
    pub fn with_metrics(self) -> Self {
        let metrics = Metrics::new();
        if let Err(error) = &metrics {
            tracing::error!(%error, "no metrics");
        }
        Self { metrics: metrics.ok(), ..self }
    }

    /// Masks values of records in results and errors.
    #[must_use]
    pub fn with_masking(self, masking: Masking) -> Self {
        Self { masking, ..self }
    }

    /// Serves only selected tools; by default all.
    #[must_use]
    pub fn with_selection(self, selection: Selection) -> Self {
        let (served, hidden): (Vec<_>, Vec<_>) = self
            .catalog
            .entries()
            .partition(|entry| selection.hidden_by(entry, self.catalog).is_none());
        let hidden: Arc<Hidden> = Arc::new(hidden.iter().map(|entry| entry.name).collect());
        let tools = served.into_iter().map(|entry| Tool::new(entry, Arc::clone(&hidden))).collect();
        Self { selection, tools, hidden, ..self }
    }

    /// The tools that are served, in their stable order.
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// What calls may do to stored data.
    #[must_use]
    pub fn access(&self) -> Access {
        self.selection.access
    }

    /// The tool with this name.
    ///
    /// # Errors
    /// [`UnservedTool`]: no tool has this name, or a setting disables it, or the one that the name most likely means.
    pub fn tool(&self, name: &str) -> Result<&Tool, UnservedTool> {
        if let Some(tool) = self.tools().iter().find(|tool| tool.entry.name == name) {
            return Ok(tool);
        }
        let nearest = problems::nearest_tool(name, self.catalog.entries().map(|entry| entry.name));
        // Where a disabled tool is as near as a served one, suggesting another write could do harm.
        let mut nearest = self.catalog.entries().filter(|entry| nearest.contains(&entry.name));
        let disabled = nearest.find_map(|e| Some((e, self.selection.hidden_by(e, self.catalog)?)));
        let (entry, setting) = disabled.ok_or(UnservedTool::Unknown)?;
        Err(UnservedTool::Disabled(Box::new(access::denied(entry.name, setting))))
    }

    /// The name of the tool most similar to an unknown name, if one is similar enough.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&'static str> {
        problems::nearest_tool(name, self.tools().iter().map(|tool| tool.entry.name))
            .first()
            .copied()
    }

    /// Whether a call of this tool may ask the user; if not, an asker is of no use to it.
    pub(crate) fn may_ask(&self, tool: &Tool) -> bool {
        let effect = tool.entry.effect;
        let may_lose = effect.is_destructive() && self.confirm.requires(Stake::Loss);
        may_lose || !effect.is_read_only() && self.confirm.requires(Stake::Change)
    }

    /// The account that the headers of a request bring. A key for a server with one of its own is not ignored: the caller would
    /// act as another user than it believes.
    pub(crate) async fn request_account(&self, headers: &HeaderMap) -> RequestAccount {
        let credential = match credential_from_headers(headers) {
            Ok(Some(credential)) => credential,
            Ok(None) => return RequestAccount::Absent,
            Err(error) => return RequestAccount::Unusable(Box::new(error)),
        };
        match self.account(credential).await {
            Ok(account) => RequestAccount::Present(account),
            Err(error) => RequestAccount::Unusable(Box::new(error)),
        }
    }

    /// The account of a credential that a request brings, for [`super::CallSignals::account`]. Equal credentials have the same
    /// account as long as it is in use, and up to 256 stay beyond that.
    ///
    /// # Errors
    /// `not_configured` if the settings are not usable, or if calls use the key of the settings.
    pub async fn account(&self, credential: Credential) -> Result<Arc<Account>, ToolError> {
        self.keys.account_of(credential).await
    }

    /// What the calls did so far, in Prometheus' text format; empty without [`Registry::with_metrics`].
    #[must_use]
    pub fn metrics(&self) -> String {
        self.metrics.as_ref().map(|metrics| metrics.text()).unwrap_or_default()
    }

    /// Whether the API responds; asked at most once in 5 s, and within that time.
    ///
    /// # Errors
    /// Why it does not, in a sentence without names and secrets.
    pub async fn is_ready(&self) -> Result<(), String> {
        self.readiness.check(&self.keys).await
    }

    /// How to use the tools together.
    #[must_use]
    pub fn instructions(&self) -> String {
        let instructions = fit(self.catalog.instructions, &self.hidden);
        match self.access().notice() {
            Some(notice) => format!("{instructions} {notice}"),
            None => instructions.into_owned(),
        }
    }

    /// The prompts that are of use with the tools that are served.
    pub(crate) fn prompts(&self) -> impl Iterator<Item = &'static Prompt> {
        self.catalog.prompts.iter().filter(|prompt| !self.hidden.contains(prompt.requires))
    }

    /// The text of a prompt.
    ///
    /// # Errors
    /// A sentence: no prompt has this name, or an argument is missing, unknown or no text.
    pub(crate) fn prompt_text(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<(&'static Prompt, String), String> {
        let names = || self.prompts().map(|prompt| prompt.name);
        let prompt = self.prompts().find(|prompt| prompt.name == name).ok_or_else(|| {
            let name = problems::shorten(name);
            match problems::nearest(&name, names()) {
                Some(nearest) => format!("Unknown prompt {name:?}; did you mean {nearest:?}?"),
                None => format!("Unknown prompt {name:?}; prompts/list returns the prompts."),
            }
        })?;
        Ok((prompt, prompt.text(arguments, &self.hidden)?))
    }

    /// The templates of resources whose tools are served.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &'static ResourceTemplate> {
        self.catalog.templates.iter().filter(|template| !self.hidden.contains(template.tool))
    }

    /// The tool and the arguments that return the contents of a resource; none if no template has its URI.
    pub(crate) fn resource_call(&self, uri: &str) -> Option<(&Tool, Map<String, Value>)> {
        self.templates().find_map(|template| {
            let arguments = template.arguments(uri)?;
            Some((self.tool(template.tool).ok()?, arguments))
        })
    }

    /// A Markdown document about the tools, without what names tools that are not served.
    pub(crate) fn fit_document<'a>(&self, text: &'a str) -> Cow<'a, str> {
        fit_document(text, &self.hidden)
    }
}
