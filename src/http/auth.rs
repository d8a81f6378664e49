//! Who may call, and who calls.

use std::sync::Arc;

use hyper::Request;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::budget::Budget;
use super::connection::Connection;
use super::rejection::Rejection;

/// What a request has to show.
pub(crate) enum Auth {
    /// Nothing.
    Nothing,
    /// This token.
    Token(String),
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
    pub(crate) fn peer_name(&self) -> Arc<str> {
        match &*self.identity {
            "" => self.connection.peer.ip().to_string().into(),
            _ => Arc::clone(&self.identity),
        }
    }

    /// The reservation of a response.
    pub(crate) fn reservation(&self) -> super::budget::Reservation {
        self.budget.reservation(self.peer_name())
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
                let token = bearer_token(request.headers()).unwrap_or_default();
                if equal_in_constant_time(token.as_bytes(), expected.as_bytes()) {
                    return Ok(Arc::from(""));
                }
                Err(Rejection::unauthorized(
                    HeaderValue::from_static("Bearer"),
                    "Send the configured token as Authorization: Bearer.",
                ))
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
