//! A setting the client cannot work with, found before anything is sent.

/// A missing or invalid setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigurationError {
    /// What is wrong; names the setting.
    pub message: String,
    /// How to fix it.
    pub hint: String,
}

impl ConfigurationError {
    /// An error with its fix.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}
