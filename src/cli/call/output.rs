//! A result on stdout: compact JSON for scripts, a table or a list of keys for people.

use std::borrow::Cow;
use std::io::{self, Write};

use console::{Alignment, Term, measure_text_width, pad_str, truncate_str};
use serde_json::{Map, Value};

/// Cells of a table are cut here.
const CELL_COLUMNS: usize = 40;

/// Prints a result.
pub(super) fn show(text: &str, as_json: bool) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if as_json {
        return writeln!(stdout, "{text}");
    }
    let result: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    // On a terminal a line that would wrap is cut: a table is nothing without its columns.
    let width = Term::stdout().size_checked().map_or(usize::MAX, |(_, columns)| columns.into());
    for line in readable(&result).lines() {
        writeln!(stdout, "{}", truncate_str(line, width, "…"))?;
    }
    stdout.flush()
}

/// The properties in their order: tables and objects under a title, runs of plain values as a list of
/// keys; an empty list beside other things says nothing.
fn readable(result: &Map<String, Value>) -> String {
    let mut text = String::new();
    let mut run = Vec::new();
    for (name, value) in result.iter().filter(|(_, value)| **value != Value::Array(Vec::new())) {
        let part = match value {
            Value::Object(map) => format!("{name}\n{}", indented(&keys(map.iter()))),
            Value::Array(rows) if is_table(value) => {
                format!("{name} ({})\n{}", rows.len(), indented(&table(rows)))
            }
            _ => {
                run.push((name, value));
                continue;
            }
        };
        text += &keys(run.drain(..));
        text += &part;
    }
    text += &keys(run.into_iter());
    if text.is_empty() {
        // Of nothing but empty lists, their names.
        text.extend(result.keys().map(|name| format!("{name} (0)\n")));
    }
    text
}

fn is_table(value: &Value) -> bool {
    value.as_array().is_some_and(|rows| !rows.is_empty() && rows.iter().all(Value::is_object))
}

fn keys<'a>(pairs: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let pairs: Vec<_> = pairs.collect();
    let width = pairs.iter().map(|(key, _)| measure_text_width(key)).max().unwrap_or_default();
    let mut text = String::new();
    for (key, value) in pairs {
        match value {
            Value::Array(rows) if is_table(value) => {
                text += &format!("{key} ({})\n{}", rows.len(), indented(&table(rows)));
            }
            _ => text += &format!("{}  {}\n", padded(&plain_text(key), width), plain(value)),
        }
    }
    text
}

/// Columns in the order in which they first appear; one-key rows, as records are, give their inside.
fn table(rows: &[Value]) -> String {
    let rows: Vec<&Map<String, Value>> = rows.iter().filter_map(inside).collect();
    let mut columns: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(|row| row.keys()) {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    let cell = |row: &Map<String, Value>, name: &str| row.get(name).map(cut).unwrap_or_default();
    let widths: Vec<usize> = columns
        .iter()
        .map(|name| {
            let cells = rows.iter().map(|row| measure_text_width(&cell(row, name)));
            cells.chain([measure_text_width(name)]).max().unwrap_or_default()
        })
        .collect();
    let line = |cells: Vec<String>| {
        let cells: Vec<_> =
            cells.iter().zip(&widths).map(|(cell, width)| padded(cell, *width)).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    let mut text = line(columns.iter().map(|name| plain_text(name)).collect());
    for row in &rows {
        text += &line(columns.iter().map(|name| cell(row, name)).collect());
    }
    text
}

fn inside(row: &Value) -> Option<&Map<String, Value>> {
    let map = row.as_object()?;
    match map.values().next() {
        Some(Value::Object(only)) if map.len() == 1 => Some(only),
        _ => Some(map),
    }
}

fn cut(value: &Value) -> String {
    truncate_str(&plain(value), CELL_COLUMNS, "…").into_owned()
}

/// Text as it is, anything else as JSON; on one line.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| plain_text(&value.to_string()), plain_text)
}

/// Without what could steer the terminal: names and values come from outside.
pub(super) fn plain_text(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c }).collect()
}

/// Characters that turn the direction of the text around them, break the line or take no room.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

fn padded(text: &str, width: usize) -> Cow<'_, str> {
    pad_str(text, width, Alignment::Left, None)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
