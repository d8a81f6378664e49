//! Edits JSON with comments and trailing commas. The library's tree says where things are; the text is changed there and
//! nowhere else. (Its editable tree, in 0.34, spreads the members of a line over several.)

use jsonc_parser::ast::{Array, Object, ObjectProp, Value as Node};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use super::json_layout::{Layout, gap_after, whitespace_start};
use super::problem::Problem;
use super::splice::Splices;

/// What editors accept: comments and trailing commas, and no more.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The root; none for a text without a value.
fn parse(text: &str) -> Result<Option<Node<'_>>, Problem> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &OPTIONS);
    let parsed = parsed.map_err(|error| {
        let reason = error.kind().to_string();
        Problem::at(text, error.range().start, format!("not JSON: {reason}"))
    })?;
    Ok(parsed.value)
}

/// The value of a text; null if it has none.
pub(super) fn value(text: &str) -> Result<Value, Problem> {
    Ok(parse(text)?.as_ref().map_or(Value::Null, value_of))
}

fn value_of(node: &Node<'_>) -> Value {
    match node {
        Node::StringLit(text) => Value::String(text.value.to_string()),
        Node::NumberLit(number) => {
            serde_json::from_str(number.value).unwrap_or_else(|_| number.value.into())
        }
        Node::BooleanLit(boolean) => Value::Bool(boolean.value),
        Node::NullKeyword(_) => Value::Null,
        Node::Array(array) => array.elements.iter().map(value_of).collect(),
        Node::Object(object) => object
            .properties
            .iter()
            .map(|property| (property.name.as_str().to_owned(), value_of(&property.value)))
            .collect(),
    }
}

/// Sets the value at a path and creates the objects on the way.
pub(super) fn set(text: &str, path: &[&str], value: &Value) -> Result<String, Problem> {
    let layout = Layout::of(text);
    let Some(root) = parse(text)? else {
        let separator = if text.is_empty() || text.ends_with('\n') { "" } else { layout.newline };
        let object = layout.written(&nested(path, value), "", false);
        return Ok(format!("{text}{separator}{object}{}", layout.newline));
    };
    let mut splices = Splices::default();
    let mut node = &root;
    let mut remaining = path;
    while let [name, rest @ ..] = remaining {
        let object = object(text, node)?;
        let Some(property) = last(object, name) else {
            let member = nested(rest, value);
            insert_member(text, &layout, object, name, &member, &mut splices);
            return Ok(splices.apply(text));
        };
        node = &property.value;
        remaining = rest;
        // A null on the way is as good as nothing.
        if rest.is_empty() || matches!(node, Node::NullKeyword(_)) {
            let is_compact = layout.is_compact(text, object.start()..object.end());
            let indentation = layout.indentation_at(property.start());
            let written = layout.written(&nested(rest, value), indentation, is_compact);
            splices.replace(node.start()..node.end(), written);
            break;
        }
    }
    Ok(splices.apply(text))
}

/// Removes the member at a path, if it is there; the objects on the way stay.
pub(super) fn remove(text: &str, path: &[&str]) -> Result<String, Problem> {
    let Some(root) = parse(text)? else { return Ok(text.to_owned()) };
    let mut node = &root;
    let Some((name, parents)) = path.split_last() else { return Ok(text.to_owned()) };
    for parent in parents {
        match node {
            Node::Object(object) => match last(object, parent) {
                Some(property) => node = &property.value,
                None => return Ok(text.to_owned()),
            },
            _ => return Ok(text.to_owned()),
        }
    }
    let Node::Object(object) = node else { return Ok(text.to_owned()) };
    let ranges: Vec<_> =
        object.properties.iter().map(|property| property.start()..property.end()).collect();
    let index = object.properties.iter().rposition(|property| property.name.as_str() == *name);
    Ok(index.map_or_else(
        || text.to_owned(),
        |index| remove_item(text, &ranges, index, object.start()..object.end()).apply(text),
    ))
}

/// Appends an element to the array at a path, which is created if it is missing.
pub(super) fn push(text: &str, path: &[&str], element: &Value) -> Result<String, Problem> {
    let layout = Layout::of(text);
    let root = parse(text)?;
    let Some(array) = root.as_ref().and_then(|root| array_at(root, path)) else {
        return set(text, path, &Value::Array(vec![element.clone()]));
    };
    let mut splices = Splices::default();
    let last = array.elements.last().map(|last| last.start()..last.end());
    layout.insert_item(
        text,
        array.start()..array.end(),
        last,
        |indentation, is_compact| layout.written(element, indentation, is_compact),
        &mut splices,
    );
    Ok(splices.apply(text))
}

/// Removes an element of the array at a path.
pub(super) fn remove_element(text: &str, path: &[&str], index: usize) -> Result<String, Problem> {
    let root = parse(text)?;
    let Some(array) = root.as_ref().and_then(|root| array_at(root, path)) else {
        return Ok(text.to_owned());
    };
    let ranges: Vec<_> =
        array.elements.iter().map(|element| element.start()..element.end()).collect();
    Ok(remove_item(text, &ranges, index, array.start()..array.end()).apply(text))
}

/// Of several members of one name, programs read the last.
fn last<'a, 'b>(object: &'b Object<'a>, name: &str) -> Option<&'b ObjectProp<'a>> {
    object.properties.iter().rfind(|property| property.name.as_str() == name)
}

fn object<'a, 'b>(text: &str, node: &'b Node<'a>) -> Result<&'b Object<'a>, Problem> {
    node.as_object().ok_or_else(|| Problem::at(text, node.start(), "expected an object"))
}

fn array_at<'a, 'b>(root: &'b Node<'a>, path: &[&str]) -> Option<&'b Array<'a>> {
    let mut node = root;
    for name in path {
        node = &last(node.as_object()?, name)?.value;
    }
    node.as_array()
}

/// A value inside objects of these names.
fn nested(path: &[&str], value: &Value) -> Value {
    path.iter().rev().fold(value.clone(), |value, name| {
        Value::Object([((*name).to_owned(), value)].into_iter().collect())
    })
}

fn insert_member(
    text: &str,
    layout: &Layout<'_>,
    object: &Object<'_>,
    name: &str,
    value: &Value,
    splices: &mut Splices,
) {
    let last = object.properties.last().map(|last| last.start()..last.end());
    let member = |indentation: &str, is_compact: bool| {
        let colon = if is_compact && !layout.has_blanks { ":" } else { ": " };
        let name = Value::from(name);
        format!("{name}{colon}{}", layout.written(value, indentation, is_compact))
    };
    layout.insert_item(text, object.start()..object.end(), last, member, splices);
}

/// Removes an item of a list with commas, so that what [`set`] or [`push`] has inserted is gone without a trace.
fn remove_item(
    text: &str,
    items: &[std::ops::Range<usize>],
    index: usize,
    list: std::ops::Range<usize>,
) -> Splices {
    let mut splices = Splices::default();
    let Some(item) = items.get(index) else { return splices };
    let next = items.get(index + 1).map_or(list.end - 1, |next| next.start);
    let comma = gap_after(text, item.end, next).comma;
    let end = match comma {
        Some(comma) if comma == item.end => comma + 1,
        _ => item.end,
    };
    let before = index.checked_sub(1).and_then(|previous| items.get(previous));
    let before = gap_after(text, before.map_or(list.start + 1, |before| before.end), item.start);
    let mut start = whitespace_start(text, item.start);
    let is_after_line_comment = before.ends_in_line_comment && before.comments_end == start;
    let is_at_line_end =
        text.get(end..).is_some_and(|after| after.starts_with('\n') || after.starts_with("\r\n"));
    // What follows must not become part of the comment.
    if is_after_line_comment && !is_at_line_end {
        start = item.start;
    }
    // Nothing but blanks is left: a list as it is written when it is empty.
    let inside = [text.get(list.start + 1..start), text.get(end..list.end - 1)];
    if items.len() == 1 && inside.iter().flatten().all(|rest| rest.trim().is_empty()) {
        splices.remove(list.start + 1..list.end - 1);
        return splices;
    }
    splices.remove(start..end);
    match comma {
        Some(comma) if comma != item.end => splices.remove(comma..comma + 1),
        Some(_) => {}
        None if index > 0 => {
            if let Some(comma) = before.comma {
                splices.remove(comma..comma + 1);
            }
        }
        None => {}
    }
    splices
}
