//! Values that a setting has words for.

/// A value that is one of several, each with its word in a setting.
pub(crate) trait Words: Copy + PartialEq + 'static {
    /// The words, in the order in which they are listed.
    const WORDS: &[(&str, Self)];

    /// The value of a word, whatever its case.
    fn parse(word: &str) -> Option<Self> {
        let mut words = Self::WORDS.iter();
        words.find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, value)| *value)
    }

    /// The word of a value.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }

    /// The words without their values.
    fn words() -> Vec<&'static str> {
        Self::WORDS.iter().map(|(word, _)| *word).collect()
    }
}
