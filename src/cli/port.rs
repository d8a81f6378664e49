//! Serving on a port, for `http` and `rpc --listen`: who may call, TLS, and the end by a signal.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::error::CliError;
use crate::config::{Auth as AuthKind, Config, PortSettings};
use crate::http::{
    AccessTokens, Auth, Budget, Guard, IssuerSettings, Listening, Metadata, Probe, Server, Service,
    Site, Tls, metadata_paths, metadata_url, protected_resource_metadata,
};
use crate::polytomic::read_certificates;
use crate::registry::Registry;
use crate::stdio::{self, SHUTDOWN_HANDOVER};

/// Where and how to serve.
pub(super) struct Port {
    listen: SocketAddr,
    /// Path of the service.
    path: &'static str,
    pub(super) settings: PortSettings,
    /// The variables that hold a token, for hints.
    pub(super) token_variables: &'static str,
    /// Grace period of requests in flight.
    drain: Duration,
    /// Certificates to trust beside the system's.
    ca_file: Option<PathBuf>,
    /// Whether an issuer on another machine may use plain http.
    allow_http: bool,
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
    /// A port with the settings of a configuration, for a service at a path.
    pub(super) fn new(config: &Config, listen: SocketAddr, path: &'static str) -> Self {
        let mut settings = config.ports.clone();
        if let Some(url) = settings.public_url.as_mut().filter(|url| url.path() == "/") {
            url.set_path(path);
        }
        Self {
            listen,
            path,
            settings,
            token_variables: "POLYTOMIC_HTTP_TOKEN",
            drain: config.drain,
            ca_file: config.ca_file.clone(),
            allow_http: config.allow_http,
        }
    }

    /// Serves until a signal arrives, and what runs then until its end, within the grace period. `announce` prints where.
    pub(super) async fn serve<S: Service>(
        self,
        registry: Arc<Registry>,
        service: impl FnOnce(&Running) -> S,
        announce: impl FnOnce(&Running) -> std::io::Result<()>,
    ) -> Result<(), CliError> {
        // Signals are handled first: the reader of the announcement may send one at once.
        let shutdown = stdio::shutdown_on_signal()?;
        let tls = self.tls()?;
        let required = self.required()?;
        if self.is_readable_by_others(tls.is_some()) {
            tracing::warn!(
                "requests to {} can be read on the way: it is served without TLS, and --public-url has no https URL of a proxy",
                self.listen
            );
        }
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
        let resource = match &self.settings.public_url {
            Some(url) => url.clone(),
            None => self.local_resource(&running)?,
        };
        let (auth, metadata) = required.into_auth(&resource).await?;
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
            metadata,
        };
        let (stopping, tasks) = (running.stopping.clone(), running.tasks.clone());
        let server = Server::start(listening, Arc::new(site), stopping, tasks);
        announce(&running)?;
        shutdown.cancelled().await;
        // A second signal ends the process at once.
        let again = stdio::shutdown_on_signal()?;
        let handover = SHUTDOWN_HANDOVER.min(self.drain / 2);
        tokio::select! {
            has_finished = server.stop(self.drain, (running.ending, handover)) => {
                if !has_finished {
                    let seconds = self.drain.as_secs();
                    tracing::warn!("requests were cut off: they had not finished in the {seconds} s of --drain-seconds");
                }
            }
            () = again.cancelled() => {}
        }
        Ok(())
    }

    /// What a request has to show: what `--auth` says, or else what is configured.
    fn required(&self) -> Result<Required, CliError> {
        let PortSettings { auth, token, oauth_issuer, oauth_audience, .. } = &self.settings;
        let usage = |message: &str, hint: &str| Err(CliError::usage(message).with_hint(hint));
        let is_local = self.listen.ip().is_loopback();
        match (auth, token, oauth_issuer) {
            (_, _, None) if oauth_audience.is_some() => usage(
                "an audience is configured, and no issuer whose tokens name it",
                "set --oauth-issuer as well, or remove --oauth-audience",
            ),
            (None, Some(_), Some(_)) => usage(
                "both a token and an issuer are configured",
                "remove one of them, or choose with --auth token or --auth oauth",
            ),
            (Some(AuthKind::None), None, None) => Ok(Required::Nothing),
            (Some(AuthKind::None), ..) => usage(
                "--auth none says that no token is required, and a token or an issuer is configured",
                "remove one of them",
            ),
            (None | Some(AuthKind::Token), Some(token), _) => Ok(Required::Token(token.clone())),
            (Some(AuthKind::Token), None, _) => usage(
                "--auth token says that a token is required, and none is configured",
                &format!("set {}", self.token_variables),
            ),
            (None | Some(AuthKind::AccessToken), _, Some(_))
                if self.listen.ip().is_unspecified() && self.settings.public_url.is_none() =>
            {
                usage(
                    "access tokens are for the URL of this server, and none is configured",
                    "set --public-url to the URL that callers use",
                )
            }
            (None | Some(AuthKind::AccessToken), _, Some(issuer)) => {
                self.access_token_of(issuer.clone())
            }
            (Some(AuthKind::AccessToken), _, None) => {
                usage("no issuer is configured", "set --oauth-issuer to the URL of the issuer")
            }
            (None, None, None) if is_local => Ok(Required::Nothing),
            (None, None, None) => {
                let (address, variables) = (self.listen, self.token_variables);
                usage(
                    &format!(
                        "{address} is reachable from other machines, and no token is configured"
                    ),
                    &format!(
                        "set {variables}, or listen on 127.0.0.1; --auth none lets anybody call"
                    ),
                )
            }
        }
    }

    fn access_token_of(&self, issuer: String) -> Result<Required, CliError> {
        let certificates = self.ca_file.as_deref().map(read_certificates).transpose();
        let certificates = certificates
            .map_err(|error| CliError::failed(error.message).with_hint(error.hint))?
            .unwrap_or_default();
        Ok(Required::AccessToken {
            issuer,
            audience: self.settings.oauth_audience.clone(),
            allow_http: self.allow_http,
            certificates,
        })
    }

    fn local_resource(&self, running: &Running) -> Result<Url, CliError> {
        let url = format!("{}{}", running.url, self.path);
        Url::parse(&url).map_err(|error| CliError::failed(format!("{url}: {error}")))
    }

    /// Whether others on the network can read requests, as far as the settings say: a proxy may be in front.
    fn is_readable_by_others(&self, is_secure: bool) -> bool {
        let has_secure_proxy =
            self.settings.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
        !self.listen.ip().is_loopback() && !is_secure && !has_secure_proxy
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

/// What a request has to show.
enum Required {
    Nothing,
    Token(String),
    /// An access token of an issuer, for an audience other than the URL of the server.
    AccessToken {
        issuer: String,
        audience: Option<String>,
        allow_http: bool,
        certificates: Vec<reqwest::Certificate>,
    },
}

impl Required {
    /// What checks it, for the server at a URL, and the document that clients find the issuer by, with its paths.
    async fn into_auth(self, resource: &Url) -> Result<(Auth, Option<Metadata>), CliError> {
        let (issuer, audience, allow_http, certificates) = match self {
            Self::Nothing => return Ok((Auth::Nothing, None)),
            Self::Token(token) => return Ok((Auth::Token(token), None)),
            Self::AccessToken { issuer, audience, allow_http, certificates } => {
                (issuer, audience, allow_http, certificates)
            }
        };
        let document = protected_resource_metadata(resource.as_str(), &issuer).to_string().into();
        let audience = audience.unwrap_or_else(|| resource.as_str().to_owned());
        let settings = IssuerSettings { issuer, audience, allow_http, certificates };
        let tokens = AccessTokens::new(settings).map_err(CliError::usage)?;
        // Only a warning: the issuer may start after this server.
        tokens.fetch_keys().await;
        let auth = Auth::AccessToken(Box::new(tokens), metadata_url(resource));
        Ok((auth, Some((metadata_paths(resource.path()).to_vec(), document))))
    }
}

/// What the registry says about itself.
struct RegistryProbe(Arc<Registry>);

impl Probe for RegistryProbe {
    fn is_ready(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(self.0.is_ready())
    }

    fn metrics(&self) -> String {
        self.0.metrics()
    }
}
