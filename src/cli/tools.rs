//! `tools`: lists the tools, or shows one with its arguments.

use std::fmt::Write as _;
use std::io::Write;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::error::CliError;
use super::startup::{listing_only, unserved};
use crate::config::Config;
use crate::registry::{Registry, Tool, schema};
use crate::tools::TOOLS;

pub(super) fn command() -> Command {
    let names = TOOLS.entries().map(|entry| entry.name);
    Command::new("tools").about("List the tools, or show one with its arguments").arg(
        Arg::new("tool")
            .value_name("NAME")
            .value_parser(PossibleValuesParser::new(names))
            .help("The tool to show"),
    )
}

pub(super) fn run(matches: &ArgMatches, config: Config) -> Result<(), CliError> {
    let selected_by = config.selected_by();
    let name = matches.get_one::<String>("tool");
    let text = match name {
        Some(name) => match listing_only(config, true)?.tool(name) {
            Ok(tool) => page(tool),
            Err(error) => {
                let error = unserved(name, error, &selected_by)?;
                let failed = CliError::failed(error.message).with_hint(error.hint);
                return Err(CliError { status: 3, ..failed });
            }
        },
        None => {
            let selection = config.selection.clone().on_request();
            let registry = listing_only(config, false)?;
            list(&registry, &Registry::unconnected(TOOLS).with_selection(selection))
        }
    };
    Ok(write!(std::io::stdout(), "{text}")?)
}

/// `all`: with the tools on request.
fn list(registry: &Registry, all: &Registry) -> String {
    let tools = registry.tools();
    let width = tools.iter().map(|tool| tool.entry.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for tool in tools {
        let description = tool.description();
        let first = description.split_inclusive(". ").next().unwrap_or_default().trim();
        let _ = writeln!(text, "{:<width$}  {first}", tool.entry.name);
    }
    let notice = registry.access().notice().map(|notice| format!("\n{notice}\n"));
    let notice = notice.unwrap_or_default();
    let is_more = |tool: &&Tool| registry.tool(tool.entry.name).is_err();
    let more: Vec<&str> = all.tools().iter().filter(is_more).map(|tool| tool.entry.name).collect();
    let on_request = match more.is_empty() {
        true => String::new(),
        false => format!(
            "\nServers have these with --toolsets all, and call takes them without it:\n{}\n",
            wrap(&more.join(", "), "  ")
        ),
    };
    text + &notice + "\nSee polytomic-mcp tools NAME for the arguments of one.\n" + &on_request
}

fn page(tool: &Tool) -> String {
    let entry = tool.entry;
    let effect = match (entry.effect.is_read_only(), entry.effect.is_destructive()) {
        (true, _) => "Read-only.",
        (_, true) => "May overwrite or delete data.",
        _ => "Creates data; never overwrites or deletes.",
    };
    let mut text = format!(
        "{} — {}\n\n{}\n{effect}\n",
        entry.name,
        entry.title,
        wrap(&tool.description(), "")
    );
    if let Some(toolset) = TOOLS.toolset_of(entry.name)
        && toolset.is_on_request(entry.name)
    {
        let _ = writeln!(text, "Servers have it only with --toolsets {}, or all.", toolset.name);
    }
    let input = tool.input_schema();
    let arguments = || schema::properties(&input);
    text += if arguments().next().is_none() { "\nNo arguments.\n" } else { "\nArguments\n" };
    describe(&mut text, &input, "  ", Section::Arguments);
    text += "\nResult\n";
    describe(&mut text, &tool.output_schema(), "  ", Section::Result);
    let examples: Vec<(String, Value)> = arguments()
        .filter(|(_, _, is_required)| *is_required)
        .filter_map(|(name, schema, _)| Some((name.clone(), example(name, schema.as_object()?))))
        .collect();
    let assignments: String =
        examples.iter().map(|(name, value)| format!(" {}", assignment(name, value))).collect();
    let params: Map<String, Value> = examples.into_iter().collect();
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": entry.name, "params": params});
    let _ = write!(
        text,
        "\nCommand\n  polytomic-mcp call {}{assignments}\n\nRequest for polytomic-mcp rpc\n  {request}\n\n\
         Add --sandbox to try it without an account.\n",
        entry.name
    );
    text
}

#[derive(Clone, Copy, PartialEq)]
enum Section {
    /// Required properties are marked.
    Arguments,
    Result,
}

/// Describes the properties of an object, and indented those of nested objects.
fn describe(text: &mut String, schema: &Map<String, Value>, indent: &str, section: Section) {
    for (name, property, is_required) in schema::properties(schema) {
        let Some(property) = property.as_object() else { continue };
        let mark = if section == Section::Arguments && is_required { ", required" } else { "" };
        let _ = writeln!(text, "{indent}{name}  ({}{mark})", type_and_bounds(property));
        let inner = format!("{indent}    ");
        if let Some(description) = property.get("description").and_then(Value::as_str) {
            let _ = writeln!(text, "{}", wrap(description, &inner));
        }
        let items = property.get("items").and_then(Value::as_object);
        for part in [Some(property), items].into_iter().flatten() {
            describe(text, part, &inner, section);
        }
    }
}

/// The type with its bounds: "integer, 0 to 600, default 30".
fn type_and_bounds(schema: &Map<String, Value>) -> String {
    let mut text = schema.get("type").and_then(Value::as_str).unwrap_or("value").to_owned();
    if let Some(bounds) = schema::bounds(schema) {
        text += &format!(", {bounds}");
    }
    if let Some(choices) = schema::choices(schema) {
        text += &format!(", one of {choices}");
    }
    if let Some(default) = schema.get("default") {
        text += &format!(", default {default}");
    }
    text
}

/// The example of the description, converted to the schema's type; for an id, which only a call finds, a placeholder.
fn example(name: &str, schema: &Map<String, Value>) -> Value {
    if name.ends_with("_id") {
        return name.to_uppercase().into();
    }
    let example = schema::example(schema).unwrap_or("…");
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => Value::String(example.to_owned()),
        _ => serde_json::from_str(example).unwrap_or_else(|_| Value::String(example.to_owned())),
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

fn wrap(text: &str, indent: &str) -> String {
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
