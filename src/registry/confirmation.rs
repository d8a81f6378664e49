//! Whether and how a call was confirmed.

/// How a call was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "what asks the user sets it")]
pub(crate) enum Confirmation {
    /// The user was asked.
    Asked,
    /// The caller passed the name of the model.
    Name,
    /// Nobody was asked.
    Never,
}
