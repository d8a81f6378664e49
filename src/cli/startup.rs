//! What every command that calls tools begins with: the log, the sandbox and the registry.

use std::sync::Arc;
use std::time::Duration;

use super::error::CliError;
use crate::config::Config;
use crate::log;
use crate::registry::Registry;
use crate::tools::TOOLS;

/// A registry that is ready for calls, and the sandbox behind it if one is configured.
pub(super) struct App {
    registry: Arc<Registry>,
    #[cfg(feature = "sandbox")]
    _sandbox: Option<crate::sandbox::Sandbox>,
}

impl App {
    /// Starts the log and, if configured, the sandbox, for a command that makes one call and reports its error.
    pub(super) fn for_call(config: Config) -> Result<Self, CliError> {
        Self::start(config, false)
    }

    /// The same for a server, whose calls come later: it warns now if they are going to fail.
    pub(super) fn for_server(config: Config) -> Result<Self, CliError> {
        Self::start(config, true)
    }

    fn start(config: Config, warn_about_problem: bool) -> Result<Self, CliError> {
        log::start(config.log);
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        #[cfg(feature = "sandbox")]
        let (config, sandbox) = match config.sandbox {
            true => over_sandbox(config).map(|(config, sandbox)| (config, Some(sandbox)))?,
            false => (config, None),
        };
        if let Some(problem) = config.problem().filter(|_| warn_about_problem) {
            tracing::warn!("calls will fail: {problem}");
        }
        let max_bytes = config.max_bytes;
        Ok(Self {
            registry: Arc::new(Registry::new(TOOLS, config.client()).with_max_bytes(max_bytes)),
            #[cfg(feature = "sandbox")]
            _sandbox: sandbox,
        })
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

/// Starts the sandbox and configures it as the service.
#[cfg(feature = "sandbox")]
fn over_sandbox(config: Config) -> Result<(Config, crate::sandbox::Sandbox), CliError> {
    use crate::polytomic::{BaseUrl, Credential};
    use crate::sandbox::{Options, Sandbox};
    use crate::stderr;

    let options = Options { data: config.sandbox_data.clone(), ..Options::default() };
    let sandbox = Sandbox::start(options).map_err(|error| super::sandbox::start_error(&error))?;
    stderr::print(&format!(
        "polytomic-mcp: using the embedded sandbox at {}; POLYTOMIC_API_KEY and POLYTOMIC_BASE_URL \
         are ignored, and nothing is sent to Polytomic.",
        sandbox.url()
    ));
    let unusable = |error| CliError::failed(format!("the sandbox cannot be used: {error}"));
    let url = BaseUrl::parse(sandbox.url(), false).map_err(unusable)?;
    let credential = Credential::bearer(sandbox.api_key()).map_err(unusable)?;
    Ok((config.with_service(url, credential), sandbox))
}
