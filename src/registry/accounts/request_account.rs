//! The account that a request brings, for all its calls.

use std::sync::Arc;

use super::account::Account;
use crate::registry::error::ToolError;

/// The account of one request, or of all messages of a WebSocket.
#[derive(Debug, Clone, Default)]
pub(crate) enum RequestAccount {
    /// Calls use the key of the settings, or fail if there is none.
    #[default]
    Absent,
    /// Calls use this one.
    Present(Arc<Account>),
    /// Calls fail, since the headers hold no usable key.
    Unusable(Box<ToolError>),
}

impl RequestAccount {
    /// The account of a call.
    ///
    /// # Errors
    /// `not_configured` for headers without a usable key.
    pub(crate) fn for_call(&self) -> Result<Option<Arc<Account>>, ToolError> {
        match self {
            Self::Absent => Ok(None),
            Self::Present(account) => Ok(Some(Arc::clone(account))),
            Self::Unusable(error) => Err(ToolError::clone(error)),
        }
    }

    /// The identity of a caller who is known by another name as well: equal for requests with the same key.
    pub(crate) fn identity(&self, identity: &Arc<str>) -> Arc<str> {
        match self {
            Self::Present(account) => match account.caller_id() {
                Some(id) => format!("{identity} {id}").into(),
                None => Arc::clone(identity),
            },
            _ => Arc::clone(identity),
        }
    }
}
