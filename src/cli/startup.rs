//! What every command that calls tools begins with: the log, the registry, the sandbox.

use std::sync::Arc;
use std::time::Duration;

use super::CliError;
use crate::config::Config;
use crate::log;
use crate::registry::Registry;
use crate::tools::TOOLS;

/// A registry that is ready for calls, and the sandbox behind it where one was asked for.
pub(super) struct App {
    registry: Arc<Registry>,
    #[cfg(feature = "sandbox")]
    _sandbox: Option<crate::sandbox::Sandbox>,
}

impl App {
    /// Starts the log and, where it was asked for, the sandbox; for a command that calls at once, and
    /// so tells what is wrong itself.
    pub(super) fn new(config: Config) -> Result<Self, CliError> {
        Self::start(config, false)
    }

    /// The same for a server, whose calls come later: what will make them fail is told now.
    pub(super) fn serving(config: Config) -> Result<Self, CliError> {
        Self::start(config, true)
    }

    fn start(config: Config, tell: bool) -> Result<Self, CliError> {
        log::start(config.log);
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        #[cfg(feature = "sandbox")]
        let (config, sandbox) = match config.sandbox {
            true => over_sandbox(config).map(|(config, sandbox)| (config, Some(sandbox)))?,
            false => (config, None),
        };
        if let Some(problem) = config.problem().filter(|_| tell) {
            tracing::warn!("calls will fail: {problem}");
        }
        let max_bytes = config.max_bytes;
        Ok(Self {
            registry: Arc::new(Registry::new(TOOLS, config.client()).with_max_bytes(max_bytes)),
            #[cfg(feature = "sandbox")]
            _sandbox: sandbox,
        })
    }

    /// Runs a command on one thread: measured, a call costs a sixth less CPU than with several.
    pub(super) fn run<T>(
        self,
        command: impl AsyncFnOnce(Arc<Registry>) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let result = runtime.block_on(command(Arc::clone(&self.registry)));
        // A blocked read of stdin would hold up the end of the runtime for ever.
        runtime.shutdown_timeout(Duration::from_millis(100));
        result
    }
}

/// Starts the sandbox and puts it in the place of the service.
#[cfg(feature = "sandbox")]
fn over_sandbox(config: Config) -> Result<(Config, crate::sandbox::Sandbox), CliError> {
    use std::io::Write;

    use crate::polytomic::{BaseUrl, Credential};
    use crate::sandbox::{Options, Sandbox};

    let options = Options { data: config.sandbox_data.clone(), ..Options::default() };
    let sandbox = Sandbox::start(options).map_err(|error| super::sandbox::failure(&error))?;
    let _ = writeln!(
        std::io::stderr(),
        "polytomic-mcp: the embedded sandbox at {} answers; POLYTOMIC_API_KEY and \
         POLYTOMIC_BASE_URL are not used, and nothing reaches Polytomic.",
        sandbox.url()
    );
    let unusable = |error| CliError::failed(format!("the sandbox cannot be used: {error}"));
    let url = BaseUrl::parse(sandbox.url(), false).map_err(unusable)?;
    let credential = Credential::bearer(sandbox.api_key()).map_err(unusable)?;
    Ok((config.with_service(url, credential), sandbox))
}
