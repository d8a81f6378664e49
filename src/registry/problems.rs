//! What is wrong with the arguments of a call, in words: where, what was expected, what was passed, what to do.

use serde::Serialize;
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;

use super::error::ToolError;
use super::{id_text, schema};
use crate::polytomic::{marked_number, unmarked};

/// Maximum characters of the caller's text that an error quotes.
const MAX_QUOTED_CHARACTERS: usize = 80;
/// Maximum problems that an error lists.
const MAX_PROBLEMS: usize = 10;

/// An invalid argument.
#[skip_serializing_none]
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    argument: String,
    expected: String,
    /// Absent if the argument is missing.
    got: Option<String>,
    /// What to do about it, where the expectation is not enough.
    hint: Option<String>,
    /// The problem as a sentence.
    #[serde(skip)]
    message: String,
}

impl Problem {
    /// A problem with what to do about it.
    pub(crate) fn new(argument: &str, expected: &str, got: &str, hint: String) -> Self {
        Self {
            argument: argument.to_owned(),
            expected: expected.to_owned(),
            got: Some(got.to_owned()),
            hint: Some(hint),
            message: format!("{argument}: expected {expected}, got {got}."),
        }
    }

    /// A value that violates the schema.
    pub(super) fn invalid(
        argument: &str,
        schema: &Map<String, Value>,
        value: &Value,
        got: String,
    ) -> Self {
        let (expected, hint) = (expectation(schema), id_text::hint(schema, Some(value)));
        let message = format!("{argument}: expected {expected}, got {got}.");
        Self { argument: argument.to_owned(), expected, got: Some(got), hint, message }
    }

    /// A missing argument. `is_misnamed`: whether it was passed under another name, so that its value is known.
    pub(super) fn missing(argument: String, schema: &Value, is_misnamed: bool) -> Self {
        let schema = schema.as_object();
        let expected = schema.map(expectation).unwrap_or_default();
        let message = format!("Argument \"{argument}\" is missing: expected {expected}.");
        let hint = schema.filter(|_| !is_misnamed).and_then(|schema| id_text::hint(schema, None));
        Self { argument, expected, got: None, hint, message }
    }

    /// An unknown argument, and the known one that it is likely to mean.
    pub(super) fn unknown(
        argument: String,
        likely: Option<&str>,
        properties: &Map<String, Value>,
    ) -> Self {
        let known = || properties.keys().map(String::as_str);
        let (expected, reason) = match likely {
            Some(known) => (format!("{known:?}"), format!("did you mean {known:?}?")),
            None if properties.is_empty() => {
                ("no argument".to_owned(), "no argument is expected here.".to_owned())
            }
            None => {
                let known: Vec<&str> = known().collect();
                let is_free =
                    |schema: &Value| schema.get("additionalProperties") == Some(&true.into());
                let free = properties.iter().find(|(_, schema)| is_free(schema));
                let free = free.map(|(name, _)| format!("; properties of \"{name}\" go inside it"));
                let expected = format!("{}{}", known.join(", "), free.unwrap_or_default());
                (expected.clone(), format!("expected {expected}."))
            }
        };
        let message = format!("Unknown argument \"{argument}\"; {reason}");
        let got = Some("an unknown argument".to_owned());
        Self { argument, expected, got, hint: None, message }
    }
}

/// The problems of one call. Only the first ones are put into words: there may be as many as bytes in a line.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    listed: Vec<Problem>,
    count: usize,
}

impl Problems {
    pub(crate) fn add(&mut self, problem: impl FnOnce() -> Problem) {
        self.count += 1;
        if self.listed.len() < MAX_PROBLEMS {
            self.listed.push(problem());
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many further problems will be listed.
    pub(super) fn remaining(&self) -> usize {
        MAX_PROBLEMS.saturating_sub(self.listed.len())
    }

    /// # Errors
    /// `invalid_argument` if there is a problem: the message names the first, `details.problems` lists ten.
    pub(crate) fn into_result(self) -> Result<(), ToolError> {
        let Some(first) = self.listed.first() else { return Ok(()) };
        let mut message = first.message.clone();
        let more = self.count - 1;
        if more > 0 {
            if message.ends_with('.') {
                message.pop();
                message.push(';');
            }
            let s = if more == 1 { "" } else { "s" };
            message += &format!(" {more} more problem{s}");
            if self.count > self.listed.len() {
                message += &format!(", {} of them", self.listed.len() - 1);
            }
            message += " in details.problems.";
        }
        let mut error = ToolError::invalid_argument(&first.argument, message);
        if let Some(hint) = self.listed.iter().find_map(|problem| problem.hint.as_ref()) {
            error.hint = format!("{hint} {}", error.hint);
        }
        error.details.insert("problems".to_owned(), json!(self.listed));
        Err(error)
    }
}

/// The known name most similar to an unknown one, if one is similar enough.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = shorten(name);
    let limit = |known: &str| 1 + known.len().min(name.len()) / 3;
    // The difference in length is the least distance, and much quicker to find.
    let length = name.chars().count();
    let known = known.filter(|known| known.chars().count().abs_diff(length) <= limit(known));
    let distances = known.map(|known| (strsim::damerau_levenshtein(known, &name), known));
    let (distance, known) = distances.min()?;
    (distance <= limit(known)).then_some(known)
}

/// The tools that an unknown name may mean, as near to it as each other. Blanks around it, capitals and hyphens are no
/// difference.
pub(super) fn nearest_tool<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut known: Vec<&str> = known.collect();
    let name = shorten(name.trim()).to_lowercase().replace('-', "_");
    let distance = |known: &str| strsim::damerau_levenshtein(known, &name);
    let Some(nearest) = nearest(&name, known.iter().copied()) else { return Vec::new() };
    known.retain(|known| distance(known) == distance(nearest));
    known
}

/// The property that an unknown one is likely to mean: the nearest name, the same in another spelling (`modelId`), or one
/// of which it is a part (`model`, `version`). `id` and `uuid` mean an id that the object itself requires and lacks, or its
/// only one.
pub(super) fn likely_property<'a>(
    name: &str,
    passed: &Map<String, Value>,
    schema: &'a Map<String, Value>,
) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['_', '-'], "");
    let known = || schema::properties(schema).map(|(known, _, _)| known.as_str());
    let (name, plain_name) = (shorten(name), plain(&shorten(name)));
    if ["id", "uuid"].contains(&plain_name.as_str()) {
        let ids = || schema::properties(schema).filter(|(known, ..)| known.ends_with("_id"));
        let is_only = ids().nth(1).is_none();
        let missing = ids().find(|(known, _, is_required)| {
            (*is_required || is_only) && !passed.contains_key(*known)
        });
        return missing.map(|(known, ..)| known.as_str());
    }
    let is_spelling = |known: &&str| plain(known) == plain_name;
    let is_part = |known: &&str| {
        known.strip_suffix("_id") == Some(&name) || known.ends_with(&format!("_{name}"))
    };
    let mut parts = known().filter(is_part);
    let part = || parts.next().filter(|_| parts.next().is_none());
    known().find(is_spelling).or_else(|| nearest(&name, known())).or_else(part)
}

/// What the schema expects, with the example of its description: "an integer from 0 to 600, e.g. 30".
fn expectation(schema: &Map<String, Value>) -> String {
    if let Some(Value::Array(alternatives)) = schema.get("anyOf") {
        let alternatives: Vec<String> =
            alternatives.iter().filter_map(Value::as_object).map(expectation).collect();
        return alternatives.join(", or ");
    }
    let keyword = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or_default();
    let format = keyword("format");
    let mut text = match keyword("type") {
        _ if format == schema::UUID => schema::described_uuid(schema),
        type_name @ ("object" | "array" | "integer") => format!("an {type_name}"),
        type_name => format!("a {type_name}"),
    };
    if let Some(bounds) = schema::bounds(schema) {
        let is_range = schema.contains_key("minimum") && schema.contains_key("maximum");
        text += &format!(" {} {bounds}", if is_range { "from" } else { "of" });
    }
    if format == schema::PATH_SEGMENT {
        text += " that is neither empty nor dots";
    }
    if format == schema::DATE_TIME {
        text += " with a date and time, such as 2026-01-31T09:30:00Z";
    }
    if format == schema::KEY {
        text += ", only letters, digits, `-` and `_`";
    }
    if let Some(choices) = schema::choices(schema).or_else(|| schema::described_choices(schema)) {
        text += &format!(", one of {choices}");
    }
    if let Some(example) = schema::example(schema) {
        text += &format!(", e.g. {example}");
    }
    text
}

pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::String(text) => match marked_number(text) {
            Some(number) => format!("the number {}", shorten(number)),
            None => format!("the string {:?}", shorten(text)),
        },
        Value::Bool(_) => format!("the boolean {value}"),
        Value::Number(_) => format!("the number {value}"),
    }
}

pub(super) fn join(path: &str, name: &str) -> String {
    let name = shorten(name);
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

/// A text from outside as an error quotes it.
pub(crate) fn shorten(text: &str) -> String {
    unmarked(text).chars().take(MAX_QUOTED_CHARACTERS).collect()
}
