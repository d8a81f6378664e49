//! What every command that calls tools begins with: the log, the registry, the sandbox.

use std::sync::Arc;
use std::time::Duration;

use super::Failure;
use crate::config::Config;
use crate::log;
use crate::tools::Registry;

/// A registry that is ready for calls, and the sandbox behind it where one was asked for.
pub(super) struct Started {
    registry: Arc<Registry>,
    #[cfg(feature = "sandbox")]
    _sandbox: Option<crate::sandbox::Sandbox>,
}

impl Started {
    /// Starts the log and, where it was asked for, the sandbox.
    pub(super) fn new(config: Config) -> Result<Self, Failure> {
        log::start(config.log);
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        if config.sandbox {
            return Self::over_sandbox(config);
        }
        Ok(Self {
            registry: Arc::new(Registry::new(config.client())),
            #[cfg(feature = "sandbox")]
            _sandbox: None,
        })
    }

    #[cfg(feature = "sandbox")]
    fn over_sandbox(config: Config) -> Result<Self, Failure> {
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
        let unusable = |error| Failure::failed(format!("the sandbox cannot be used: {error}"));
        let url = BaseUrl::parse(sandbox.url(), false).map_err(unusable)?;
        let credential = Credential::bearer(sandbox.api_key()).map_err(unusable)?;
        let config = config.with_service(url, credential);
        Ok(Self { registry: Arc::new(Registry::new(config.client())), _sandbox: Some(sandbox) })
    }

    #[cfg(not(feature = "sandbox"))]
    fn over_sandbox(_: Config) -> Result<Self, Failure> {
        Err(Failure::usage("this build has no sandbox.")
            .with_hint("build it with the default features, or set POLYTOMIC_API_KEY"))
    }

    /// Runs a command on one thread: measured, a call costs a sixth less CPU than with several.
    pub(super) fn run<T>(
        self,
        command: impl AsyncFnOnce(Arc<Registry>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let result = runtime.block_on(command(Arc::clone(&self.registry)));
        // A blocked read of stdin would hold up the end of the runtime for ever.
        runtime.shutdown_timeout(Duration::from_millis(100));
        result
    }
}
