//! Why an access token is rejected.

use hyper::StatusCode;
use jsonwebtoken::errors::{Error, ErrorKind};

/// Why an access token is rejected, in a sentence for the caller. It never repeats the token or what it claims.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// It cannot be read, or lacks what every access token has.
    #[error(
        "The access token is invalid: {0}. Send a JSON Web Token that the issuer has issued as an access token."
    )]
    Malformed(&'static str),
    /// Its signature is not one of an accepted kind, or does not fit its key.
    #[error(
        "The access token is signed with an algorithm that is not accepted. Expected is RS256, RS384, RS512, PS256, PS384, PS512, \
         ES256, ES384 or EdDSA, as the issuer's key has it."
    )]
    Algorithm,
    /// The issuer has no such key.
    #[error(
        "The access token is signed with a key that the issuer does not publish. Get a new token from the issuer."
    )]
    UnknownKey,
    /// Its signature is not the issuer's.
    #[error(
        "The signature of the access token is invalid. Get a new token from the issuer, and send it unchanged."
    )]
    BadSignature,
    /// Its time is over.
    #[error("The access token has expired. Get a new one from the issuer.")]
    Expired,
    /// Its time has not begun.
    #[error(
        "The access token is not valid yet. Use it later, or correct the clock of this server or of the issuer."
    )]
    NotYetValid,
    /// Another issuer has issued it.
    #[error("The access token is from another issuer. Get one from {expected}.")]
    WrongIssuer {
        /// The identifier of the issuer.
        expected: String,
    },
    /// It is for another server, or an ID token for a client.
    #[error(
        "The access token is for another audience. Request one for {expected} (parameter resource or audience)."
    )]
    WrongAudience {
        /// The audience of this server.
        expected: String,
    },
    /// The keys cannot be fetched, so that no token can be validated.
    #[error(
        "The access token cannot be validated, since the keys of its issuer cannot be fetched at present. Try again later; \
         the log of the server has the reason."
    )]
    IssuerUnreachable,
}

impl TokenError {
    /// The status of the response: 503 if the token may be valid, else 401.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::IssuerUnreachable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// The error for what `jsonwebtoken` found.
    pub(super) fn of_validation(error: &Error, issuer: &str, audience: &str) -> Self {
        let wrong_issuer = || Self::WrongIssuer { expected: issuer.to_owned() };
        let wrong_audience = || Self::WrongAudience { expected: audience.to_owned() };
        match error.kind() {
            ErrorKind::InvalidSignature => Self::BadSignature,
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::NotYetValid,
            ErrorKind::InvalidIssuer => wrong_issuer(),
            ErrorKind::InvalidAudience => wrong_audience(),
            ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Self::Algorithm,
            ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
                "iss" => wrong_issuer(),
                "aud" => wrong_audience(),
                _ => Self::Malformed("it has no valid time of expiry (exp)"),
            },
            ErrorKind::InvalidClaimFormat(_) => Self::Malformed("one of its times is not a number"),
            _ => Self::Malformed("its header or claims are not those of a JSON Web Token"),
        }
    }
}
