//! What every command that calls or lists tools begins with: the log and the registry.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::error::CliError;
use crate::config::{Config, KeysFrom, stop_program};
use crate::registry::audit::AuditLog;
use crate::registry::{Registry, Selection, ToolError, UnservedTool};
use crate::state::SharedState;
use crate::tools::TOOLS;
use crate::{log, stderr};

/// What calls tools.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A command, once.
    Command,
    /// The client of a server over stdio.
    Server,
    /// The clients of a server that listens on a port.
    Port(KeysFrom),
}

/// A registry that is ready for calls.
pub(super) struct App {
    registry: Arc<Registry>,
    state: Option<SharedState>,
}

impl App {
    /// For a command that makes one call and reports its error.
    ///
    /// # Errors
    /// If a setting names an unknown tool, or the audit log cannot be opened.
    pub(super) fn for_call(config: Config) -> Result<Self, CliError> {
        Self::start(config, Kind::Command)
    }

    /// The same for a server, whose calls come later: it warns now if they are going to fail.
    ///
    /// # Errors
    /// As [`App::for_call`].
    pub(super) fn for_server(config: Config) -> Result<Self, CliError> {
        Self::start(config, Kind::Server)
    }

    /// The same for a server that listens on a port, whose callers may bring their own keys.
    ///
    /// # Errors
    /// As [`App::for_call`], if a setting is invalid, and if there are both a sandbox and keys from requests.
    pub(super) fn for_port(config: Config) -> Result<Self, CliError> {
        let keys_from = config.ports.keys_from;
        if keys_from == KeysFrom::Request && config.has_sandbox() {
            let message =
                "--sandbox has a key of its own, and cannot be combined with --keys-from request.";
            let hint = "to try keys of callers, start `polytomic-mcp sandbox --keys` in another terminal, and pass its \
                        URL as --base-url";
            return Err(CliError::usage(message).with_hint(hint));
        }
        // Nobody would see the error of a call.
        if let Some(problem) = config.invalid_setting() {
            let hint = "correct or remove the setting";
            return Err(CliError::usage(problem).with_hint(hint));
        }
        Self::start(config, Kind::Port(keys_from))
    }

    fn start(mut config: Config, kind: Kind) -> Result<Self, CliError> {
        let is_server = kind != Kind::Command;
        if config.is_in_memory() && config.requires_state() {
            let message =
                "--state-required has no effect on a sandbox that ends with this process.";
            let hint =
                "keep the sandbox in a file with --sandbox-data, or leave out --state-required";
            return Err(CliError::usage(message).with_hint(hint));
        }
        let selection = checked_selection(&mut config)?;
        let selection = if is_server { selection } else { selection.on_request() };
        log::start(config.log);
        if kind == Kind::Port(KeysFrom::Request) {
            if let Some(source) = config.key_beyond_file() {
                tracing::warn!("{source} has no effect: each request brings its own key");
            }
        } else if let Some((profile, source)) =
            config.profile.as_ref().zip(config.key_beyond_file())
            && !config.has_sandbox()
        {
            tracing::warn!("{source} has precedence over the key of profile {profile:?}");
        }
        for warning in config.warnings.iter().chain(&selection.warnings(TOOLS)) {
            tracing::warn!("{warning}");
        }
        // No write may be missing in it, so that a server without it is of no use, even to say why.
        let audit_log = config.audit_log.clone().map(open_audit_log).transpose()?;
        let (max_bytes, masking, own_only) = (config.max_bytes, config.masking, config.own_only);
        let allow_secret_operations = config.allow_secret_operations;
        let (confirm, state) = (config.confirm, config.shared_state().cloned());
        let registry = registry(config, kind)
            .with_max_bytes(max_bytes)
            .with_masking(masking)
            .with_confirm(confirm)
            .with_selection(selection)
            .with_own_only(own_only)
            .with_secret_operations(allow_secret_operations)
            .with_audit_log(audit_log);
        let registry = match kind {
            Kind::Port(_) => registry.with_metrics(),
            Kind::Command | Kind::Server => registry,
        };
        if is_server {
            announce(&registry);
        }
        Ok(Self { registry: Arc::new(registry), state })
    }

    /// Runs a command on one thread: a call takes a sixth less CPU than with several (measured).
    pub(super) fn run<T>(
        self,
        command: impl AsyncFnOnce(Arc<Registry>) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let result = runtime.block_on(async {
            let result = command(Arc::clone(&self.registry)).await;
            if let Some(state) = &self.state {
                // What others find there must not be what this process has left behind.
                state.finish().await;
            }
            result
        });
        // A blocked read of stdin would delay the end of the runtime forever.
        runtime.shutdown_timeout(Duration::from_millis(100));
        stop_program();
        result
    }
}

fn open_audit_log(path: PathBuf) -> Result<AuditLog, CliError> {
    AuditLog::open(path.clone()).map_err(|error| {
        CliError::failed(format!("the audit log {} cannot be written: {error}", path.display()))
            .with_hint("name a regular file in an existing, writable directory with --audit-log or POLYTOMIC_AUDIT_LOG")
    })
}

/// The registry of a command that only lists tools: those that the settings for access and tools leave. `names_tool`: whether
/// its user has named one, which may be one on request.
pub(super) fn listing_only(mut config: Config, names_tool: bool) -> Result<Registry, CliError> {
    let selection = checked_selection(&mut config)?;
    let selection = if names_tool { selection.on_request() } else { selection };
    if let Some(problem) = config.invalid_setting() {
        return Err(CliError::usage(problem));
    }
    for warning in selection.warnings(TOOLS) {
        stderr::print(&format!("warning: {warning}"));
    }
    Ok(Registry::unconnected(TOOLS).with_selection(selection))
}

/// The error of a command about one tool that is not served. There is no server to restart: the settings are those of
/// the command line.
pub(super) fn unserved(
    name: &str,
    error: UnservedTool,
    selected_by: &[String],
) -> Result<ToolError, CliError> {
    match error {
        UnservedTool::Unknown => Err(CliError::usage(format!("unknown tool {name}"))),
        UnservedTool::Disabled(error) => {
            let hint = format!(
                "Set here: {}. A flag has precedence over a variable, and both over the settings file.",
                selected_by.join(", ")
            );
            Ok(ToolError { hint, ..*error })
        }
    }
}

/// The selection of tools. Unknown names in it stop the start, except those of the settings file: with them every call
/// fails.
fn checked_selection(config: &mut Config) -> Result<Selection, CliError> {
    if let Err(message) = config.selection.check(TOOLS) {
        if !config.are_tool_names_from_file {
            let hint = "polytomic-mcp tools lists the tools, and README the toolsets";
            return Err(CliError::usage(message).with_hint(hint));
        }
        config.add_problem(message);
    }
    // Where every call fails, the reason matters, and not which tool it is.
    let is_invalid = config.invalid_setting().is_some();
    Ok(if is_invalid { Selection::default() } else { config.selection.clone() })
}

/// Logs what agents may do; visible by default if that is not everything.
fn announce(registry: &Registry) {
    let (access, tools) = (registry.access(), registry.tools().len());
    let mut usual = TOOLS.default_entries();
    if usual.any(|entry| registry.tool(entry.name).is_err()) {
        let noun = if tools == 1 { "tool" } else { "tools" };
        stderr::print(&format!("polytomic-mcp: access {access}, {tools} {noun}"));
    }
    tracing::info!(%access, tools, "starting");
}

fn registry(config: Config, kind: Kind) -> Registry {
    let is_server = kind != Kind::Command;
    if kind == Kind::Port(KeysFrom::Request) {
        if let Some(problem) = config.problem_without_key() {
            tracing::warn!("calls will fail: {problem}");
        }
        return Registry::with_keys_from_requests(TOOLS, move || {
            config.clone().client_without_key()
        });
    }
    #[cfg(feature = "sandbox")]
    if config.sandbox {
        return super::embedded_sandbox::registry(config, is_server);
    }
    if let Some(problem) = config.problem().filter(|_| is_server) {
        tracing::warn!("calls will fail: {problem}");
    }
    Registry::configured_by(TOOLS, move || config.clone().client())
}
