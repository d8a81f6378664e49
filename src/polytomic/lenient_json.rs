//! Repairs text that is JSON but for single characters and numbers: lone surrogates, bytes that are not UTF-8, control
//! characters in strings, a byte-order mark, `NaN` and `Infinity`.
//!
//! Only what is between two quotes or in the place of one number changes. Structure is never guessed at: text with a
//! missing quote, comma or bracket stays what it is, and is not JSON. One pass, which copies the text once.
//!
//! Own code: the libraries that read such text either guess at structure or put 0 in the place of NaN.

use super::json_path::JsonPath;
use super::json_text::{end_of_number, end_of_string, is_number};
use super::repairs::{Repair, Repairs};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// What JSON lacks, as many languages write it.
const NOT_NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// Repaired text, and what was changed. Whether it is JSON is for the parser to say.
#[derive(Debug)]
pub(super) struct Repaired {
    pub(super) json: String,
    pub(super) repairs: Repairs,
}

/// Repairs a body; none if it has nothing to repair, or is not JSON for another reason.
pub(super) fn repair(body: &[u8]) -> Option<Repaired> {
    let json = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let mut copy = Copy::default();
    copy.json.reserve(json.len());
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        let rest = json.get(at..)?;
        let not_a_number = NOT_NUMBERS.iter().find(|text| rest.starts_with(text.as_bytes()));
        at += match byte {
            b'"' => {
                let end = end_of_string(rest, 1)?;
                copy.push_string(rest.get(1..end - 1)?);
                end
            }
            // As the name of a property it would need quotes, and those are structure.
            b'N' | b'I' | b'-' if !copy.path.expects_name() && not_a_number.is_some() => {
                let text = not_a_number?;
                copy.add(Repair::NotANumber);
                copy.json.extend(["\"", text, "\""]);
                text.len()
            }
            b'-' | b'0'..=b'9' => {
                let end = end_of_number(rest, 1);
                let number = std::str::from_utf8(rest.get(..end)?).ok()?;
                if is_beyond_doubles(number) {
                    copy.add(Repair::LargeNumber);
                }
                copy.json.push_str(number);
                end
            }
            0x80.. => return None,
            _ => {
                copy.path.follow(byte)?;
                copy.json.push(char::from(byte));
                1
            }
        };
    }
    let has_mark = json.len() < body.len();
    let Copy { json, repairs, .. } = copy;
    (has_mark || repairs != Repairs::default()).then_some(Repaired { json, repairs })
}

/// Whether no double is near a number.
fn is_beyond_doubles(number: &str) -> bool {
    /// Every number of fewer digits without an exponent has a double near it.
    const MIN_DIGITS: usize = 300;
    (number.len() >= MIN_DIGITS || number.contains(['e', 'E']))
        && is_number(number)
        && number.parse().is_ok_and(f64::is_infinite)
}

/// The repaired copy, as far as it goes.
#[derive(Default)]
struct Copy {
    json: String,
    path: JsonPath,
    repairs: Repairs,
    /// Where the string begins that is being copied.
    string: Option<usize>,
}

impl Copy {
    fn add(&mut self, repair: Repair) {
        let position = self.string.unwrap_or(self.json.len());
        self.repairs.add(repair, position, || self.path.text(&self.json));
    }

    fn push_replacement(&mut self) {
        self.add(Repair::Character);
        self.json.push(char::REPLACEMENT_CHARACTER);
    }

    /// Copies a string; `content` is what is between its quotes.
    fn push_string(&mut self, content: &[u8]) {
        let start = self.json.len();
        self.string = Some(start);
        self.json.push('"');
        // A surrogate in the form of UTF-8 is three bytes, each of them invalid, and one character.
        let mut rest_of_surrogate = 0;
        for chunk in content.utf8_chunks() {
            if !chunk.valid().is_empty() {
                rest_of_surrogate = 0;
                self.push_text(chunk.valid());
            }
            match chunk.invalid() {
                [] => {}
                [0x80..=0xbf] if rest_of_surrogate > 0 => rest_of_surrogate -= 1,
                invalid => {
                    rest_of_surrogate = if invalid == [0xed] { 2 } else { 0 };
                    self.push_replacement();
                }
            }
        }
        self.json.push('"');
        self.string = None;
        self.path.follow_string(start..self.json.len());
    }

    /// Copies a part of a string, with its escapes.
    fn push_text(&mut self, text: &str) {
        let mut rest = text;
        while let Some((before, special)) =
            rest.find(|c: char| c == '\\' || c < ' ').and_then(|at| rest.split_at_checked(at))
        {
            self.json.push_str(before);
            let length = match special.as_bytes() {
                [b'\\', b'u', ..] => self.push_unicode_escape(special),
                [b'\\', escaped, ..] if escaped.is_ascii() => self.push(special, 2),
                [b'\\', ..] => self.push(special, 1),
                [control, ..] => self.push_control(*control),
                [] => break,
            };
            rest = special.get(length..).unwrap_or_default();
        }
        self.json.push_str(rest);
    }

    /// Copies the first bytes of a text as they are; returns how many.
    fn push(&mut self, text: &str, length: usize) -> usize {
        self.json.push_str(text.get(..length).unwrap_or_default());
        length
    }

    /// Copies the `\u` escape at the beginning of a text, or the pair of two; returns its length.
    fn push_unicode_escape(&mut self, text: &str) -> usize {
        const LENGTH: usize = 6;
        match code_unit(text) {
            None => self.push(text, 2),
            Some(0xd800..=0xdbff)
                if matches!(text.get(LENGTH..).and_then(code_unit), Some(0xdc00..=0xdfff)) =>
            {
                self.push(text, 2 * LENGTH)
            }
            Some(0xd800..=0xdfff) => {
                self.push_replacement();
                LENGTH
            }
            Some(_) => self.push(text, LENGTH),
        }
    }

    /// Copies a control character that is not escaped. Which one it is leaves no doubt, but only line breaks and tabs
    /// belong in a text.
    fn push_control(&mut self, control: u8) -> usize {
        let escape = match control {
            b'\t' => "\\t",
            b'\n' => "\\n",
            b'\r' => "\\r",
            _ => {
                self.push_replacement();
                return 1;
            }
        };
        self.add(Repair::LineBreak);
        self.json.push_str(escape);
        1
    }
}

/// The code unit of the `\u` escape at the beginning of a text.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_hex { u16::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn repaired(body: &[u8]) -> Option<Value> {
        repair(body).and_then(|repaired| serde_json::from_str(&repaired.json).ok())
    }

    #[test]
    fn one_bad_character_costs_one_character() {
        for (body, expected) in [
            (&br#"["cut \ud83d"]"#[..], json!(["cut \u{fffd}"])),
            (br#"["\ude00 cut"]"#, json!(["\u{fffd} cut"])),
            (br#"["\ud83d\ud83d\ude00"]"#, json!(["\u{fffd}😀"])),
            (br#"["\uD83D\u0041\uDE00"]"#, json!(["\u{fffd}A\u{fffd}"])),
            (br#"["\\ud83d", "\ud83dx"]"#, json!(["\\ud83d", "\u{fffd}x"])),
            (br#"{"a\udfff": {"b": "\ud800\n"}}"#, json!({"a\u{fffd}": {"b": "\u{fffd}\n"}})),
            (b"[\"caf\xe9 \xe9\"]", json!(["caf\u{fffd} \u{fffd}"])),
            (b"[\"\xe2\x82\"]", json!(["\u{fffd}"])),
            (b"[\"\xf0\x9f\x98\"]", json!(["\u{fffd}"])),
            (b"[\"a\xed\xa0\xbdb\"]", json!(["a\u{fffd}b"])),
            (b"[\"a\xff\xfeb\"]", json!(["a\u{fffd}\u{fffd}b"])),
            (b"[\"a\x00b\x1b[0m\"]", json!(["a\u{fffd}b\u{fffd}[0m"])),
            (b"[\"SELECT 1\n\tFROM t\r\"]", json!(["SELECT 1\n\tFROM t\r"])),
            (b"\xef\xbb\xbf {\"a\": 1}", json!({"a": 1})),
            (b"[NaN, Infinity,-Infinity]", json!(["NaN", "Infinity", "-Infinity"])),
            (b"\xef\xbb\xbf[\"\\ud83d\xff\x01\",NaN]", json!(["\u{fffd}\u{fffd}\u{fffd}", "NaN"])),
        ] {
            let label = String::from_utf8_lossy(body);
            assert_eq!(repaired(body), Some(expected), "{label}");
            assert!(serde_json::from_slice::<Value>(body).is_err(), "{label}: valid as it is");
        }
    }

    #[test]
    fn structure_is_not_guessed_at() {
        for body in [
            &b"{'a': 1}"[..],
            b"{\"a\": 1,}",
            b"{\"a\": 1",
            b"{\"a\": \"b}",
            b"{a: NaN}",
            b"{NaN: 1}",
            b"[nan, inf]",
            b"[NaNa]",
            b"[+Infinity]",
            b"[1 NaN]",
            b"[01]",
            b"// NaN\n[1]",
            b"[\xff]",
            b"[\"\\x\xff\"]",
            b"[\"\\u12\xff\"]",
            b"[\"\\\n\"]",
            b"<html>\xff</html>",
            b"\xff\xfe[\x00]\x00",
            b"",
            b"\xef\xbb\xbf",
        ] {
            assert_eq!(repaired(body), None, "{}", String::from_utf8_lossy(body));
        }
        assert!(repair(&[b"[".repeat(200), b"NaN".to_vec()].concat()).is_none());
    }

    #[test]
    fn valid_text_has_nothing_to_repair_but_large_numbers_are_noted() {
        for body in ["{\"a\":[1,-2.5e3,null,true,\"\\u00e9\\ud83d\\ude00é\",{}]}", " 1 ", "\"NaN\""]
        {
            assert!(repair(body.as_bytes()).is_none(), "{body}");
        }
        let body = format!("[1e400,1e300,{},-1E999]", "9".repeat(400));
        let Repaired { json, repairs } = repair(body.as_bytes()).unwrap();
        assert_eq!(json, body);
        let mut expected = Repairs::default();
        for (n, path) in ["[0]", "[2]", "[3]"].into_iter().enumerate() {
            let position = [1, 13, 414][n];
            expected.add(Repair::LargeNumber, position, || path.to_owned());
        }
        assert_eq!(repairs, expected);
        assert!(!repairs.is_lossy());
    }
}
