//! What the user wants to be masked.

use crate::registry::words::Words;

/// Which values of records are masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Masking {
    /// None.
    #[default]
    Off,
    /// What looks like a credential.
    Secrets,
    /// The same, and personal data: e-mail addresses, phone numbers, names, postal addresses, numbers of cards,
    /// accounts and documents.
    Personal,
}

impl Words for Masking {
    const WORDS: &[(&str, Self)] =
        &[("off", Self::Off), ("secrets", Self::Secrets), ("personal", Self::Personal)];
}

impl Masking {
    pub(super) fn is_personal(self) -> bool {
        self == Self::Personal
    }
}
