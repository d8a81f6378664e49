//! Names that come twice in one object of JSON text. Parsers keep the last value, and the others are lost.
//!
//! Reading an object as a type finds that out for its own properties; a text is searched only for their places, and where
//! a change rests on it.

use std::cell::Cell;
use std::collections::HashSet;

use super::json_path::JsonPath;
use super::json_text::end_of_string;
use super::repairs::{Repair, Repairs};

thread_local! {
    static WAS_REPEATED: Cell<bool> = const { Cell::new(false) };
}

/// Remembers that a property came twice in an object that this thread reads.
pub(super) fn note_repeated_name() {
    WAS_REPEATED.set(true);
}

/// Whether a property came twice since the last time.
pub(super) fn take_repeated_name() -> bool {
    WAS_REPEATED.take()
}

/// The names that come twice in an object of valid JSON text, each as a repair.
pub(super) fn repeated_names(json: &str) -> Repairs {
    let bytes = json.as_bytes();
    let (mut path, mut repairs, mut at) = (JsonPath::default(), Repairs::default(), 0);
    let mut names: Vec<HashSet<String>> = Vec::new();
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' {
            let Some(end) = end_of_string(bytes, at + 1) else { break };
            let is_name = path.expects_name();
            path.follow_string(at..end);
            let name = json.get(at..end).filter(|_| is_name);
            let name = name.and_then(|name| serde_json::from_str(name).ok());
            if let (Some(name), Some(known)) = (name, names.last_mut())
                && !known.insert(name)
            {
                repairs.add(Repair::RepeatedName, at, || path.text(json));
            }
            at = end;
        } else {
            match byte {
                b'{' | b'[' => names.push(HashSet::new()),
                b'}' | b']' => drop(names.pop()),
                _ => {}
            }
            if path.follow(byte).is_none() {
                break;
            }
            at += 1;
        }
    }
    repairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polytomic::repairs::RepairLog;

    #[test]
    fn only_names_of_one_object_are_compared() {
        for (json, expected) in [
            (
                r#"{"a":1,"a":2,"a":3}"#,
                Some("2 names that came twice kept their last values (at a, a)."),
            ),
            (
                r#"[{"a":{"b":1,"\u0062":2}},{"a":"a"}]"#,
                Some("1 name that came twice kept its last value (at [0].a.b)."),
            ),
            (r#"{"a":{"a":["a","a",{"a":1}]},"b":{"a":1}}"#, None),
            (r#"{"a,\"b":1,"b":2}"#, None),
        ] {
            let log = RepairLog::default();
            log.add(repeated_names(json));
            let notice = log.notice();
            assert_eq!(notice.is_some(), expected.is_some(), "{json}");
            assert!(notice.unwrap_or_default().ends_with(expected.unwrap_or_default()), "{json}");
        }
    }
}
