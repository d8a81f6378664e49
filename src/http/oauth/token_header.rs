//! The header of an access token, which is not trusted: it only selects among the issuer's keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde::Deserialize;

use super::token_error::TokenError;

/// Enough for dozens of groups and roles.
const MAX_TOKEN_BYTES: usize = 16 << 10;

/// What selects the key of a token.
#[derive(Debug)]
pub(super) struct TokenHeader {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
}

/// Its keys (`jwk`, `x5c`) and URLs (`jku`, `x5u`) are not read: anybody can put their own there.
#[derive(Deserialize)]
struct Members {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
}

impl TokenHeader {
    /// # Errors
    /// [`TokenError::Malformed`] and [`TokenError::Algorithm`].
    pub(super) fn parse(token: &str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed("it is longer than 16 KiB"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(_), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed("it does not consist of three parts"));
        };
        let members = URL_SAFE_NO_PAD.decode(header).ok();
        let members = members.and_then(|json| serde_json::from_slice::<Members>(&json).ok());
        let members =
            members.ok_or(TokenError::Malformed("its header is not that of a JSON Web Token"))?;
        if !members.typ.as_deref().is_none_or(is_access_token) {
            return Err(TokenError::Malformed("its type (typ) is neither at+jwt nor JWT"));
        }
        let algorithm = members.alg.parse().map_err(|_| TokenError::Algorithm)?;
        Ok(Self { algorithm: asymmetric(algorithm)?, key_id: members.kid })
    }
}

/// The type of access tokens (RFC 9068), and the one that most issuers write.
fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "at+jwt" | "jwt")
}

/// With a symmetric one, the public key would be the secret, which everybody knows.
fn asymmetric(algorithm: Algorithm) -> Result<Algorithm, TokenError> {
    match algorithm.family() {
        AlgorithmFamily::Rsa | AlgorithmFamily::Ec | AlgorithmFamily::Ed => Ok(algorithm),
        AlgorithmFamily::Hmac => Err(TokenError::Algorithm),
    }
}
