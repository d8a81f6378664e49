//! What every command that calls tools begins with: the log and the registry.

use std::sync::Arc;
use std::time::Duration;

use super::error::CliError;
use crate::config::Config;
use crate::log;
use crate::registry::Registry;
use crate::tools::TOOLS;

/// A registry that is ready for calls.
pub(super) struct App {
    registry: Arc<Registry>,
}

impl App {
    /// For a command that makes one call and reports its error.
    pub(super) fn for_call(config: Config) -> Self {
        Self::start(config, false)
    }

    /// The same for a server, whose calls come later: it warns now if they are going to fail.
    pub(super) fn for_server(config: Config) -> Self {
        Self::start(config, true)
    }

    fn start(config: Config, is_server: bool) -> Self {
        log::start(config.log);
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let (max_bytes, confirm) = (config.max_bytes, config.confirm);
        let registry = registry(config, is_server).with_max_bytes(max_bytes).with_confirm(confirm);
        Self { registry: Arc::new(registry) }
    }

    /// Runs a command on one thread: a call takes a sixth less CPU than with several (measured).
    pub(super) fn run<T>(
        self,
        command: impl AsyncFnOnce(Arc<Registry>) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let result = runtime.block_on(command(Arc::clone(&self.registry)));
        // A blocked read of stdin would delay the end of the runtime forever.
        runtime.shutdown_timeout(Duration::from_millis(100));
        result
    }
}

fn registry(config: Config, is_server: bool) -> Registry {
    #[cfg(feature = "sandbox")]
    if config.sandbox {
        return super::embedded_sandbox::registry(config, is_server);
    }
    if let Some(problem) = config.problem().filter(|_| is_server) {
        tracing::warn!("calls will fail: {problem}");
    }
    Registry::new(TOOLS, config.client())
}
