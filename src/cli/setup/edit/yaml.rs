//! Edits YAML in block style, as Goose writes it. The parser says where things are, and whole lines are inserted, replaced
//! or removed; what cannot be edited so is refused. The libraries that keep comments are young (yaml-edit 0.2) or bring a
//! parser in C (yamlpatch), for one file of one client.

use std::ops::Range;

use serde_json::Value;

use super::problem::Problem;
use super::splice::{Splices, indentation_at, newline_of};
use super::yaml_tree::{Node, parse};

/// The value of a text; null if it has none.
pub(super) fn value(text: &str) -> Result<Value, Problem> {
    Ok(parse(text)?.map_or(Value::Null, |root| root.value()))
}

/// Sets the value at a path and creates the mappings on the way.
pub(super) fn set(text: &str, path: &[&str], value: &Value) -> Result<String, Problem> {
    let newline = newline_of(text);
    let mut splices = Splices::default();
    let Some(root) = parse(text)?.filter(|root| !root.is_empty()) else {
        if text.contains(['{', '~']) || text.contains("null") || text.contains("---") {
            return Err(Problem::unsafe_edit());
        }
        splices.insert(text.len(), separated(text, &lines(path, value, "", newline), newline));
        return Ok(splices.apply(text));
    };
    let mut node = &root;
    let mut remaining = path;
    while let [name, rest @ ..] = remaining {
        let Some(members) = node.members() else {
            return Err(Problem::at(text, node.range.start, "expected a mapping"));
        };
        if node.is_flow(text) {
            let message = "expected a mapping in lines of its own, not in { }";
            return Err(Problem::at(text, node.range.start, message));
        }
        let Some((_, (key, member))) = node.member(name) else {
            let indentation =
                members.first().map_or("", |(key, _)| indentation_at(text, key.range.start));
            let after = line_end(text, content_end(text, node.range.end));
            let new = lines(remaining, value, indentation, newline);
            splices.insert(after, separated(text.get(..after).unwrap_or(text), &new, newline));
            return Ok(splices.apply(text));
        };
        if rest.is_empty() {
            splices.replace(value_range(text, key, member), format!(" {}", flow(value)));
            return Ok(splices.apply(text));
        }
        if member.is_empty() {
            let indentation = format!("{}  ", indentation_at(text, key.range.start));
            let range = value_range(text, key, member);
            let after = line_end(text, range.end);
            let new = lines(rest, value, &indentation, newline);
            splices.remove(range);
            splices.insert(after, separated(text.get(..after).unwrap_or(text), &new, newline));
            return Ok(splices.apply(text));
        }
        node = member;
        remaining = rest;
    }
    Ok(text.to_owned())
}

/// Removes the lines of the member at a path.
pub(super) fn remove(text: &str, path: &[&str]) -> Result<String, Problem> {
    let Some(root) = parse(text)? else { return Ok(text.to_owned()) };
    let Some((name, parents)) = path.split_last() else { return Ok(text.to_owned()) };
    let mut node = &root;
    for parent in parents {
        match node.member(parent) {
            Some((_, (_, member))) => node = member,
            None => return Ok(text.to_owned()),
        }
    }
    let Some((_, (key, member))) = node.member(name) else { return Ok(text.to_owned()) };
    if node.is_flow(text) {
        let message = "expected a mapping in lines of its own, not in { }";
        return Err(Problem::at(text, node.range.start, message));
    }
    let start = key.range.start - indentation_at(text, key.range.start).len();
    let end = line_end(text, content_end(text, member.range.end.max(key.range.end)));
    let mut splices = Splices::default();
    splices.remove(start..end);
    Ok(splices.apply(text))
}

/// Text that begins in a line of its own.
fn separated(before: &str, lines: &str, newline: &str) -> String {
    if before.is_empty() || before.ends_with('\n') {
        lines.to_owned()
    } else {
        format!("{newline}{lines}")
    }
}

/// A value inside mappings of these names, as lines.
fn lines(path: &[&str], value: &Value, indentation: &str, newline: &str) -> String {
    let Some((name, rest)) = path.split_first() else {
        return match value.as_object().filter(|members| !members.is_empty()) {
            Some(members) => members
                .iter()
                .map(|(name, value)| lines(&[name], value, indentation, newline))
                .collect(),
            None => String::new(),
        };
    };
    let name = key(name);
    let is_mapping = !rest.is_empty() || value.as_object().is_some_and(|object| !object.is_empty());
    if is_mapping {
        let inner = format!("{indentation}  ");
        return format!("{indentation}{name}:{newline}{}", lines(rest, value, &inner, newline));
    }
    format!("{indentation}{name}: {}{newline}", flow(value))
}

/// A value in one line: JSON, which is YAML as well.
fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

fn key(name: &str) -> String {
    if is_plain(name) { name.to_owned() } else { Value::from(name).to_string() }
}

/// Whether a text can stand without quotes and is a text all the same.
fn is_plain(text: &str) -> bool {
    let is_word = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let is_reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text));
    is_word && text.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_reserved
}

/// What stands after the colon of a key, up to the end of its value.
fn value_range(text: &str, key: &Node, member: &Node) -> Range<usize> {
    let after_key = text.get(key.range.end..).unwrap_or_default();
    let colon = after_key.find(':').map_or(0, |colon| colon + 1);
    let start = key.range.end + colon;
    start..content_end(text, member.range.end).max(start)
}

/// The end without the blanks and line ends that the parser counts to a value.
fn content_end(text: &str, end: usize) -> usize {
    text.get(..end).unwrap_or(text).trim_end().len()
}

/// The start of the next line, or the end of the text.
fn line_end(text: &str, offset: usize) -> usize {
    let rest = text.get(offset..).unwrap_or_default();
    rest.find('\n').map_or(text.len(), |newline| offset + newline + 1)
}
