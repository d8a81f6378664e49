//! The tools over the embedded sandbox, for the commands that call tools with `--sandbox`.

use std::sync::OnceLock;
use std::time::Duration;

use super::error::CliError;
use super::sandbox::start_error;
use crate::config::Config;
use crate::polytomic::{BaseUrl, ConfigurationError};
use crate::registry::Registry;
use crate::sandbox::{Options, Sandbox, StartError};
use crate::stderr;
use crate::tools::TOOLS;

/// Starts the sandbox. If it cannot start, each call says why: clients would show a dead server, and scripts read the
/// error of a call. The calls of a server try again.
pub(super) fn registry(config: Config, is_server: bool) -> Registry {
    let mut options = Options { data: config.sandbox_data.clone(), ..Options::default() };
    if is_server {
        // Clients wait for the handshake.
        options.data_wait = Duration::ZERO;
    }
    let (running, mut failure) = (OnceLock::new(), None);
    match Sandbox::start(options.clone()) {
        Ok(sandbox) => {
            let sandbox = running.get_or_init(|| sandbox);
            if is_server {
                announce(sandbox, &config);
                if let Some(problem) =
                    over(&config, sandbox).ok().and_then(|config| config.problem())
                {
                    tracing::warn!("calls will fail: {problem}");
                }
            }
        }
        Err(error) if is_server => tracing::warn!("calls will fail: {error}"),
        Err(error) => failure = Some(unusable(&error, is_server)),
    }
    Registry::configured_by(TOOLS, move || {
        if let Some(failure) = &failure {
            return Err(failure.clone());
        }
        let sandbox = match running.get() {
            Some(sandbox) => {
                // Not earlier: a call with invalid arguments uses no sandbox.
                if !is_server {
                    announce(sandbox, &config);
                }
                sandbox
            }
            None => {
                let sandbox = Sandbox::start(options.clone());
                let sandbox = sandbox.map_err(|error| unusable(&error, is_server))?;
                running.get_or_init(|| {
                    announce(&sandbox, &config);
                    sandbox
                })
            }
        };
        over(&config, sandbox)?.client()
    })
}

/// Starts a sandbox for a command that makes its own requests.
pub(super) fn start(config: &Config) -> Result<(Sandbox, Config), CliError> {
    let options = Options { data: config.sandbox_data.clone(), ..Options::default() };
    let sandbox = Sandbox::start(options).map_err(|error| start_error(&error))?;
    let config = over(config, &sandbox).map_err(|error| CliError::failed(error.message))?;
    Ok((sandbox, config))
}

/// The configuration with the sandbox as the service.
fn over(config: &Config, sandbox: &Sandbox) -> Result<Config, ConfigurationError> {
    let url = BaseUrl::parse(sandbox.url(), false)?;
    Ok(config.clone().with_sandbox(url, sandbox.api_key()))
}

fn announce(sandbox: &Sandbox, config: &Config) {
    let ignored = match config.ignored_for_sandbox.as_slice() {
        [] => String::new(),
        [only] => format!("{only} is ignored, and "),
        several => format!("{} are ignored, and ", several.join(" and ")),
    };
    stderr::print(&format!(
        "polytomic-mcp: using the built-in sandbox at {}; {ignored}nothing is sent to Polytomic.",
        sandbox.url()
    ));
}

fn unusable(error: &StartError, is_server: bool) -> ConfigurationError {
    let restart = match is_server {
        true => "; a changed setting requires a restart of the server",
        false => "",
    };
    let hint = match start_error(error).hint {
        Some(hint) => format!(
            "Correct POLYTOMIC_SANDBOX_DATA (--sandbox-data): {hint}. Then call again{restart}."
        ),
        None if is_server => "Restart the server.".to_owned(),
        None => "Call again.".to_owned(),
    };
    ConfigurationError::new(format!("The sandbox cannot start: {error}."), hint)
}
