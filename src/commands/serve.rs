//! No subcommand: the MCP server on stdin and stdout.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use super::Failure;
use crate::config::Config;
use crate::mcp::{self, Limits};
use crate::tools::Registry;
use crate::{log, wire};

/// Serves until the input ends or a signal comes.
pub(super) fn run(config: Config) -> Result<(), Failure> {
    log::start(config.log);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if std::io::stdin().is_terminal() {
        let _ = writeln!(
            std::io::stderr(),
            "polytomic-mcp: waiting for an MCP client on stdin. An assistant or editor starts this; \
             `polytomic-mcp demo` shows it at work, `polytomic-mcp --help` what else there is."
        );
    }
    let limits = Limits { line_bytes: config.max_line_bytes, drain: config.drain };
    let (registry, _sandbox) = registry(config)?;
    // One thread: measured, a call costs a sixth less CPU than with several.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = wire::stop_on_signals()?;
        mcp::serve(Arc::new(registry), wire::open_stdio(), limits, stop).await;
        Ok::<(), Failure>(())
    })?;
    // A blocked read of stdin would hold up the end of the runtime for ever.
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(())
}

#[cfg(feature = "sandbox")]
fn registry(config: Config) -> Result<(Registry, Option<crate::sandbox::Sandbox>), Failure> {
    use crate::sandbox::{Options, Sandbox};

    if !config.sandbox {
        return Ok((Registry::new(config.client), None));
    }
    let options = Options { listen: ([127, 0, 0, 1], 0).into(), data: config.sandbox_data };
    let sandbox = Sandbox::start(options).map_err(|error| super::sandbox::failure(&error))?;
    let _ = writeln!(
        std::io::stderr(),
        "polytomic-mcp: the embedded sandbox at {} answers; POLYTOMIC_API_KEY and \
         POLYTOMIC_BASE_URL are not used, and nothing reaches Polytomic.",
        sandbox.url()
    );
    let client = sandbox_client(&sandbox);
    Ok((Registry::new(client), Some(sandbox)))
}

#[cfg(feature = "sandbox")]
fn sandbox_client(
    sandbox: &crate::sandbox::Sandbox,
) -> Result<crate::polytomic::ClientConfig, crate::polytomic::Error> {
    use crate::polytomic::{BaseUrl, ClientConfig, Credential};

    let url = BaseUrl::parse(sandbox.url(), false)?;
    Ok(ClientConfig::new(url, Credential::bearer(sandbox.api_key())?))
}

#[cfg(not(feature = "sandbox"))]
fn registry(config: Config) -> Result<(Registry, ()), Failure> {
    if config.sandbox {
        return Err(Failure::usage("this build has no sandbox.")
            .with_hint("Build it with the default features, or set POLYTOMIC_API_KEY."));
    }
    Ok((Registry::new(config.client), ()))
}
