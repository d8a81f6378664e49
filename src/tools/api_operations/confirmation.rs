//! Has the user confirm a call, with what it is about.

use serde_json::{Map, Value, json};

use crate::contract::{Contract, Operation};
use crate::polytomic::OperationArguments;
use crate::registry::{
    Context, ErrorCode, ObjectKind, Outcome, Question, Stake, Subject, ToolError,
    check_expected_name, quoted_name, redaction,
};
use crate::tools::definition::changed_meanwhile;

const OBJECT: ObjectKind =
    ObjectKind { noun: "object", get: "call_read_operation", list: "find_operations" };
const UNCHANGED: &str = "Nothing was sent.";

/// Has the user confirm a call, if that is required, and checks the name that the caller expects of its object.
///
/// # Errors
/// As [`Context::confirm`]; `conflict` if the object has another name, or changed while the user was asked; as the operation that
/// gets the object if it does not exist.
pub(super) async fn confirm(
    cx: &Context,
    operation: &'static Operation,
    arguments: &OperationArguments,
    expected_name: Option<&str>,
) -> Result<(), ToolError> {
    let stake = if operation.is_destructive { Stake::Loss } else { Stake::Change };
    if expected_name.is_none() && !cx.requires_confirmation(stake) {
        return Ok(());
    }
    let object = object(cx, operation, arguments).await?;
    let name = name_of(object.as_ref());
    if let Some(expected) = expected_name {
        check_expected_name(OBJECT, name, expected, UNCHANGED)?;
        cx.require_undamaged(&json!(name))?;
    }
    let subject = Subject::Stored { kind: OBJECT, name, is_expected: expected_name.is_some() };
    let question = |object: Option<&Map<String, Value>>| {
        let text = text(operation, arguments, name_of(object));
        Question::new(text, &json!([object, arguments.path, arguments.query, arguments.body]))
    };
    let agreed = cx.confirm(stake, subject, UNCHANGED, async || question(object.as_ref())).await?;
    let Some(agreed) = agreed else { return Ok(()) };
    // Last, right before the write.
    let latest = self::object(cx, operation, arguments).await?;
    match question(latest.as_ref()) == agreed {
        true => Ok(()),
        false => Err(changed_meanwhile(OBJECT, "The object", true, UNCHANGED)),
    }
}

/// The object of a call; none if no operation gets it, or this key may not.
async fn object(
    cx: &Context,
    operation: &'static Operation,
    arguments: &OperationArguments,
) -> Result<Option<Map<String, Value>>, ToolError> {
    let Some(getter) = Contract::embedded().getter(operation) else { return Ok(None) };
    // The names of the parameters may differ, their places do not.
    let values = operation.path_parameters().map(|name| arguments.path.get(name).cloned());
    let path = getter.path_parameters().zip(values);
    let path = path.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let arguments = OperationArguments { path, ..OperationArguments::default() };
    let response = cx.client().call_operation(getter, &arguments, &cx.read_options()).await;
    match response.map_err(ToolError::from) {
        Ok(response) => {
            let data = response.and_then(|mut response| response.shift_remove("data"));
            Ok(data.and_then(|data| data.as_object().cloned()))
        }
        Err(error)
            if matches!(error.code, ErrorCode::Forbidden) || error.http_status == Some(501) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.with_outcome(Outcome::NotSent)),
    }
}

fn name_of(object: Option<&Map<String, Value>>) -> Option<&str> {
    let object = object?;
    ["name", "label", "email"].iter().find_map(|name| object.get(*name)?.as_str())
}

/// What the user reads.
fn text(operation: &Operation, arguments: &OperationArguments, name: Option<&str>) -> String {
    let summary = operation.summary.trim_end_matches('.');
    let mut text = match name {
        Some(name) => format!("{summary}: {}?", quoted_name(name)),
        None => format!("{summary}?"),
    };
    text += &format!(" This calls {}", operation.name);
    for (label, map) in [
        (" with", Some(&arguments.path)),
        (" and", Some(&arguments.query)),
        (". It sends", arguments.body.as_ref()),
    ] {
        if let Some(map) = map.filter(|map| !map.is_empty()) {
            text += &format!("{label} {}", listed(map));
        }
    }
    text += ".";
    if operation.is_destructive {
        text += " What it ends, deletes or overwrites is lost.";
    }
    text
}

/// Arguments for a person, with their secrets masked.
fn listed(arguments: &Map<String, Value>) -> String {
    const MAX_ITEMS: usize = 12;
    let mut masked = arguments.clone();
    redaction::mask(&mut masked);
    let count = masked.len();
    let shown: Vec<String> = masked
        .iter()
        .take(MAX_ITEMS)
        .map(|(name, value)| {
            // Those of a free object are from outside.
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let name = if name.chars().all(is_word) { name.clone() } else { quoted_name(name) };
            match value {
                Value::Object(_) | Value::Array(_) => name,
                Value::String(text) => format!("{name} {}", quoted_name(text)),
                value => format!("{name} {value}"),
            }
        })
        .collect();
    match count - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
