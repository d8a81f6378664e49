//! The tools over the embedded sandbox, for the commands that call tools with `--sandbox`.

use std::sync::OnceLock;
use std::time::Duration;

use super::error::CliError;
use super::sandbox::start_error;
use crate::config::Config;
use crate::polytomic::{BaseUrl, ConfigurationError, Credential};
use crate::registry::Registry;
use crate::sandbox::{Options, Sandbox, StartError};
use crate::stderr;
use crate::tools::TOOLS;

/// Starts the sandbox. A server starts even if the sandbox cannot, so that each call says why instead of the client
/// showing a dead server; each call tries again.
pub(super) fn registry(config: Config, is_server: bool) -> Result<Registry, CliError> {
    let mut options = Options { data: config.sandbox_data.clone(), ..Options::default() };
    if is_server {
        // Clients wait for the handshake.
        options.data_wait = Duration::ZERO;
    }
    let running = OnceLock::new();
    match Sandbox::start(options.clone()) {
        Ok(sandbox) => {
            let config = over(&config, running.get_or_init(|| announced(sandbox)));
            if is_server && let Some(problem) = config.ok().and_then(|config| config.problem()) {
                tracing::warn!("calls will fail: {problem}");
            }
        }
        Err(error) if is_server => tracing::warn!("calls will fail: {error}"),
        Err(error) => return Err(start_error(&error)),
    }
    Ok(Registry::configured_by(TOOLS, move || {
        let sandbox = match running.get() {
            Some(sandbox) => sandbox,
            None => {
                let sandbox = Sandbox::start(options.clone()).map_err(|error| unusable(&error))?;
                running.get_or_init(|| announced(sandbox))
            }
        };
        over(&config, sandbox)?.client()
    }))
}

/// The configuration with the sandbox as the service.
fn over(config: &Config, sandbox: &Sandbox) -> Result<Config, ConfigurationError> {
    let url = BaseUrl::parse(sandbox.url(), false)?;
    let credential = Credential::bearer(sandbox.api_key())?;
    Ok(config.clone().with_sandbox(url, credential))
}

fn announced(sandbox: Sandbox) -> Sandbox {
    stderr::print(&format!(
        "polytomic-mcp: using the built-in sandbox at {}; POLYTOMIC_API_KEY and POLYTOMIC_BASE_URL \
         are ignored, and nothing is sent to Polytomic.",
        sandbox.url()
    ));
    sandbox
}

fn unusable(error: &StartError) -> ConfigurationError {
    let hint = match start_error(error).hint {
        Some(hint) => format!(
            "Correct POLYTOMIC_SANDBOX_DATA (--sandbox-data): {hint}. Then call again; a changed setting \
             requires a restart of the server."
        ),
        None => "Restart the server.".to_owned(),
    };
    ConfigurationError::new(format!("The sandbox cannot start: {error}."), hint)
}
