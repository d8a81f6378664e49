//! Numbers that a double does not hold.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::polytomic::{Reader, inexact_to_strings, mark, restore};

/// Every digit survives: in what is sent, in what a client gets, and in records, as a string where a double is too short.
pub fn numbers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(original) = serde_json::from_str::<&RawValue>(text) else { return };
    let Ok(mut value) = serde_json::from_str::<Value>(&mark(text)) else { return };
    let marked = value.to_string();
    for reader in [Reader::Api, Reader::Client] {
        let restored = restore(&marked, reader);
        let same = serde_json::from_str(&restored).is_ok_and(|read| {
            keeps_digits(original, read, &|number| match reader {
                Reader::Api => false,
                Reader::Client => !number.parse().is_ok_and(f64::is_finite),
            })
        });
        assert!(same, "{reader:?}: {restored}");
    }
    inexact_to_strings(&mut value);
    let record = value.to_string();
    let record = restore(&record, Reader::Client);
    let is_unsafe = |number: &str| {
        let is_integer = !number.contains(['.', 'e', 'E']);
        is_integer && !number.parse::<i64>().is_ok_and(|n| n.unsigned_abs() < 1 << 53)
    };
    let read = serde_json::from_str(&record);
    assert!(read.is_ok_and(|read| keeps_digits(original, read, &is_unsafe)), "{record}");
}

/// Whether JSON is the same with the same digits. A number may be a string of its digits, and must if `is_text`.
fn keeps_digits(sent: &RawValue, read: &RawValue, is_text: &dyn Fn(&str) -> bool) -> bool {
    let (sent, read) = (sent.get(), read.get());
    match sent.as_bytes() {
        [b'{', ..] => {
            let sent: BTreeMap<String, &RawValue> = serde_json::from_str(sent).unwrap_or_default();
            let read: BTreeMap<String, &RawValue> = serde_json::from_str(read).unwrap_or_default();
            sent.len() == read.len()
                && sent.iter().all(|(name, sent)| {
                    read.get(name).is_some_and(|read| keeps_digits(sent, read, is_text))
                })
        }
        [b'[', ..] => {
            let sent: Vec<&RawValue> = serde_json::from_str(sent).unwrap_or_default();
            let read: Vec<&RawValue> = serde_json::from_str(read).unwrap_or_default();
            sent.len() == read.len()
                && sent.iter().zip(read).all(|(sent, read)| keeps_digits(sent, read, is_text))
        }
        [b'"', ..] => {
            let decoded = |text| serde_json::from_str::<String>(text).ok();
            read.starts_with('"') && decoded(sent) == decoded(read)
        }
        [b'-' | b'0'..=b'9', ..] => match read.strip_prefix('"') {
            Some(text) => text.strip_suffix('"') == Some(sent),
            None => read == sent && !is_text(sent),
        },
        _ => sent == read,
    }
}
