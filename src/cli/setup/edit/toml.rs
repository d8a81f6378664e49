//! Edits TOML by its editable document. The library writes line feeds; a file with other line ends gets its own back.

use serde_json::Value;
use toml_edit::{Array, Document, DocumentMut, InlineTable, Item, Table, Value as TomlValue};

use super::problem::Problem;
use super::splice::newline_of;

/// The value of a text.
pub(super) fn value(text: &str) -> Result<Value, Problem> {
    let document = Document::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let reason = error.message().lines().next().unwrap_or_default();
        Problem::at(text, offset, format!("not TOML: {reason}"))
    })?;
    Ok(item_value(document.as_item()))
}

fn item_value(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => plain_value(value),
        Item::Table(table) => {
            table.iter().map(|(name, item)| (name.to_owned(), item_value(item))).collect()
        }
        Item::ArrayOfTables(tables) => {
            tables.iter().map(|table| item_value(&Item::Table(table.clone()))).collect()
        }
    }
}

fn plain_value(value: &TomlValue) -> Value {
    match value {
        TomlValue::String(text) => text.value().as_str().into(),
        TomlValue::Integer(number) => (*number.value()).into(),
        TomlValue::Float(number) => Value::from(*number.value()),
        TomlValue::Boolean(boolean) => (*boolean.value()).into(),
        TomlValue::Datetime(time) => time.value().to_string().into(),
        TomlValue::Array(items) => items.iter().map(plain_value).collect(),
        TomlValue::InlineTable(table) => {
            table.iter().map(|(name, value)| (name.to_owned(), plain_value(value))).collect()
        }
    }
}

/// Sets the value at a path; an object becomes a table of its own.
pub(super) fn set(text: &str, path: &[&str], value: &Value) -> Result<String, Problem> {
    edit(text, |document| {
        let Some((name, parents)) = path.split_last() else { return false };
        let is_first = document.is_empty() && document.trailing().as_str() == Some("");
        let mut item = document.as_item_mut();
        for parent in parents {
            let Some(table) = item.as_table_like_mut() else { return false };
            if !table.contains_key(parent) {
                let mut new = Table::new();
                new.set_implicit(true);
                table.insert(parent, Item::Table(new));
            }
            let Some(next) = table.get_mut(parent) else { return false };
            item = next;
        }
        let is_inline = item.is_inline_table();
        let Some(table) = item.as_table_like_mut() else { return false };
        let mut new = match value.as_object() {
            Some(members) if !is_inline => {
                let mut new = Table::new();
                for (name, value) in members {
                    new.insert(name, Item::Value(toml_value(value)));
                }
                new.decor_mut().set_prefix(if is_first { "" } else { "\n" });
                Item::Table(new)
            }
            _ => Item::Value(toml_value(value)),
        };
        if let (Some(old), Some(new)) =
            (table.get(name).and_then(Item::as_value), new.as_value_mut())
        {
            *new.decor_mut() = old.decor().clone();
        }
        match table.get_mut(name) {
            Some(old) => *old = new,
            None => {
                table.insert(name, new);
            }
        }
        true
    })
}

/// Removes the value at a path. Comments above a table stay: they may be about the one before.
pub(super) fn remove(text: &str, path: &[&str]) -> Result<String, Problem> {
    edit(text, |document| {
        let Some((name, parents)) = path.split_last() else { return false };
        let mut item = document.as_item_mut();
        for parent in parents {
            match item.get_mut(parent) {
                Some(next) => item = next,
                None => return false,
            }
        }
        let removed = item.as_table_like_mut().and_then(|table| table.remove(name));
        if let Some(Item::Table(table)) = removed {
            keep_comments(document, &table);
        }
        true
    })
}

fn keep_comments(document: &mut DocumentMut, removed: &Table) {
    let prefix = removed.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
    if !prefix.contains('#') {
        return;
    }
    let prefix = prefix.to_owned();
    let position = removed.position().unwrap_or(isize::MAX);
    if let Some(next) = table_after(document.as_table_mut(), position) {
        let comments =
            next.decor().prefix().and_then(|comments| comments.as_str()).unwrap_or_default();
        let both = format!("{prefix}{comments}");
        next.decor_mut().set_prefix(both);
    } else {
        let trailing = document.trailing().as_str().unwrap_or_default();
        let both = format!("{prefix}{trailing}");
        document.set_trailing(both);
    }
}

/// The table with the next header of the file.
fn table_after(table: &mut Table, position: isize) -> Option<&mut Table> {
    let mut found: Option<&mut Table> = None;
    let mut stack = vec![table];
    while let Some(table) = stack.pop() {
        let is_better = |table: &Table, found: &Option<&mut Table>| {
            !table.is_implicit()
                && table.position().is_some_and(|at| {
                    at > position
                        && found.as_ref().and_then(|found| found.position()).is_none_or(|f| at < f)
                })
        };
        if is_better(table, &found) {
            // A table before its own parts: those come later.
            found = Some(table);
            continue;
        }
        for (_, item) in table.iter_mut() {
            match item {
                Item::Table(table) => stack.push(table),
                Item::ArrayOfTables(tables) => stack.extend(tables.iter_mut()),
                _ => {}
            }
        }
    }
    found
}

fn edit(text: &str, change: impl FnOnce(&mut DocumentMut) -> bool) -> Result<String, Problem> {
    value(text)?;
    let is_crlf = newline_of(text) == "\r\n";
    let with_line_ends = |toml: String| if is_crlf { toml.replace('\n', "\r\n") } else { toml };
    let unchanged: DocumentMut = text.parse().map_err(|_| Problem::unsafe_edit())?;
    // E.g. with both kinds of line ends.
    if with_line_ends(unchanged.to_string()) != text {
        return Err(Problem::unsafe_edit());
    }
    let mut document = unchanged;
    if !change(&mut document) {
        return Err(Problem::unsafe_edit());
    }
    Ok(with_line_ends(document.to_string()))
}

fn toml_value(value: &Value) -> TomlValue {
    match value {
        Value::Bool(boolean) => (*boolean).into(),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::Array(items) => TomlValue::Array(items.iter().map(toml_value).collect::<Array>()),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.as_str(), toml_value(value)));
            TomlValue::InlineTable(members.collect::<InlineTable>())
        }
        Value::Null => "".into(),
        Value::String(text) => text.as_str().into(),
    }
}
