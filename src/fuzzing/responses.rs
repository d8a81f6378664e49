//! Responses of the API that are read strictly or leniently.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::SECRET;
use crate::polytomic::{
    Credential, Job, Model, ModelSync, Reader, RepairLog, Sample, mark, read_response, restore,
};

/// What strict reading accepts, lenient reading reads as the same. What only lenient reading accepts becomes valid JSON
/// without secrets, and a short notice.
pub fn responses(data: &[u8]) {
    read_as::<Value>(data);
    read_as::<Model>(data);
    read_as::<Vec<ModelSync>>(data);
    read_as::<Sample>(data);
    read_as::<Job>(data);
}

fn read_as<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) {
    let Ok(credential) = Credential::bearer(SECRET) else { return };
    let strict = std::str::from_utf8(data).ok().and_then(|text| {
        // A value that is kept as text is not read by all types.
        serde_json::from_str::<Value>(text).ok()?;
        serde_json::from_str::<T>(&mark(text)).ok()
    });
    let log = RepairLog::default();
    let read = read_response::<T>(data.to_vec(), &credential, Some(&log)).ok();
    // The secret has many spellings.
    let is_redacted = format!("{read:?}").contains("[redacted API key]");
    // Names that come twice are read as strict reading does, and are reported.
    let has_repeated_names = log.notice().is_some_and(|notice| notice.contains("came twice"));
    if let Some(strict) = strict.filter(|_| !is_redacted) {
        assert!(read.as_ref() == Some(&strict), "{read:?} {strict:?}");
        assert!(!log.is_lossy() || has_repeated_names, "{:?}", log.notice());
    }
    let Some(read) = read else {
        assert!(log.notice().is_none());
        return;
    };
    assert!(!format!("{read:?}").contains(SECRET), "{read:?}");
    let with_losses = log.is_lossy();
    let complete = read_response::<T>(data.to_vec(), &credential, None).ok();
    assert!(has_repeated_names || complete.is_some() != with_losses, "{complete:?}");
    let text = serde_json::to_string(&read).unwrap_or_default();
    for reader in [Reader::Api, Reader::Client] {
        let text = restore(&text, reader);
        assert!(serde_json::from_str::<IgnoredAny>(&text).is_ok(), "{text}");
        assert!(!text.contains(SECRET), "{text}");
    }
    // What was read leniently can be read strictly from now on.
    let again = serde_json::from_str::<T>(&text).ok();
    assert!(
        again.is_some_and(|again| text == serde_json::to_string(&again).unwrap_or_default()),
        "{text}"
    );
    let notice = log.notice().unwrap_or_default();
    assert!(notice.chars().count() < 4_000 && !notice.contains(SECRET), "{notice}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// JSON, most of it with the names of the API, some of it damaged.
    fn response() -> impl Strategy<Value = Vec<u8>> {
        let text = prop_oneof![
            Just(b"\\ud83d".to_vec()),
            Just(b"\\ude00".to_vec()),
            Just(b"\\u00e9\\n".to_vec()),
            Just(b"\xff".to_vec()),
            Just(b"\xed\xa0\xbd".to_vec()),
            Just("é\u{7f}".as_bytes().to_vec()),
            Just(b"\n".to_vec()),
            Just(b"\x01".to_vec()),
            Just(SECRET.as_bytes().to_vec()),
            "[a-z1. ]{0,4}".prop_map(String::into_bytes),
        ];
        let string = prop::collection::vec(text, 0..3)
            .prop_map(|parts| [b"\"".to_vec(), parts.concat(), b"\"".to_vec()].concat());
        let scalar = prop_oneof![
            string.clone(),
            "null|true|0|-1[.]50|9007199254740993|1e400|NaN|Infinity|-Infinity"
                .prop_map(String::into_bytes),
        ];
        let name = prop_oneof![
            4 => "\"(id|name|type|version|fields|relations|configuration|records|warnings|created_by|label|model_ids|status|result|error)\""
                .prop_map(String::into_bytes),
            1 => string,
        ];
        scalar.prop_recursive(5, 40, 5, move |inner| {
            let property = (name.clone(), inner.clone())
                .prop_map(|(name, value)| [name, b":".to_vec(), value].concat());
            let joined = |items: Vec<Vec<u8>>| items.join(&b","[..]);
            prop_oneof![
                1 => prop::collection::vec(inner, 0..4)
                    .prop_map(move |items| [b"[".to_vec(), joined(items), b"]".to_vec()].concat()),
                3 => prop::collection::vec(property, 0..5)
                    .prop_map(move |items| [b"{".to_vec(), joined(items), b"}".to_vec()].concat()),
            ]
        })
    }

    proptest! {
        #[test]
        fn lenient_reading_agrees_with_strict_reading(body in response()) {
            responses(&body);
        }

        #[test]
        fn any_bytes_can_be_read(body in prop::collection::vec(any::<u8>(), 0..60)) {
            responses(&body);
        }
    }
}
