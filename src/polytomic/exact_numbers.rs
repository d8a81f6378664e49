//! Numbers with every digit the API or the caller sent.
//!
//! serde_json reads a number as a 64-bit integer or a double and may write other digits. Its feature
//! `arbitrary_precision` would change that for all crates of the process, and breaks numbers in flattened and
//! untagged types, JSON-RPC ids among them. So text is *marked* before it is parsed: a number that serde_json would
//! write differently becomes a string that begins with [`MARK`], and a string that begins with the mark gets a
//! second one. [`restore`] undoes both once the value is text again. A text without such numbers is searched once
//! and not copied.

use std::borrow::Cow;

use memchr::{memchr, memmem};
use serde_json::{Number, Value};

use super::decimals::{MAX_SAFE_INTEGER, decimal, is_exact};
use super::json_text::{Token, end_of_number, has_escape, is_number, replace_tokens};

/// Begins the string that stands for a number: DEL, one byte that JSON does not escape.
const MARK: char = '\u{7f}';
const MARK_BYTE: u8 = 0x7f;
const QUOTED_MARK: &str = "\"\u{7f}";
/// Every integer of fewer digits fits into 64 bits.
const MIN_LONG_INTEGER: usize = 19;

/// Who reads the restored text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The API, which gets every number as it was.
    Api,
    /// A client: a number beyond the range of doubles becomes a string, since many parsers reject it.
    Client,
}

/// Marks the numbers that serde_json would change.
pub(crate) fn mark(json: &str) -> Cow<'_, str> {
    mark_and_replace(json, |_| None, || {}).map_or(Cow::Borrowed(json), Cow::Owned)
}

/// Whether [`mark`] may change `json`. Takes a tenth of its time: most responses hold ids, texts and short integers only.
pub(super) fn may_need_marks(json: &str) -> bool {
    /// So many bytes are looked at together.
    const CHUNK: usize = 32;
    /// A byte that may begin a number after this one. No `&&` or `||`: without branches it is vectorized.
    fn begins_number(previous: u8, byte: u8) -> bool {
        (byte.is_ascii_digit() | (byte == b'-'))
            & ((previous <= b' ') | (previous == b':') | (previous == b',') | (previous == b'['))
    }
    let bytes = json.as_bytes();
    let is_unusual_at = |at: usize| {
        let rest = bytes.get(at..).unwrap_or_default();
        let number = rest.get(..end_of_number(rest, 0)).unwrap_or_default();
        let before = bytes.get(at.saturating_sub(2)..at);
        // The colons of a time are within a string.
        if let Some([before, b':']) = before
            && before.is_ascii_digit()
        {
            return false;
        }
        number.len() >= MIN_LONG_INTEGER
            || number.starts_with(b"-0")
            || number.iter().skip(1).any(|byte| !byte.is_ascii_digit())
    };
    let is_unusual_from = |start: usize, previous: &[u8], chunk: &[u8]| {
        let mut pairs = previous.iter().zip(chunk).enumerate();
        pairs.any(|(j, (a, b))| begins_number(*a, *b) && is_unusual_at(start + j + 1))
    };
    // Of a known length, so that it is vectorized.
    let begins_any = |previous: &[u8; CHUNK], chunk: &[u8; CHUNK]| {
        previous.iter().zip(chunk).fold(false, |any, (a, b)| any | begins_number(*a, *b))
    };
    let (chunks, rest) = bytes.get(1..).unwrap_or_default().as_chunks();
    let mut pairs = bytes.as_chunks().0.iter().zip(chunks).enumerate();
    let rest_start = chunks.len() * CHUNK;
    pairs.any(|(i, (previous, chunk))| {
        begins_any(previous, chunk) && is_unusual_from(i * CHUNK, previous, chunk)
    }) || is_unusual_from(rest_start, bytes.get(rest_start..).unwrap_or_default(), rest)
        || bytes.first().is_some_and(|first| begins_number(b' ', *first))
        || memchr(MARK_BYTE, bytes).is_some()
        || has_escape(bytes, b"\\u007")
}

/// Marks `json` and replaces its strings, given as tokens; none if nothing changes. Each number beyond the range of
/// doubles is reported.
pub(super) fn mark_and_replace(
    json: &str,
    replacement: impl Fn(&str) -> Option<String>,
    on_large_number: impl Fn(),
) -> Option<String> {
    replace_tokens(json, |token| match token {
        Token::Number(number) => is_changed_by_serde_json(number).then(|| {
            if !is_in_range(number) {
                on_large_number();
            }
            format!("{QUOTED_MARK}{number}\"")
        }),
        Token::String(string) => match replacement(string) {
            Some(string) => Some(mark_string(&string).unwrap_or(string)),
            None => mark_string(string),
        },
    })
}

/// A string that begins with the mark, with a second one.
fn mark_string(string: &str) -> Option<String> {
    let content = string.strip_prefix('"')?;
    let is_escaped = || content.get(..6).is_some_and(|e| e.eq_ignore_ascii_case("\\u007f"));
    (content.starts_with(MARK) || (content.starts_with('\\') && is_escaped()))
        .then(|| format!("{QUOTED_MARK}{content}"))
}

/// Writes marked numbers as numbers again, and strings without their second mark.
pub(crate) fn restore(json: &str, reader: Reader) -> Cow<'_, str> {
    if !is_marked(json) {
        return Cow::Borrowed(json);
    }
    let restored = replace_tokens(json, |token| {
        let Token::String(string) = token else { return None };
        let content = string.strip_prefix(QUOTED_MARK)?;
        let number = content.strip_suffix('"').filter(|number| is_number(number));
        match number {
            Some(number) if reader == Reader::Client && !is_in_range(number) => {
                Some(format!("\"{number}\""))
            }
            Some(number) => Some(number.to_owned()),
            None => content.starts_with(MARK).then(|| format!("\"{content}")),
        }
    });
    restored.map_or(Cow::Borrowed(json), Cow::Owned)
}

/// Whether JSON text contains marks.
pub(crate) fn is_marked(json: &str) -> bool {
    let bytes = json.as_bytes();
    memchr(MARK_BYTE, bytes).is_some() && memmem::find(bytes, QUOTED_MARK.as_bytes()).is_some()
}

/// The digits of a number that serde_json would change, from the string that stands for it in a value.
///
/// The configuration of a model, examples of fields and properties outside the contract contain such strings.
#[must_use]
pub fn marked_number(text: &str) -> Option<&str> {
    text.strip_prefix(MARK).filter(|number| is_number(number))
}

/// A string of a value without its mark.
pub(crate) fn unmarked(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// Replaces a marked number with the nearest one that serde_json can read, for a place where precision is none.
pub(crate) fn round(value: &mut Value) {
    if let Some(number) = value.as_str().and_then(marked_number)
        && let Ok(rounded) = serde_json::from_str(number)
    {
        *value = rounded;
    }
}

/// Whether two values are the same but for the spelling of numbers: a client that reads 1.50 sends 1.5.
pub(crate) fn is_same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_same_value(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_same = |(name, a)| other.get(name).is_some_and(|b| is_same_value(a, b));
            one.len() == other.len() && one.iter().all(is_same)
        }
        _ => {
            let is_same_number =
                || decimal_value(one).is_some_and(|value| Some(value) == decimal_value(other));
            one == other || is_same_number()
        }
    }
}

/// The decimal that a value is, if it is a number. Zero has no sign.
fn decimal_value(value: &Value) -> Option<(bool, String, i64)> {
    let (is_negative, digits, exponent) = match value {
        Value::Number(number) => decimal(&number.to_string()),
        Value::String(text) => decimal(marked_number(text)?),
        _ => None,
    }?;
    Some((is_negative && !digits.is_empty(), digits, exponent))
}

/// Whether a value contains a number that clients get as text, since it is beyond the range of doubles.
pub(super) fn has_number_beyond_doubles(value: &Value) -> bool {
    match value {
        Value::String(text) => marked_number(text).is_some_and(|number| !is_in_range(number)),
        Value::Array(items) => items.iter().any(has_number_beyond_doubles),
        Value::Object(map) => map.values().any(has_number_beyond_doubles),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Replaces the numbers that a double does not hold exactly with strings, at any depth. Returns how many there were.
pub(crate) fn inexact_to_strings(value: &mut Value) -> usize {
    match value {
        Value::Number(number) => {
            let is_unsafe = number.as_i64().map_or_else(
                || number.as_u64().is_some_and(|n| n > MAX_SAFE_INTEGER),
                |n| n.unsigned_abs() > MAX_SAFE_INTEGER,
            );
            if is_unsafe {
                *value = Value::String(number.to_string());
            }
            usize::from(is_unsafe)
        }
        Value::String(text) => match marked_number(text).filter(|number| !is_exact(number)) {
            Some(number) => {
                *text = number.to_owned();
                1
            }
            None => 0,
        },
        Value::Array(items) => items.iter_mut().map(inexact_to_strings).sum(),
        Value::Object(map) => map.values_mut().map(inexact_to_strings).sum(),
        Value::Null | Value::Bool(_) => 0,
    }
}

fn is_changed_by_serde_json(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return number == "-0"
            || (digits.len() >= MIN_LONG_INTEGER
                && number.parse::<i64>().is_err()
                && number.parse::<u64>().is_err()
                && is_number(number));
    }
    if is_short_decimal(digits) {
        return false;
    }
    let written = number.parse().ok().and_then(Number::from_f64);
    is_number(number) && written.is_none_or(|written| written.to_string() != number)
}

/// Whether a number is one of the common decimals that serde_json does not change.
fn is_short_decimal(digits: &str) -> bool {
    /// Every decimal of so many digits is the shortest text for its double.
    const MAX_DIGITS: usize = 15;
    let Some((integer, fraction)) = digits.split_once('.') else { return false };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_large = |fraction: &str| fraction.bytes().take(4).any(|digit| digit != b'0');
    integer.len() + fraction.len() <= MAX_DIGITS
        && is_digits(integer)
        && is_digits(fraction)
        && (integer == "0" || !integer.starts_with('0'))
        && (fraction == "0" || !fraction.ends_with('0'))
        // A smaller one is written with an exponent.
        && (integer != "0" || fraction == "0" || is_large(fraction))
}

fn is_in_range(number: &str) -> bool {
    number.parse().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::polytomic::decimals::shortest;

    /// What a client gets of a text that was parsed and written again.
    fn round_trip(json: &str, reader: Reader) -> String {
        let value: Value = serde_json::from_str(&mark(json)).unwrap();
        restore(&value.to_string(), reader).into_owned()
    }

    fn in_record(number: &str) -> String {
        let mut value = serde_json::from_str(&mark(&format!("[{{\"a\":{number}}}]"))).unwrap();
        let replaced = inexact_to_strings(&mut value);
        let text = restore(&value.to_string(), Reader::Client).into_owned();
        assert_eq!(replaced > 0, text.contains("\":\""), "{text}");
        text.replace("[{\"a\":", "").replace("}]", "")
    }

    #[test]
    fn records_keep_numbers_that_a_double_holds_and_spell_out_the_others() {
        for number in [
            "0",
            "-0",
            "-0.0",
            "0.1",
            "1.0",
            "1.50",
            "1e3",
            "1E+3",
            "0.30000000000000004",
            "1e-7",
            "9007199254740991",
            "-9007199254740991",
            "1e20",
            "0.000",
            "123456789.125000",
            "5e-324",
            "1.7976931348623157e308",
            "0e99999999999",
            "12300e-2",
            // As near to its double as 1000000000000000.3 is.
            "1000000000000000.2",
            "1000000000000000.20",
        ] {
            assert_eq!(in_record(number), number);
        }
        for number in [
            "9007199254740992",
            "-9007199254740993",
            "9223372036854775807",
            "18446744073709551615",
            "170141183460469231731687303715884105727",
            "0.1234567890123456789",
            "1e400",
            "-1e400",
            "1e-400",
            "9007199254740993.0",
            "1000000000000000.3",
            "-10000000000000003e-1",
            "0.1000000000000000000001",
            "1e99999999999999999999",
        ] {
            assert_eq!(in_record(number), format!("\"{number}\""));
        }
    }

    #[test]
    fn numbers_outside_records_stay_numbers_unless_no_double_is_near() {
        let json = r#"{"a":[1.50,-0,170141183460469231731687303715884105727,1e3,5],"b":1.5}"#;
        assert_eq!(round_trip(json, Reader::Client), json);
        assert_eq!(round_trip("[1e400,-1e400]", Reader::Client), "[\"1e400\",\"-1e400\"]");
        assert_eq!(round_trip("[1e400,-1e400]", Reader::Api), "[1e400,-1e400]");
    }

    #[test]
    fn numbers_are_the_same_however_they_are_spelled() {
        let value = |json: &str| -> Value { serde_json::from_str(&mark(json)).unwrap() };
        for (one, other, is_same) in [
            ("1.50", "1.5", true),
            ("1E2", "100", true),
            ("-0.0", "0", true),
            ("[{\"a\":1.50,\"b\":\"x\"}]", "[{\"b\":\"x\",\"a\":15e-1}]", true),
            ("1e400", "10e399", true),
            ("12345678901234567890123", "12345678901234567890123.0", true),
            ("12345678901234567890123", "12345678901234567890124", false),
            ("1.5", "-1.5", false),
            ("1.5", "\"1.5\"", false),
            ("1.50", "\"1.50\"", false),
            ("[1.50]", "[1.5,1]", false),
            ("{\"a\":1.50}", "{\"b\":1.5}", false),
            ("null", "0", false),
        ] {
            assert_eq!(is_same_value(&value(one), &value(other)), is_same, "{one} {other}");
        }
    }

    #[test]
    fn a_text_that_needs_no_mark_is_not_copied() {
        let json = json!({"a": [1, -5, 1.5, 1e300, u64::MAX, i64::MIN, "1.50", "x\u{7f}", "\\"]});
        let text = json.to_string();
        assert!(matches!(mark(&text), Cow::Borrowed(_)));
        assert!(matches!(restore(&text, Reader::Client), Cow::Borrowed(_)));
    }

    #[test]
    fn only_unusual_numbers_and_marks_are_looked_for() {
        for (json, expected) in [
            (
                r#"{"id":"248df4b7-aa70-47b8","a":[1,-5,900719925474099],"at":"2025-09-18T10:00:00.5Z"}"#,
                false,
            ),
            (r#"{"a":1.5}"#, true),
            (r#"[1, -0]"#, true),
            ("[\n\t1e3]", true),
            ("[1,18446744073709551616]", true),
            ("1.50", true),
            (r#"["\u007F"]"#, true),
            ("[\"\u{7f}\"]", true),
        ] {
            assert_eq!(may_need_marks(json), expected, "{json}");
            // Wherever a chunk ends.
            for spaces in 0..130 {
                let json = format!("[\"{}\",{json}]", "a".repeat(spaces));
                assert_eq!(may_need_marks(&json), expected, "{json}");
            }
        }
    }

    #[test]
    fn strings_that_look_marked_stay_strings() {
        for text in ["\u{7f}", "\u{7f}1.50", "\u{7f}\u{7f}1.50", "\u{7f}\"\\1", "1.50", "\u{7f}\n1"]
        {
            let json = json!({text: [text, {"a": text}]}).to_string();
            assert_eq!(round_trip(&json, Reader::Client), json);
        }
        assert_eq!(round_trip(r#"["\u007F1.50"]"#, Reader::Client), "[\"\u{7f}1.50\"]");
    }

    #[test]
    fn what_is_not_json_stays_invalid() {
        for text in [
            "01.50",
            "1.50.1",
            "[1.",
            "-",
            "+1.50",
            "1.50e",
            "{\"a\":1.50 1.50}",
            "--1e400",
            "{-1e0:2}",
            "{1.50 \n:2}",
        ] {
            assert!(serde_json::from_str::<Value>(&mark(text)).is_err(), "{text}");
        }
    }

    fn number() -> impl Strategy<Value = String> {
        prop_oneof![
            "-?(0|[1-9][0-9]{0,3})\\.[0-9]{1,8}",
            // Many are half-way between two doubles or two decimals.
            "-?[1-9][0-9]{14,15}\\.[0-9]{1,3}",
            "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,5})?",
            any::<f64>()
                .prop_filter("JSON has neither", |n| n.is_finite())
                .prop_map(|n| json!(n).to_string()),
            any::<i64>().prop_map(|n| n.to_string()),
            any::<i128>().prop_map(|n| n.to_string()),
        ]
    }

    fn document() -> impl Strategy<Value = String> {
        let string = "[\u{7f}a1.\"\\\\\n€]{0,6}".prop_map(|text| json!(text).to_string());
        let leaf = prop_oneof![number(), string.clone(), Just("null".to_owned())];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            let entry = (string.clone(), inner.clone()).prop_map(|(k, v)| format!("{k}:{v}"));
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|v| format!("[{}]", v.join(","))),
                // One property: serde_json keeps one of two with the same name.
                entry.prop_map(|entry| format!("{{{entry}}}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_document_is_sent_back_to_the_api_as_it_came(json in document()) {
            prop_assert_eq!(round_trip(&json, Reader::Api), json);
        }

        #[test]
        fn a_record_shows_every_digit(number in number()) {
            let shown = in_record(&number);
            prop_assert_eq!(shown.trim_matches('"'), &number);
            // What stays a number is the same one for a client that reads doubles.
            if !shown.starts_with('"') {
                prop_assert_eq!(shortest(shown.parse().unwrap()), decimal(&number));
            }
        }

        #[test]
        fn text_that_needs_marks_is_recognized(json in document()) {
            let marked = mark_and_replace(&json, |_| None, || {});
            prop_assert!(may_need_marks(&json) || marked.is_none());
        }

        #[test]
        fn any_text_can_be_marked_and_restored(text in "[\u{7f}\"\\\\0-9.eE+:,{}\\[\\]-]{0,40}") {
            let marked = mark(&text);
            restore(&marked, Reader::Api);
        }
    }
}
