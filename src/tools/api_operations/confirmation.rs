//! Has the user confirm a call, with what it is about.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::contract::{Contract, Operation};
use crate::polytomic::OperationArguments;
use crate::registry::{
    Context, ErrorCode, ObjectKind, Outcome, Question, Stake, Subject, ToolError, listed_names,
    quoted_name, redaction,
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
    let object = Object::read(cx, operation, arguments).await?;
    let name = object.name.as_deref();
    if let Some(expected) = expected_name {
        check_name(operation, name, expected)?;
        cx.require_undamaged(&json!(name))?;
    }
    let subject = Subject::Stored { kind: OBJECT, name, is_expected: expected_name.is_some() };
    let question = |object: &Object| {
        let text = text(operation, arguments, object.name.as_deref());
        let OperationArguments { path, query, body } = arguments;
        Question::new(text, &json!([object.state, path, query, body]))
    };
    let agreed = cx.confirm(stake, subject, UNCHANGED, async || question(&object)).await?;
    let Some(agreed) = agreed else { return Ok(()) };
    // Last, right before the write.
    let latest = Object::read(cx, operation, arguments).await?;
    match question(&latest) == agreed {
        true => Ok(()),
        false => Err(changed_meanwhile(OBJECT, "The object", true, UNCHANGED)),
    }
}

fn check_name(operation: &Operation, name: Option<&str>, expected: &str) -> Result<(), ToolError> {
    if name == Some(expected) {
        return Ok(());
    }
    let (message, hint) = match name {
        Some(_) => (
            "The object has another name than `expected_name`.".to_owned(),
            "details.name has its present one. Check with the user that it is the right object.",
        ),
        None => (
            format!("No name is known of the object of {}.", operation.name),
            "Leave out `expected_name`.",
        ),
    };
    let error = ToolError::new(ErrorCode::Conflict, format!("{message} {UNCHANGED}"), hint);
    Err(error.with_detail("argument", Some("expected_name")).with_detail("name", name))
}

/// What a call is about.
#[derive(Default)]
struct Object {
    name: Option<String>,
    /// What has to stay as it is until the call is sent. Nothing for a call that starts or ends something, since what runs
    /// changes all the time.
    state: Value,
}

impl Object {
    /// Reads the object of a call; nothing of it is known if no operation gets it, or this key may not.
    async fn read(
        cx: &Context,
        operation: &'static Operation,
        arguments: &OperationArguments,
    ) -> Result<Self, ToolError> {
        let mut object = Self::default();
        let replaces = operation.method != Method::POST;
        for (index, getter) in Contract::embedded().getters(operation).enumerate() {
            let Some(data) = data(cx, operation, getter, arguments).await? else { continue };
            if index == 0 && replaces {
                let stamps = ["version", "updated_at", "updatedAt"].map(|name| data.get(name));
                object.state = match stamps.iter().any(Option::is_some) {
                    true => json!(stamps),
                    false => json!(data),
                };
            }
            object.name = name_of(&data).map(str::to_owned);
            if object.name.is_some() {
                break;
            }
        }
        Ok(object)
    }
}

/// What an operation gets that has the same parameters in its path, or the first of them.
async fn data(
    cx: &Context,
    operation: &Operation,
    getter: &'static Operation,
    arguments: &OperationArguments,
) -> Result<Option<Map<String, Value>>, ToolError> {
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
        Err(error) if error.code == ErrorCode::Forbidden || error.http_status == Some(501) => {
            Ok(None)
        }
        Err(error) => Err(error.with_outcome(Outcome::NotSent)),
    }
}

fn name_of(object: &Map<String, Value>) -> Option<&str> {
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
                Value::Array(items)
                    if items.iter().all(|item| !item.is_object() && !item.is_array()) =>
                {
                    let items: Vec<String> = items
                        .iter()
                        .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                        .collect();
                    match items.is_empty() {
                        true => format!("{name} empty"),
                        false => {
                            format!("{name} {}", listed_names(items.iter().map(String::as_str)))
                        }
                    }
                }
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
