//! `schemas`: prints the tools as clients see them, or writes one file for each.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use super::error::CliError;
use crate::registry::Registry;
use crate::tools::TOOLS;
use crate::{jsonrpc, mcp};

pub(super) fn command() -> Command {
    Command::new("schemas")
        .about("Print the tools with their schemas, or write them to files")
        .arg(
            Arg::new("write")
                .long("write")
                .value_name("DIRECTORY")
                .value_parser(value_parser!(PathBuf))
                .help("Write one file for each tool, and remove the files of tools that no longer exist"),
        )
        .arg(
            Arg::new("openrpc")
                .long("openrpc")
                .action(ArgAction::SetTrue)
                .conflicts_with("write")
                .help("Print the OpenRPC document of the JSON-RPC methods instead"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), CliError> {
    let registry = Registry::unconnected(TOOLS);
    if matches.get_flag("openrpc") {
        let document = jsonrpc::openrpc_document(&registry);
        return Ok(writeln!(std::io::stdout(), "{}", pretty(&document))?);
    }
    let tools: Vec<Value> =
        registry.tools().iter().map(|tool| json!(mcp::describe_tool(tool))).collect();
    match matches.get_one::<PathBuf>("write") {
        Some(directory) => write(directory, &tools),
        None => Ok(writeln!(std::io::stdout(), "{}", pretty(&json!(tools)))?),
    }
}

fn write(directory: &Path, tools: &[Value]) -> Result<(), CliError> {
    let io_error = |path: &Path| {
        let path = path.display().to_string();
        move |error| CliError::failed(format!("{path}: {error}"))
    };
    fs::create_dir_all(directory).map_err(io_error(directory))?;
    let mut written = Vec::new();
    for tool in tools {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        let path = directory.join(format!("{name}.json"));
        fs::write(&path, pretty(tool) + "\n").map_err(io_error(&path))?;
        written.push(path);
    }
    for file in fs::read_dir(directory).map_err(io_error(directory))? {
        let path = file?.path();
        if !written.contains(&path) && is_schema_of_a_tool(&path) {
            fs::remove_file(&path).map_err(io_error(&path))?;
        }
    }
    Ok(writeln!(std::io::stdout(), "{} tools in {}", tools.len(), directory.display())?)
}

/// Whether this command may have written a file: no other file is removed, whatever the directory.
fn is_schema_of_a_tool(path: &Path) -> bool {
    if path.extension().is_none_or(|extension| extension != "json") {
        return false;
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    let tool: Value = serde_json::from_str(&text).unwrap_or_default();
    let name = tool.get("name").and_then(Value::as_str);
    name.is_some_and(|name| path.file_stem().is_some_and(|stem| stem == name))
        && tool.get("inputSchema").is_some()
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}
