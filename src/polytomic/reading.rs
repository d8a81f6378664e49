//! Reads the JSON of a response as a type: strictly, and where that fails leniently.
//!
//! Lenient reading repairs single characters and numbers (`lenient_json`), and leaves out properties of another type than
//! documented (`types::tolerance`). What it accepts beside that is what strict reading accepts, with the same value.

use std::borrow::Cow;
use std::cell::Cell;

use serde::de::{self, DeserializeOwned, IgnoredAny};

use super::auth::Credential;
use super::exact_numbers::{Reader, mark_and_replace, may_need_marks, restore};
use super::json_path::{path_of_error, paths_of};
use super::lenient_json::{Repaired, repair};
use super::repairs::{Repair, RepairLog, Repairs};
use super::repeated_names::{repeated_names, take_repeated_name};
use super::types::IN_ITEM;
use super::types::tolerance::read_tolerantly;

/// Properties without which an object is of no use, in a response or as the result of a job.
const ESSENTIAL: [&str; 4] = ["data.id", "data.job_id", "data.items", "id"];

/// Why a body cannot be read as a type.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// Of the strict parser. If a value has another type, its position is one in `text`.
    pub(super) error: serde_json::Error,
    /// The text, repaired as far as that is possible.
    pub(super) text: Vec<u8>,
}

impl Unreadable {
    /// The error with the path of the value that has another type.
    pub(super) fn message(&self) -> String {
        let message = self.error.to_string();
        // Its position is behind the item, which may be where the next one begins.
        if message.starts_with(IN_ITEM) {
            return message;
        }
        let text = std::str::from_utf8(&self.text).unwrap_or_default();
        let path = path_of_error(text, self.error.line(), self.error.column());
        if path.is_empty() { message } else { format!("{path}: {message}") }
    }
}

/// Reads a body, with the credential taken out of it and its numbers marked. What is repaired is added to `repairs`;
/// without one, only repairs that keep every value are made.
pub(crate) fn read<T: DeserializeOwned>(
    body: Vec<u8>,
    credential: &Credential,
    log: Option<&RepairLog>,
) -> Result<T, Unreadable> {
    take_repeated_name();
    let (error, text) = match String::from_utf8(body) {
        Ok(text) => {
            let text = prepare(text, credential);
            match serde_json::from_str(&text.json) {
                // A value that is kept as text has not been read yet, and its secrets could not be.
                Ok(_) if text.has_invalid_strings => {
                    (de::Error::custom("a string is not valid"), text.json.into_bytes())
                }
                Ok(value) => {
                    if let Some(log) = log.filter(|_| text.has_large_numbers) {
                        let text = restore(&text.json, Reader::Api);
                        repair(text.as_bytes()).into_iter().for_each(|r| log.add(r.repairs));
                    }
                    add_repeated_names(&text.json, log);
                    return Ok(value);
                }
                Err(error) => (error, text.json.into_bytes()),
            }
        }
        Err(body) => {
            let error = serde_json::from_slice::<IgnoredAny>(body.as_bytes()).err();
            let error = error.unwrap_or_else(|| de::Error::custom("its text is not UTF-8"));
            (error, body.into_bytes())
        }
    };
    read_leniently(error, text, credential, log)
}

/// Reads a body that cannot be read strictly. At most two copies of it are kept at any time.
fn read_leniently<T: DeserializeOwned>(
    error: serde_json::Error,
    text: Vec<u8>,
    credential: &Credential,
    log: Option<&RepairLog>,
) -> Result<T, Unreadable> {
    // Marks are undone, since they are made once more when the text is repaired.
    let unmarked = match std::str::from_utf8(&text).map(|text| restore(text, Reader::Api)) {
        Ok(Cow::Owned(unmarked)) => Some(unmarked.into_bytes()),
        _ => None,
    };
    let text = unmarked.unwrap_or(text);
    let (json, mut repairs) = match repair(&text) {
        Some(Repaired { json, repairs }) => {
            drop(text);
            (json, repairs)
        }
        None => match String::from_utf8(text) {
            Ok(json) if error.is_data() => (json, Repairs::default()),
            Ok(json) => return Err(Unreadable { error, text: json.into_bytes() }),
            Err(text) => return Err(Unreadable { error, text: text.into_bytes() }),
        },
    };
    let json = prepare(json, credential).json;
    if let Some((value, left_out)) = read_with_tolerance(&json) {
        repairs.merge(left_out);
        if log.is_some() || !repairs.is_lossy() {
            log.into_iter().for_each(|log| log.add(repairs.clone()));
            add_repeated_names(&json, log);
            return Ok(value);
        }
    }
    let error = serde_json::from_str::<T>(&json).err().unwrap_or(error);
    Err(Unreadable { error, text: json.into_bytes() })
}

/// Reports names that came twice in what was read.
fn add_repeated_names(json: &str, log: Option<&RepairLog>) {
    let is_repeated = take_repeated_name();
    if let Some(log) = log.filter(|log| is_repeated || log.checks_names()) {
        log.add(repeated_names(json));
    }
}

/// Reads JSON text that has been prepared, such as the result of a job.
///
/// # Errors
/// The error of strict reading.
pub(crate) fn read_again<T: DeserializeOwned>(
    json: &str,
    log: Option<&RepairLog>,
) -> serde_json::Result<T> {
    take_repeated_name();
    let value = serde_json::from_str(json).or_else(|error| {
        let (Some(log), Some((value, repairs))) = (log, read_with_tolerance(json)) else {
            return Err(error);
        };
        log.add(repairs);
        Ok(value)
    })?;
    // Otherwise they have been found in the response.
    add_repeated_names(json, log.filter(|log| !log.checks_names()));
    Ok(value)
}

fn read_with_tolerance<T: DeserializeOwned>(json: &str) -> Option<(T, Repairs)> {
    let (value, left_out) = read_tolerantly(json).ok()?;
    let start = json.as_ptr().addr();
    let positions: Vec<usize> =
        left_out.addresses.iter().filter_map(|address| address.checked_sub(start)).collect();
    let paths = paths_of(json, &positions);
    if paths.iter().any(|path| ESSENTIAL.contains(&path.as_str())) {
        return None;
    }
    let mut repairs = Repairs::default();
    let mut paths = paths.into_iter();
    for index in 0..left_out.count {
        repairs.add(Repair::WrongType, index, || paths.next().unwrap_or_default());
    }
    Some((value, repairs))
}

/// JSON text with the credential taken out of it and its numbers marked.
struct Prepared {
    json: String,
    /// Whether it has numbers beyond the range of doubles.
    has_large_numbers: bool,
    /// Whether it has strings in which the credential cannot be searched for.
    has_invalid_strings: bool,
}

fn prepare(json: String, credential: &Credential) -> Prepared {
    let may_have_secret = credential.may_be_in(json.as_bytes());
    if !may_have_secret && !may_need_marks(&json) {
        return Prepared { json, has_large_numbers: false, has_invalid_strings: false };
    }
    let (has_large_numbers, has_invalid_strings) = (Cell::new(false), Cell::new(false));
    let redact = |string: &str| {
        let redacted = may_have_secret.then(|| credential.redact_string(string))?;
        redacted.inspect_err(|_| has_invalid_strings.set(true)).ok().flatten()
    };
    let on_large_number = || has_large_numbers.set(true);
    let json = mark_and_replace(&json, redact, on_large_number).unwrap_or(json);
    let (has_large_numbers, has_invalid_strings) =
        (has_large_numbers.get(), has_invalid_strings.get());
    Prepared { json, has_large_numbers, has_invalid_strings }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polytomic::{Model, Sample};

    /// Why a body cannot be read if nothing may be left out.
    fn message<T: DeserializeOwned>(json: &str) -> String {
        let credential = Credential::bearer("a-key-of-some-length").unwrap();
        let unreadable = read::<T>(json.as_bytes().to_vec(), &credential, None).err().unwrap();
        unreadable.message()
    }

    #[test]
    fn an_error_names_the_value_or_no_value() {
        let fields = vec!["{}"; 70].join(",");
        let in_text = format!(r#"{{"id":"a","fields":[{fields},{{"name":5}},{{}}]}}"#);
        for (json, begins) in [
            (r#"{"name":5}"#, "name: invalid type"),
            (r#"{"policies":["a",{"b":1}]}"#, "policies[1]: invalid type"),
            (r#"{"fields":[{},{"label":[1]}]}"#, "fields[1].label: invalid type"),
            (&in_text, "in an item of a list: invalid type"),
        ] {
            let message = message::<Model>(json);
            assert!(message.starts_with(begins), "{json}: {message}");
        }
        let message = message::<Sample>(r#"{"records":[{"a":1},5,{"a":2}]}"#);
        assert!(message.starts_with("in an item of a list: invalid type"), "{message}");
    }
}
