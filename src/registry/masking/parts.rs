//! The parts of results and errors that may hold values of records.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::level::Masking;
use super::value::{Column, Masker};
use crate::registry::error::{TRUNCATED, ToolError};
use crate::registry::notice::Properties;

/// What a property of a result holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// No values of records.
    Plain,
    /// Values of records, by column.
    Records,
    /// Texts that may quote values.
    Texts,
    /// Fields with examples, at any depth.
    Fields,
    /// The same in what is written as it is: an example is left out, since a mask would be written.
    Definition,
}

impl Part {
    /// By the name of the property in the result of any tool; `tests/it/masking` has a list of all.
    fn of(name: &str) -> Self {
        match name {
            "records" | "result" | "response" => Self::Records,
            "columns" | "warnings" | "job" | "execution" | "executions" => Self::Texts,
            "model" | "fields" | "changed" => Self::Fields,
            "definition" => Self::Definition,
            _ => Self::Plain,
        }
    }
}

/// Properties of a field that hold values of records.
const EXAMPLES: [&str; 7] =
    ["example", "examples", "sample", "samples", "sample_value", "sample_values", "values"];
/// What else a field has.
const DESCRIPTIONS: [&str; 11] = [
    "id",
    "name",
    "label",
    "description",
    "type",
    "remote_type",
    "unique",
    "user_added",
    "created_at",
    "created_by",
    "updated_at",
];
/// The lists of fields in a model.
const FIELDS: [&str; 2] = ["fields", "additional_fields"];
/// What the user has written, and a model is: no values of records.
const CONFIGURATION: &str = "configuration";

/// The result with its values masked, and a notice about them; none if nothing is masked.
///
/// Items of lists are read one by one: a result may have 32 MiB.
pub(in crate::registry) fn mask_result(
    result: &RawValue,
    masking: Masking,
) -> serde_json::Result<Option<(Box<RawValue>, String)>> {
    if masking == Masking::Off {
        return Ok(None);
    }
    let mut json = String::with_capacity(result.get().len());
    let masker = &mut Masker::new(masking);
    write_object(&mut json, result, |json, name, value| {
        let part = Part::of(name);
        match value.get().as_bytes().first() {
            _ if part == Part::Plain => {
                json.push_str(value.get());
                Ok(())
            }
            Some(b'[') => write_list(json, name, value, part, masker),
            Some(b'{') if part == Part::Fields => write_object(json, value, |json, name, value| {
                if value.get().starts_with('[') {
                    return write_list(json, name, value, part, masker);
                }
                let mut only = Map::from_iter([(name.to_owned(), read(value)?)]);
                mask_fields(&mut only, part, masker);
                write(json, &only.remove(name).unwrap_or_default())
            }),
            _ => {
                let mut value = read(value)?;
                mask_part(&mut value, part, masker);
                write(json, &value)
            }
        }
    })?;
    let Some(notice) = masker.report.notice(masking) else { return Ok(None) };
    Ok(Some((RawValue::from_string(json)?, notice)))
}

/// An error with the values masked that its details may quote.
pub(in crate::registry) fn mask_error(mut error: ToolError, masking: Masking) -> ToolError {
    if masking == Masking::Off {
        return error;
    }
    let mut masker = Masker::new(masking);
    for value in error.details.values_mut() {
        if let Value::String(text) = value {
            cut_last_word(text);
        }
        mask_texts(value, &mut masker);
    }
    if let Some(notice) = masker.report.notice(masking) {
        error.details.insert("masked".to_owned(), notice.into());
    }
    error
}

/// Leaves out the last word of a truncated text: it may be the beginning of a value whose rest would show what it is.
fn cut_last_word(text: &mut String) {
    let Some(kept) = text.strip_suffix(TRUNCATED) else { return };
    // A number may be several words.
    let word = kept.trim_end_matches(|c: char| c.is_numeric() || " -+().".contains(c));
    let word = word.trim_end_matches(|c: char| !c.is_whitespace());
    *text = format!("{word}{TRUNCATED}");
}

fn mask_part(value: &mut Value, part: Part, masker: &mut Masker) {
    match (part, value) {
        (Part::Plain, _) => {}
        (Part::Records, value) => masker.mask(value, Column::default(), None),
        (Part::Texts, value) => mask_texts(value, masker),
        (_, Value::Object(map)) => mask_fields(map, part, masker),
        (_, Value::Array(items)) => {
            items.iter_mut().for_each(|item| mask_part(item, part, masker));
        }
        _ => {}
    }
}

/// Masks texts by their look only: the names around them are not those of columns.
fn mask_texts(value: &mut Value, masker: &mut Masker) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| mask_texts(item, masker)),
        Value::Object(map) => map.values_mut().for_each(|value| mask_texts(value, masker)),
        value => masker.mask(value, Column::default(), None),
    }
}

/// Masks the examples of fields, wherever an object has one, and what fields have beyond the API reference.
fn mask_fields(map: &mut Map<String, Value>, part: Part, masker: &mut Masker) {
    let name = map.get("name").and_then(Value::as_str).map(str::to_owned);
    let column = name.as_deref().map_or_else(Column::default, |name| masker.column(name));
    let is_example = |name: &str| EXAMPLES.contains(&name);
    if part == Part::Definition {
        let mut probe = Masker::new(masker.masking());
        map.retain(|property, value| {
            if !is_example(property) {
                return true;
            }
            // What is masked is left out as a whole, so that it need not be kept as it was.
            let masked_before = probe.report.values();
            probe.mask(value, column, None);
            let is_kept = probe.report.values() == masked_before;
            if !is_kept {
                masker.report.add_left_out();
            }
            is_kept
        });
    }
    for (property, value) in map {
        match value {
            value if is_example(property) => masker.mask(value, column, name.as_deref()),
            _ if property == CONFIGURATION => {}
            value if property == "records" => mask_part(value, Part::Records, masker),
            Value::Array(items) if FIELDS.contains(&property.as_str()) => {
                items.iter_mut().for_each(|item| mask_field(item, part, masker));
            }
            value => mask_part(value, part, masker),
        }
    }
}

/// Masks a field: its examples, and texts in properties that the API reference does not have.
fn mask_field(field: &mut Value, part: Part, masker: &mut Masker) {
    let Value::Object(map) = field else { return };
    mask_fields(map, part, masker);
    if part == Part::Definition {
        return;
    }
    for (name, value) in map {
        let name = name.as_str();
        if !(DESCRIPTIONS.contains(&name) || EXAMPLES.contains(&name) || name == CONFIGURATION) {
            mask_texts(value, masker);
        }
    }
}

/// Writes a list with each of its items masked.
fn write_list(
    json: &mut String,
    name: &str,
    list: &RawValue,
    part: Part,
    masker: &mut Masker,
) -> serde_json::Result<()> {
    let items: Vec<&RawValue> = serde_json::from_str(list.get())?;
    json.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        let mut value = read(item)?;
        match part {
            Part::Fields if FIELDS.contains(&name) => mask_field(&mut value, part, masker),
            part => mask_part(&mut value, part, masker),
        }
        write(json, &value)?;
    }
    json.push(']');
    Ok(())
}

fn read(json: &RawValue) -> serde_json::Result<Value> {
    serde_json::from_str(json.get())
}

fn write(json: &mut String, value: &Value) -> serde_json::Result<()> {
    json.push_str(&serde_json::to_string(value)?);
    Ok(())
}

/// Writes an object with each of its values as `write_value` does.
fn write_object(
    json: &mut String,
    object: &RawValue,
    mut write_value: impl FnMut(&mut String, &str, &RawValue) -> serde_json::Result<()>,
) -> serde_json::Result<()> {
    let Properties(properties) = serde_json::from_str(object.get())?;
    json.push('{');
    for (index, (name, value)) in properties.into_iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(&serde_json::to_string(&name)?);
        json.push(':');
        write_value(json, &name, value)?;
    }
    json.push('}');
    Ok(())
}
