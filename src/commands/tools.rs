//! `tools`: what there is to call, as a list or one tool as a page.

use std::fmt::Write as _;
use std::io::Write;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::Failure;
use crate::tools::{Registry, TOOLSETS, Tool};

pub(super) fn command() -> Command {
    let names = TOOLSETS.iter().copied().flatten().map(|entry| entry.name);
    Command::new("tools").about("List the tools, or show one with its arguments").arg(
        Arg::new("tool")
            .value_name("NAME")
            .value_parser(PossibleValuesParser::new(names))
            .help("The tool to show"),
    )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let registry = Registry::unconnected();
    let text = match matches.get_one::<String>("tool").and_then(|name| registry.tool(name)) {
        Some(tool) => page(tool),
        None => list(&registry),
    };
    Ok(write!(std::io::stdout(), "{text}")?)
}

fn list(registry: &Registry) -> String {
    let tools = registry.tools();
    let width = tools.iter().map(|tool| tool.entry.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for tool in tools {
        let first = tool.entry.description.split_inclusive(". ").next().unwrap_or_default().trim();
        let _ = writeln!(text, "{:<width$}  {first}", tool.entry.name);
    }
    text + "\npolytomic-mcp tools NAME shows one with its arguments.\n"
}

fn page(tool: &Tool) -> String {
    let entry = tool.entry;
    let none = Map::new();
    let properties = |schema: &Map<String, Value>| {
        schema.get("properties").and_then(Value::as_object).unwrap_or(&none).clone()
    };
    let required = |name: &str| {
        let names = tool.input_schema.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|n| n == name))
    };
    let effect = match (entry.effect.is_read_only(), entry.effect.is_destructive()) {
        (true, _) => "Changes nothing.",
        (_, true) => "May lose something.",
        _ => "Adds something; loses nothing.",
    };
    let mut text = format!(
        "{} — {}\n\n{}\n{effect}\n",
        entry.name,
        entry.title,
        wrapped(entry.description, "")
    );
    let arguments = properties(&tool.input_schema);
    text += if arguments.is_empty() { "\nNo arguments.\n" } else { "\nArguments\n" };
    describe(&mut text, &tool.input_schema, "  ", Side::Arguments);
    text += "\nResult\n";
    describe(&mut text, &tool.output_schema, "  ", Side::Result);
    let examples: Vec<(String, Value)> = arguments
        .iter()
        .filter(|(name, _)| required(name))
        .map(|(name, schema)| (name.clone(), example(schema)))
        .collect();
    let assignments: String =
        examples.iter().map(|(name, value)| format!(" {}", assignment(name, value))).collect();
    let params: Map<String, Value> = examples.into_iter().collect();
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": entry.name, "params": params});
    let _ = write!(
        text,
        "\nFrom a shell\n  polytomic-mcp call {}{assignments}\n\nAs JSON-RPC, a line for polytomic-mcp rpc\n  {request}\n",
        entry.name
    );
    text
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    /// What is required is marked.
    Arguments,
    /// What is there is there.
    Result,
}

/// The properties of an object, with those of the objects in them below each, further to the right.
fn describe(text: &mut String, schema: &Map<String, Value>, indent: &str, side: Side) {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    for (name, property) in properties.into_iter().flatten() {
        let needed = required.is_some_and(|names| names.iter().any(|needed| needed == name));
        let mark = if side == Side::Arguments && needed { ", required" } else { "" };
        let _ = writeln!(text, "{indent}{name}  ({}{mark})", kind(property));
        let inner = format!("{indent}    ");
        if let Some(words) = property.get("description").and_then(Value::as_str) {
            let _ = writeln!(text, "{}", wrapped(words, &inner));
        }
        for part in [Some(property), property.get("items")].into_iter().flatten() {
            if let Some(part) = part.as_object() {
                describe(text, part, &inner, side);
            }
        }
    }
}

/// The type with its bounds: "integer, 0 to 600, default 30".
fn kind(schema: &Value) -> String {
    let mut text = schema.get("type").and_then(Value::as_str).unwrap_or("value").to_owned();
    let bound = |key: &str| schema.get(key).map(Value::to_string);
    let ranges = [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ];
    for (low, high, unit) in ranges {
        match (bound(low), bound(high)) {
            (Some(low), Some(high)) => text += &format!(", {low} to {high}{unit}"),
            (Some(low), None) => text += &format!(", at least {low}{unit}"),
            (None, Some(high)) => text += &format!(", at most {high}{unit}"),
            (None, None) => {}
        }
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<String> = words.iter().map(Value::to_string).collect();
        text += &format!(", one of {}", words.join(", "));
    }
    if let Some(default) = schema.get("default") {
        text += &format!(", default {default}");
    }
    text
}

/// The example that the description gives, read by the schema's type.
fn example(schema: &Value) -> Value {
    let words = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let given = words.split_once("e.g. `").and_then(|(_, rest)| rest.split_once('`'));
    let given = given.map_or("…", |(example, _)| example);
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => Value::String(given.to_owned()),
        _ => serde_json::from_str(given).unwrap_or_else(|_| Value::String(given.to_owned())),
    }
}

fn assignment(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)) => {
            format!("{name}={text}")
        }
        Value::Object(map) if map.len() == 1 => match map.iter().next() {
            Some((key, Value::String(text))) => format!("{name}.{key}={text}"),
            _ => format!("'{name}:={value}'"),
        },
        Value::String(text) => format!("'{name}={text}'"),
        _ => format!("'{name}:={value}'"),
    }
}

fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => *line = format!("{indent}{word}"),
            Some(line) if line.chars().count() + word.chars().count() < 88 => {
                *line += &format!(" {word}");
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines.join("\n")
}
