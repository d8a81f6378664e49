//! Validates access tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Validation;
use reqwest::Certificate;
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use url::Url;

use super::discovery::KeySource;
use super::issuer::Issuer;
use super::issuer_keys::IssuerKeys;
use super::key_set::KeySet;
use super::signatures;
use super::token_error::TokenError;
use super::token_header::TokenHeader;

/// How much clocks may differ.
const LEEWAY_SECONDS: u64 = 60;

/// Whose access tokens are accepted.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The issuer's identifier, exactly as its tokens have it.
    pub(crate) issuer: String,
    /// The audience that tokens must name: the URL of this server, or what the issuer calls it.
    pub(crate) audience: String,
    /// Whether an issuer on another machine may use plain http.
    pub(crate) allow_http: bool,
    /// Certificates to trust beside the system's.
    pub(crate) certificates: Vec<Certificate>,
}

/// Validates the access tokens of one issuer for one audience.
pub(crate) struct AccessTokens {
    keys: IssuerKeys,
    audience: String,
    /// All but the algorithm.
    validation: Validation,
}

/// The claims that say who calls; `jsonwebtoken` validates the others.
#[derive(Deserialize)]
struct Claims {
    /// Text: `jsonwebtoken` would also accept a list.
    #[serde(rename = "iss")]
    _issuer: Option<String>,
    sub: Option<String>,
    client_id: Option<String>,
}

impl AccessTokens {
    /// Nothing is fetched.
    ///
    /// # Errors
    /// A sentence for an issuer that is no https URL, or if the system has no certificates.
    pub(crate) fn new(settings: Settings) -> Result<Self, String> {
        signatures::install();
        let issuer = Issuer::parse(&settings.issuer, settings.allow_http)?;
        let source = KeySource::new(issuer, settings.certificates)?;
        let mut validation =
            Validation { leeway: LEEWAY_SECONDS, validate_nbf: true, ..Validation::default() };
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&spellings(&settings.audience));
        Ok(Self { keys: IssuerKeys::new(source), audience: settings.audience, validation })
    }

    /// The issuer's identifier.
    pub(crate) fn issuer(&self) -> &str {
        self.keys.issuer()
    }

    /// Fetches the keys before the first call, and logs a warning if that fails.
    pub(crate) async fn fetch_keys(&self) {
        let _ = self.keys.fetched().await;
    }

    /// Validates a token, as the `Authorization` header has it after `Bearer`. Returns a name for the subject of the issuer, always
    /// the same, from which neither can be read.
    ///
    /// # Errors
    /// [`TokenError`] if it is not one of the issuer for the audience, or if the keys cannot be fetched.
    pub(crate) async fn validate(&self, token: &str) -> Result<String, TokenError> {
        let header = TokenHeader::parse(token)?;
        if let Some(keys) = self.keys.known() {
            match self.validate_with(&keys, &header, token) {
                Err(TokenError::UnknownKey) => {}
                // Which key it is, only the signature shows.
                Err(TokenError::BadSignature) if header.key_id.is_none() => {}
                result => return result,
            }
        }
        let keys = self.keys.fetched().await?;
        self.validate_with(&keys, &header, token)
    }

    fn validate_with(
        &self,
        keys: &KeySet,
        header: &TokenHeader,
        token: &str,
    ) -> Result<String, TokenError> {
        let mut validation = self.validation.clone();
        validation.algorithms = vec![header.algorithm];
        let mut result = Err(TokenError::UnknownKey);
        for key in keys.candidates(header)? {
            let decoded = jsonwebtoken::decode::<Claims>(token, key, &validation);
            result = decoded
                .map_err(|error| TokenError::of_validation(&error, self.issuer(), &self.audience));
            if !matches!(result, Err(TokenError::BadSignature)) {
                break;
            }
        }
        self.identity(result?.claims)
    }

    fn identity(&self, claims: Claims) -> Result<String, TokenError> {
        let named = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (kind, name) = match (named(claims.sub), named(claims.client_id)) {
            (Some(subject), _) => ("sub", subject),
            (None, Some(client)) => ("client_id", client),
            (None, None) => {
                return Err(TokenError::Malformed(
                    "it names neither a subject (sub) nor a client_id",
                ));
            }
        };
        let mut hash = Context::new(&SHA256);
        for part in [self.issuer(), kind, &name] {
            hash.update(part.as_bytes());
            // No text of JSON or of a URL has this byte in UTF-8, so that no two identities have one name.
            hash.update(&[0xff]);
        }
        Ok(URL_SAFE_NO_PAD.encode(hash.finish()))
    }
}

/// The spellings of an audience: a URL without a path names the same server with a slash at the end and without.
fn spellings(audience: &str) -> Vec<String> {
    let bare = audience.trim_end_matches('/');
    let is_root = Url::parse(audience)
        .is_ok_and(|url| url.has_host() && url.path() == "/" && url.query().is_none());
    if is_root { vec![bare.to_owned(), format!("{bare}/")] } else { vec![audience.to_owned()] }
}
