//! What the user wants to be masked.

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

impl Masking {
    /// The words of the setting.
    pub(crate) const WORDS: &[&str] = &["off", "secrets", "personal"];

    /// By the word of the setting, ignoring case.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let all = [Self::Off, Self::Secrets, Self::Personal];
        all.into_iter().find(|masking| masking.as_str().eq_ignore_ascii_case(word))
    }

    /// The word of the setting.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Secrets => "secrets",
            Self::Personal => "personal",
        }
    }

    pub(super) fn is_personal(self) -> bool {
        self == Self::Personal
    }
}
