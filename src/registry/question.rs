//! The text of a question to the user. Its reader is a person, who cannot distinguish our words from those of a name,
//! unless the name is quoted and stays within its quotes.

use serde_json::Value;

use super::redaction;
use crate::polytomic::is_invisible;

/// A question to the user, with all that their decision rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What they read.
    pub text: String,
    /// What they decide about, complete, of which the text shows a part. It is compared and never shown.
    pub basis: String,
}

impl Question {
    /// A question about what is read from the API.
    pub(crate) fn new(text: String, basis: &Value) -> Self {
        Self { text, basis: basis.to_string() }
    }

    /// A question about nothing but the arguments of the call.
    pub(crate) fn about_arguments(text: String) -> Self {
        Self { text, basis: String::new() }
    }
}

/// Maximum characters of a name.
const MAX_NAME_CHARACTERS: usize = 80;
/// Maximum number of names in a list; further ones are only counted.
const MAX_NAMES: usize = 10;

/// A name from outside in double quotes: on one line, without what cannot be seen, truncated.
pub(crate) fn quoted_name(name: &str) -> String {
    let mut visible = redaction::mask_text(name);
    visible.retain(|c| !is_invisible(c) && (!c.is_control() || c.is_whitespace()));
    let mut words = String::new();
    for word in visible.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        // A quotation mark would end the name for its reader.
        words.extend(word.chars().map(|c| if is_double_quote(c) { '\'' } else { c }));
    }
    match words.char_indices().nth(MAX_NAME_CHARACTERS) {
        Some((end, _)) => format!("\"{}…\"", words.get(..end).unwrap_or_default()),
        None => format!("\"{words}\""),
    }
}

/// Some names in a sentence: `"A", "B" and 3 more`.
pub(crate) fn listed_names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let shown: Vec<String> = names.take(MAX_NAMES).map(quoted_name).collect();
    match count - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn is_double_quote(c: char) -> bool {
    matches!(c, '"' | '\u{201c}'..='\u{201f}' | '\u{2033}' | '\u{ff02}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_within_its_quotes() {
        let long = "n".repeat(100);
        let cut = format!("\"{}…\"", "n".repeat(80));
        for (name, expected) in [
            ("Users", "\"Users\""),
            ("", "\"\""),
            ("a\" is safe to delete. \"b", "\"a' is safe to delete. 'b\""),
            ("a\u{201d} b", "\"a' b\""),
            ("two\nlines\r\n\tand a tab", "\"two lines and a tab\""),
            ("hid\u{200b}den\u{202e}\u{e0041} \u{7}bell\u{1b}[31m", "\"hidden bell[31m\""),
            ("Kundenübersicht 日本", "\"Kundenübersicht 日本\""),
            (&long, &cut),
        ] {
            assert_eq!(quoted_name(name), expected);
        }
    }

    #[test]
    fn many_names_are_counted() {
        assert_eq!(listed_names(["a", "b"].into_iter()), "\"a\", \"b\"");
        let many = vec!["x"; 13];
        assert!(listed_names(many.into_iter()).ends_with("\"x\" and 3 more"));
    }
}
