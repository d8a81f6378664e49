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

/// What stands for a name of which nothing can be seen.
const NO_NAME: &str = "without a visible name";

/// A name from outside in double quotes: on one line, without what cannot be seen, truncated. Without quotes, words
/// that say that nothing of it can be seen.
pub(crate) fn quoted_name(name: &str) -> String {
    let mut visible = redaction::mask_text(name);
    visible.retain(|c| !is_invisible(c) && (!c.is_control() || c.is_whitespace()));
    let mut words = String::new();
    for word in visible.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        for (index, c) in word.chars().enumerate() {
            // A quotation mark would end the name for its reader, and so would two single ones.
            let shown =
                if is_double_quote(c) || index == 0 && is_double_mark(c) { '\'' } else { c };
            if !(is_single_quote(shown) && words.ends_with(is_single_quote)) {
                words.push(shown);
            }
        }
    }
    if words.is_empty() {
        return NO_NAME.to_owned();
    }
    match words.char_indices().nth(MAX_NAME_CHARACTERS) {
        Some((end, _)) => format!("\"{}…\"", words.get(..end).unwrap_or_default()),
        None => format!("\"{words}\""),
    }
}

/// Some names in a sentence: `"A", "B" and 3 more`.
pub(crate) fn listed_names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let shown: Vec<String> = names.take(MAX_NAMES).map(listed_name).collect();
    match count - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn listed_name(name: &str) -> String {
    match quoted_name(name) {
        name if name == NO_NAME => format!("one {name}"),
        name => name,
    }
}

/// Whether a character looks like a double quote or contains one: those with Unicode's property `Quotation_Mark`, and
/// those that its table of confusable characters maps to two single ones. Angle quotes look different.
fn is_double_quote(c: char) -> bool {
    matches!(
        c,
        '"' | '\u{2ba}' | '\u{2dd}' | '\u{2ee}' | '\u{2f5}' | '\u{2f6}' | '\u{5f2}' | '\u{5f4}' | '\u{1cd3}'
            | '\u{201c}'..='\u{201f}' | '\u{2033}' | '\u{2034}' | '\u{2036}' | '\u{2037}' | '\u{2057}'
            | '\u{275d}' | '\u{275e}' | '\u{2760}' | '\u{2e42}' | '\u{3003}' | '\u{301d}'..='\u{301f}'
            | '\u{ff02}' | '\u{1f676}'..='\u{1f678}'
    )
}

/// Whether a character is a double mark on the letter before it. Without a letter it looks like a double quote.
fn is_double_mark(c: char) -> bool {
    matches!(c, '\u{30b}' | '\u{30e}' | '\u{30f}' | '\u{348}')
}

/// Whether two of a character look like a double quote.
fn is_single_quote(c: char) -> bool {
    matches!(
        c,
        '\'' | '`' | '\u{b4}' | '\u{2b9}' | '\u{2bb}'..='\u{2bf}' | '\u{2c8}' | '\u{2ca}' | '\u{2cb}' | '\u{2f4}'
            | '\u{374}' | '\u{384}' | '\u{55a}' | '\u{55b}' | '\u{55d}' | '\u{5f3}' | '\u{7f4}' | '\u{7f5}'
            | '\u{1fbd}' | '\u{1fbf}' | '\u{1fef}' | '\u{1ffd}' | '\u{1ffe}' | '\u{2018}'..='\u{201b}'
            | '\u{2032}' | '\u{2035}' | '\u{275b}' | '\u{275c}' | '\u{275f}' | '\u{a78b}' | '\u{a78c}'
            | '\u{ff07}' | '\u{ff40}'
    )
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
            ("", "without a visible name"),
            (
                " \u{2800}\u{3164}\u{115f}\n\u{1160}\u{ffa0}\u{34f} \u{e0100}",
                "without a visible name",
            ),
            ("a'' b", "\"a' b\""),
            ("a\u{2019}\u{2032}\u{301e} b", "\"a\u{2019} b\""),
            ("l'été d\u{2019}O\u{2019}Neil", "\"l'été d\u{2019}O\u{2019}Neil\""),
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
    fn nothing_in_a_name_looks_like_the_end_of_it() {
        for quote in "\"\u{2ba}\u{2dd}\u{2ee}\u{2f5}\u{2f6}\u{5f2}\u{5f4}\u{201c}\u{201d}\u{201e}\u{201f}\u{2033}\u{2034}\u{2036}\
            \u{2037}\u{2057}\u{275d}\u{275e}\u{2760}\u{2e42}\u{3003}\u{301d}\u{301e}\u{301f}\u{ff02}\u{1cd3}\u{1f676}\u{1f677}\u{1f678}"
            .chars()
        {
            let expected = "\"a' is empty\"";
            assert_eq!(quoted_name(&format!("a{quote} is empty")), expected, "{quote:?}");
        }
        // A mark above or below nothing.
        for mark in ['\u{30b}', '\u{30e}', '\u{30f}', '\u{348}'] {
            assert_eq!(quoted_name(&format!("a {mark} b")), "\"a ' b\"", "{mark:?}");
        }
        assert_eq!(quoted_name("o\u{30b}"), "\"o\u{30b}\"", "a letter");
    }

    #[test]
    fn many_names_are_counted() {
        assert_eq!(listed_names(["a", " "].into_iter()), "\"a\", one without a visible name");
        assert_eq!(listed_names(["a", "b"].into_iter()), "\"a\", \"b\"");
        let many = vec!["x"; 13];
        assert!(listed_names(many.into_iter()).ends_with("\"x\" and 3 more"));
    }
}
