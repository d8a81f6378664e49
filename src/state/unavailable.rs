//! The error of everything that needs the state while it cannot be used.

/// The state cannot be used. No text in it holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the state at {place} cannot be used: {reason}")]
pub struct StateUnavailable {
    /// Where the state is: the address without its password, or a directory.
    pub place: String,
    /// Why it cannot be used; may quote the other side.
    pub reason: String,
}
