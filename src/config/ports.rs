//! The settings of a server that listens on a port, as `port_reader` reads them.

use std::path::PathBuf;

use url::Url;

use crate::registry::Words;

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    /// Callers with the token.
    Token,
    /// Callers with an access token of the issuer.
    AccessToken,
    /// Anybody.
    None,
}

impl Words for Auth {
    const WORDS: &[(&str, Self)] =
        &[("token", Self::Token), ("oauth", Self::AccessToken), ("none", Self::None)];
}

/// Where the API key of a call is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum KeysFrom {
    /// The settings of the server.
    #[default]
    Settings,
    /// The request of the caller.
    Request,
}

impl Words for KeysFrom {
    const WORDS: &[(&str, Self)] = &[("settings", Self::Settings), ("request", Self::Request)];
}

/// The settings of a server that listens on a port.
#[derive(Clone, Default)]
pub(crate) struct PortSettings {
    /// Who may call; by what is configured if unset.
    pub(crate) auth: Option<Auth>,
    /// The token of `http`, and of `rpc` without one of its own.
    pub(crate) token: Option<String>,
    /// The token of `rpc`.
    pub(crate) rpc_token: Option<String>,
    /// The issuer of accepted access tokens, as written: tokens repeat it character by character.
    pub(crate) oauth_issuer: Option<String>,
    /// The audience of accepted access tokens, if it is not the public URL.
    pub(crate) oauth_audience: Option<String>,
    /// The URL that callers use.
    pub(crate) public_url: Option<Url>,
    /// Origins of web pages that may call, as browsers write them.
    pub(crate) allowed_origins: Vec<String>,
    /// Where the API key of a call is from.
    pub(crate) keys_from: KeysFrom,
    /// The file of the certificate chain.
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The file of its private key.
    pub(crate) tls_key: Option<PathBuf>,
}
