//! Prints a result: as compact JSON, or as tables and lists of properties for a user.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use console::{Alignment, Term, measure_text_width, pad_str, truncate_str};
use serde_json::{Map, Value};

use crate::cli::plain_text::plain_text;
use crate::polytomic::{Reader, mark, restore, unmarked};

/// On a terminal, longer cells of a table are truncated.
const MAX_CELL_COLUMNS: usize = 40;

/// Prints a result.
pub(super) fn print(text: &str, as_json: bool) -> io::Result<()> {
    if as_json {
        return print_json(text);
    }
    let mut stdout = io::stdout().lock();
    let result: Map<String, Value> = serde_json::from_str(&mark(text)).unwrap_or_default();
    // On a terminal, long lines are truncated instead of wrapped, so that tables keep their columns.
    let terminal = Term::stdout();
    let width = terminal.size_checked().map_or(usize::MAX, |(_, columns)| columns.into());
    let cell_width = if terminal.is_term() { MAX_CELL_COLUMNS } else { usize::MAX };
    for line in render(&result, cell_width).lines() {
        writeln!(stdout, "{}", truncate_str(line, width, "…"))?;
    }
    stdout.flush()
}

/// Prints JSON on one line. On a terminal, characters that control it are escaped, which JSON does only below U+0020.
pub(super) fn print_json(json: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.is_terminal() {
        true => writeln!(stdout, "{}", escape_controls(json)),
        false => writeln!(stdout, "{json}"),
    }
}

/// They can only be inside strings.
fn escape_controls(json: &str) -> Cow<'_, str> {
    if !json.contains(char::is_control) {
        return json.into();
    }
    let escaped = |c: char| match c.is_control() {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.to_string(),
    };
    json.chars().map(escaped).collect()
}

/// The properties in order: tables and objects below their names, plain values as lists of properties. Empty lists
/// are left out.
fn render(result: &Map<String, Value>, cell_width: usize) -> String {
    let mut text = String::new();
    let mut run = Vec::new();
    for (name, value) in result.iter().filter(|(_, value)| **value != Value::Array(Vec::new())) {
        let part = match value {
            Value::Object(map) => {
                format!("{name}\n{}", indented(&properties(map.iter(), cell_width)))
            }
            Value::Array(rows) if is_table(value) => {
                format!("{name} ({})\n{}", rows.len(), indented(&table(rows, cell_width)))
            }
            _ => {
                run.push((name, value));
                continue;
            }
        };
        text += &properties(run.drain(..), cell_width);
        text += &part;
    }
    text += &properties(run.into_iter(), cell_width);
    if text.is_empty() {
        // There are only empty lists.
        text.extend(result.keys().map(|name| format!("{name} (0)\n")));
    }
    text
}

fn is_table(value: &Value) -> bool {
    value.as_array().is_some_and(|rows| !rows.is_empty() && rows.iter().all(Value::is_object))
}

fn properties<'a>(
    pairs: impl Iterator<Item = (&'a String, &'a Value)>,
    cell_width: usize,
) -> String {
    let pairs: Vec<_> = pairs.collect();
    let width = pairs.iter().map(|(key, _)| measure_text_width(key)).max().unwrap_or_default();
    let mut text = String::new();
    for (key, value) in pairs {
        match value {
            Value::Array(rows) if is_table(value) => {
                text += &format!("{key} ({})\n{}", rows.len(), indented(&table(rows, cell_width)));
            }
            _ => text += &format!("{}  {}\n", padded(&plain_text(key), width), plain(value)),
        }
    }
    text
}

/// A table whose columns are in order of appearance. Rows with a single object, such as records, show its properties.
fn table(rows: &[Value], cell_width: usize) -> String {
    let rows: Vec<&Map<String, Value>> = rows.iter().filter_map(unwrap_row).collect();
    let mut columns: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(|row| row.keys()) {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    let text = |value: &Value| truncate_str(&plain(value), cell_width, "…").into_owned();
    let cell = |row: &Map<String, Value>, name: &str| row.get(name).map(text).unwrap_or_default();
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

fn unwrap_row(row: &Value) -> Option<&Map<String, Value>> {
    let map = row.as_object()?;
    match map.values().next() {
        Some(Value::Object(only)) if map.len() == 1 => Some(only),
        _ => Some(map),
    }
}

/// A string without quotes, anything else as JSON; on one line.
fn plain(value: &Value) -> String {
    match value.as_str() {
        Some(text) => plain_text(unmarked(text)),
        None => plain_text(&restore(&value.to_string(), Reader::Client)),
    }
}

fn padded(text: &str, width: usize) -> Cow<'_, str> {
    pad_str(text, width, Alignment::Left, None)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
