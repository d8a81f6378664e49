//! Secrets in texts and in JSON.

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::{Map, Value, json};

use super::{SECRET, choice, object};
use crate::polytomic::Credential;
use crate::registry::{Masking, masked, redaction};

/// Wherever a secret stands in text or JSON, it is masked, in time proportional to the length.
pub fn redaction(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // Fuzzers learn the secret from the comparisons below.
    if text.contains("s3cr3t") {
        return;
    }
    let (before, after) = text.split_at(position(&text, "text"));
    for (opening, closing) in [
        (" password=", " "),
        (" Pwd='", "'"),
        ("\n\"secret\": \"", "\""),
        ("?api_key=", "&"),
        (" Bearer ", "\n"),
        (" postgres://user:", "@host/db "),
        (" u:", "@host "),
        ("?code=", " "),
        ("<password>", "</password>"),
        ("<token><value>", "</value></token>"),
        ("\nx-api-key: ", "\n"),
        (" password=\"\\\"", "\""),
    ] {
        // In a URL, the slash of the secret would end its host.
        let secret = if opening.ends_with("r:") || opening == " u:" {
            "s3cr3t%2F0123456789"
        } else {
            SECRET
        };
        let masked = redaction::mask_text(&format!("{before}{opening}{secret}{closing}{after}"));
        assert!(!masked.contains(secret), "{masked}");
    }
    if choice(data, "length", 256) == 0 && !text.is_empty() {
        // The fuzzer limits the time.
        redaction::mask_text(&text.repeat((64 << 10) / text.len()));
    }
    if let Some(mut map) = object(data)
        && !text.contains("configurationForm")
    {
        insert_secret(&mut map, data, 0);
        for masking in [Masking::Secrets, Masking::Personal] {
            let masked = masked(Value::Object(map.clone()), masking);
            assert_eq!(masked.as_object().map(Map::len), Some(map.len()));
            assert!(!masked.to_string().contains(SECRET), "{masked}");
        }
        redaction::mask(&mut map);
        let masked = Value::Object(map).to_string();
        assert!(!masked.contains(SECRET), "{masked}");
    }
    let Ok(credential) = Credential::bearer(SECRET) else { return };
    let encoded = percent_encode(SECRET.as_bytes(), NON_ALPHANUMERIC).to_string();
    for form in [SECRET, &SECRET.replace('/', "\\/"), &encoded] {
        let redacted = credential.redact(&format!("{before}{form}{after}"));
        assert!(!redacted.contains(form), "{redacted}");
    }
}

/// A position in a text, between two characters.
fn position(text: &str, label: &str) -> usize {
    let at = choice(text.as_bytes(), label, text.len() + 1);
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

/// Adds a password, as it is or in a text that is JSON, at any depth.
fn insert_secret(map: &mut Map<String, Value>, data: &[u8], depth: usize) {
    let label = format!("depth {depth}");
    let child = map.values_mut().nth(choice(data, &label, 4));
    match child.and_then(Value::as_object_mut) {
        Some(child) if depth < 8 => insert_secret(child, data, depth + 1),
        _ if choice(data, "form", 2) == 0 => {
            drop(map.insert("text".to_owned(), json!({"password": SECRET}).to_string().into()));
        }
        _ => drop(map.insert("password".to_owned(), SECRET.into())),
    }
}
