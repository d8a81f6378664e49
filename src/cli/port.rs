//! Serving on a port, for `http` and `rpc --listen`: who may call, TLS, and the end by a signal.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::CliError;
use crate::config::{Auth as AuthKind, PortSettings};
use crate::http::{Auth, Budget, Guard, Listening, Probe, Server, Service, Site, Tls};
use crate::registry::Registry;
use crate::stdio::{self, SHUTDOWN_HANDOVER};

/// Where and how to serve.
pub(super) struct Port {
    pub(super) listen: SocketAddr,
    pub(super) settings: PortSettings,
    /// The variables that hold a token, for hints.
    pub(super) token_variables: &'static str,
    /// Grace period of requests in flight.
    pub(super) drain: Duration,
}

/// What a service on a port is created with.
pub(super) struct Running {
    /// The URL without a path.
    pub(super) url: String,
    /// Everything that the end of the server waits for.
    pub(super) tasks: TaskTracker,
    /// Cancelled when no more requests are accepted.
    pub(super) stopping: CancellationToken,
    /// Cancelled shortly before the grace period ends, for calls to return what they have.
    pub(super) ending: CancellationToken,
}

impl Port {
    /// Serves until a signal arrives, and what runs then until its end, within the grace period. `announce` prints where.
    pub(super) async fn serve<S: Service>(
        self,
        registry: Arc<Registry>,
        service: impl FnOnce(&Running) -> S,
        announce: impl FnOnce(&Running) -> std::io::Result<()>,
    ) -> Result<(), CliError> {
        // Signals are handled first: the reader of the announcement may send one at once.
        let shutdown = stdio::shutdown_on_signal()?;
        let auth = self.auth()?;
        let tls = self.tls()?;
        let listening = Listening::on(self.listen, tls).await.map_err(|error| {
            let hint = "choose another port; port 0 selects a free one";
            CliError::failed(error.to_string()).with_hint(hint)
        })?;
        let running = Running {
            url: listening.url(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            ending: CancellationToken::new(),
        };
        let guard = Guard::new(
            (listening.address, listening.is_secure()),
            auth.is_required(),
            self.settings.public_url.as_ref(),
            self.settings.allowed_origins.clone(),
        );
        let site = Site {
            service: service(&running),
            guard,
            auth,
            budget: Budget::default(),
            probe: Box::new(RegistryProbe(registry)),
            metadata: None,
        };
        let (stopping, tasks) = (running.stopping.clone(), running.tasks.clone());
        let server = Server::start(listening, Arc::new(site), stopping, tasks);
        announce(&running)?;
        shutdown.cancelled().await;
        // A second signal ends the process at once.
        let again = stdio::shutdown_on_signal()?;
        tokio::select! {
            () = server.stop(self.drain, (running.ending, SHUTDOWN_HANDOVER)) => {}
            () = again.cancelled() => {}
        }
        Ok(())
    }

    /// What a request has to show: what `--auth` says, or else what is configured.
    fn auth(&self) -> Result<Auth, CliError> {
        let PortSettings { auth, token, .. } = &self.settings;
        match (auth, token) {
            (Some(AuthKind::None), Some(_)) => {
                let message = "a token is configured, and --auth none says that none is required";
                Err(CliError::usage(message).with_hint("remove one of them"))
            }
            (Some(AuthKind::None), None) => Ok(Auth::Nothing),
            (None | Some(AuthKind::Token), Some(token)) => Ok(Auth::Token(token.clone())),
            (Some(AuthKind::Token), None) => Err(self.no_token("no token is configured")),
            (None, None) if self.listen.ip().is_loopback() => Ok(Auth::Nothing),
            (None, None) => {
                let address = self.listen;
                Err(self.no_token(&format!(
                    "{address} is reachable from other machines, and no token is configured"
                )))
            }
            (Some(AuthKind::OAuth), _) => Err(CliError::usage("no issuer is configured")
                .with_hint("set --oauth-issuer to the URL of the issuer")),
        }
    }

    fn no_token(&self, message: &str) -> CliError {
        CliError::usage(message).with_hint(&format!(
            "set {}, or listen on 127.0.0.1; --auth none lets anybody call",
            self.token_variables
        ))
    }

    fn tls(&self) -> Result<Option<Tls>, CliError> {
        let hint = "--tls-cert and --tls-key name a certificate chain and its private key, both in PEM format";
        match (&self.settings.tls_certificate, &self.settings.tls_key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => match Tls::from_files(certificate, key) {
                Ok(tls) => Ok(Some(tls)),
                Err(error) => Err(CliError::failed(error.to_string()).with_hint(hint)),
            },
            _ => Err(CliError::usage("TLS requires both a certificate and a key").with_hint(hint)),
        }
    }
}

/// What the registry says about itself.
struct RegistryProbe(Arc<Registry>);

impl Probe for RegistryProbe {
    fn is_ready(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn metrics(&self) -> String {
        let _ = &self.0;
        String::new()
    }
}
