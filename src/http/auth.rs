//! Who may call, and who calls.

use std::sync::Arc;

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::{Request, StatusCode};
use url::Url;

use super::budget::{Budget, Exceeded};
use super::connection::Connection;
use super::oauth::{AccessTokens, challenge};
use super::rejection::Rejection;

/// What a request has to show.
pub(crate) enum Auth {
    /// Nothing.
    Nothing,
    /// This token.
    Token(String),
    /// An access token of an issuer; the URL is that of the metadata about this server.
    AccessToken(Box<AccessTokens>, Url),
}

/// The sender of a request.
#[derive(Clone)]
pub(crate) struct Caller {
    /// Who it is, as far as a credential says: equal for requests of the same user. Empty if all are alike.
    pub(crate) identity: Arc<str>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) budget: Budget,
}

impl Caller {
    /// Whose share of the budget it uses.
    fn peer_name(&self) -> Arc<str> {
        match &*self.identity {
            "" => self.connection.peer.ip().to_string().into(),
            _ => Arc::clone(&self.identity),
        }
    }

    /// The reservation of a response.
    pub(crate) fn reservation(&self) -> super::budget::Reservation {
        self.budget.reservation(self.peer_name(), Arc::clone(&self.connection))
    }

    /// Whether its bodies use so much that nothing more should be started. Connections that do not read make way first, and one
    /// that uses nothing does not suffer from others of the same caller.
    pub(crate) fn is_exhausted(&self) -> bool {
        let is_refused = match self.budget.exhausted(&self.peer_name()) {
            None => false,
            Some(Exceeded::Caller) => {
                self.connection.reserved() > 0 || self.connection.count_in_flight() > 1
            }
            Some(Exceeded::Total) => true,
        };
        is_refused && !self.connection.relieve()
    }
}

impl Auth {
    /// Whether every request has to show something.
    pub(crate) fn is_required(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// The identity of the sender of a request.
    ///
    /// # Errors
    /// A [`Rejection`] for a request that shows nothing, or the wrong thing.
    pub(super) async fn identify<B>(&self, request: &Request<B>) -> Result<Arc<str>, Rejection> {
        match self {
            Self::Nothing => Ok(Arc::from("")),
            Self::Token(expected) => {
                let Some(token) = bearer_token(request.headers()) else {
                    return Err(Rejection::unauthorized(
                        HeaderValue::from_static("Bearer"),
                        "Send the server's token as Authorization: Bearer.",
                    ));
                };
                if equal_in_constant_time(token.as_bytes(), expected.as_bytes()) {
                    return Ok(Arc::from(""));
                }
                Err(Rejection::unauthorized(
                    HeaderValue::from_static("Bearer error=\"invalid_token\""),
                    "The token in Authorization is not the one of this server.",
                ))
            }
            Self::AccessToken(tokens, metadata) => {
                let Some(token) = bearer_token(request.headers()) else {
                    return Err(Rejection::unauthorized(
                        challenge(None, metadata.as_str()),
                        "Send an access token as Authorization: Bearer; the metadata in WWW-Authenticate names its issuer.",
                    ));
                };
                match tokens.validate(token).await {
                    Ok(subject) => Ok(subject.into()),
                    Err(error) if error.status() == StatusCode::SERVICE_UNAVAILABLE => {
                        Err(Rejection::busy(error.status(), error.to_string()))
                    }
                    Err(error) => Err(Rejection::unauthorized(
                        challenge(Some(&error), metadata.as_str()),
                        error.to_string(),
                    )),
                }
            }
        }
    }
}

/// The token of a Bearer credential.
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Compares in constant time, so that the duration reveals nothing about the token.
fn equal_in_constant_time(actual: &[u8], expected: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    actual.ct_eq(expected).into()
}
