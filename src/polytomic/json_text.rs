//! Replaces strings and numbers in JSON text without parsing it into values, which would take a multiple of its
//! size.

use memchr::{memchr, memchr2, memmem};

/// A string with its quotes, or a number, as spelled.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token<'a> {
    String(&'a str),
    Number(&'a str),
}

/// Copies `json` with the tokens for which `replacement` returns other text; none if it returns none. Text that is
/// not JSON stays what it is.
pub(super) fn replace_tokens(
    json: &str,
    mut replacement: impl FnMut(Token<'_>) -> Option<String>,
) -> Option<String> {
    let bytes = json.as_bytes();
    let (mut copy, mut copied, mut at) = (None::<String>, 0, 0);
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let token = match byte {
            b'"' => {
                at = end_of_string(bytes, start + 1)?;
                Token::String(json.get(start..at)?)
            }
            b'-' | b'0'..=b'9' => {
                at = end_of_number(bytes, start + 1);
                if is_name(bytes, at) {
                    continue;
                }
                Token::Number(json.get(start..at)?)
            }
            _ => {
                at += 1;
                continue;
            }
        };
        if let Some(text) = replacement(token) {
            let copy = copy.get_or_insert_with(|| String::with_capacity(json.len() + text.len()));
            copy.push_str(json.get(copied..start)?);
            copy.push_str(&text);
            copied = at;
        }
    }
    let mut copy = copy?;
    copy.push_str(json.get(copied..)?);
    Some(copy)
}

/// The position behind the closing quote; none for a string without end.
pub(super) fn end_of_string(json: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr2(b'"', b'\\', json.get(at..)?)?;
        if json.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Whether JSON text contains an escape, which begins with a backslash. Most texts have none, and preparing a search for more
/// than one byte takes as long as the search.
pub(super) fn has_escape(json: &[u8], escape: &[u8]) -> bool {
    memchr(b'\\', json).is_some() && memmem::find(json, escape).is_some()
}

/// Whether what ends before `at` is the name of a property, which no number is in JSON: replaced by a string, it would
/// become one.
fn is_name(json: &[u8], at: usize) -> bool {
    let rest = json.get(at..).unwrap_or_default();
    rest.trim_ascii_start().first() == Some(&b':')
}

/// The position behind the number that `at` is in.
pub(super) fn end_of_number(json: &[u8], mut at: usize) -> usize {
    while json.get(at).is_some_and(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
    {
        at += 1;
    }
    at
}

/// Whether a text is one number of JSON's grammar.
pub(super) fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (integer, fraction) = match mantissa.split_once('.') {
        Some((integer, fraction)) => (integer, Some(fraction)),
        None => (mantissa, None),
    };
    digits(integer)
        && (integer == "0" || !integer.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_string_and_number_is_found_once() {
        let json = r#" {"a\"1":[-1.5e+3,0,"\\"],"b":{"":true},"c" : 12 } "#;
        let mut found = Vec::new();
        let copy = replace_tokens(json, |token| {
            let (Token::String(text) | Token::Number(text)) = token;
            found.push(text.to_owned());
            None
        });
        assert_eq!(copy, None);
        let expected = [r#""a\"1""#, "-1.5e+3", "0", r#""\\""#, r#""b""#, r#""""#, r#""c""#, "12"];
        assert_eq!(found, expected);
        let copy = replace_tokens(json, |token| match token {
            Token::Number(_) => Some("n".to_owned()),
            Token::String(_) => None,
        });
        assert_eq!(copy.unwrap(), r#" {"a\"1":[n,n,"\\"],"b":{"":true},"c" : n } "#);
    }

    #[test]
    fn text_that_breaks_off_stays() {
        for text in ["", "\"", "{\"a\\", "{\"a\\\"", "1.5 \"ü", "\\\"1"] {
            assert_eq!(replace_tokens(text, |_| Some(String::new())), None, "{text}");
        }
    }

    #[test]
    fn the_grammar_of_numbers_is_that_of_json() {
        for text in ["0", "-0", "1.50", "1e3", "-1.5E-0007", "120", "1E+9"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "1.2.3", "1-2", "0x1", "--1"] {
            assert!(!is_number(text), "{text}");
        }
    }
}
