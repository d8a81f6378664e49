//! `schemas`: prints the tools as clients see them, or writes one file for each, in a folder for each toolset.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use super::error::CliError;
use super::startup::listing_only;
use crate::config::Config;
use crate::polytomic::{sha256, to_hex};
use crate::tools::TOOLS;
use crate::{jsonrpc, mcp, stderr};

pub(super) fn command() -> Command {
    Command::new("schemas")
        .about("Print the tools with their schemas, or write them to files")
        .arg(
            Arg::new("write")
                .long("write")
                .value_name("DIRECTORY")
                .value_parser(value_parser!(PathBuf))
                .help("Write one file for each tool, in a folder for each toolset, and remove the files of tools that are not served"),
        )
        .arg(
            Arg::new("hash")
                .long("hash")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["write", "openrpc"])
                .help("Print the hash of the list of tools only, for clients that pin it"),
        )
        .arg(
            Arg::new("openrpc")
                .long("openrpc")
                .action(ArgAction::SetTrue)
                .conflicts_with("write")
                .help("Print the OpenRPC document of the JSON-RPC methods instead"),
        )
}

pub(super) fn run(matches: &ArgMatches, config: Config) -> Result<(), CliError> {
    let registry = listing_only(config, false)?;
    if matches.get_flag("openrpc") {
        let document = jsonrpc::openrpc_document(&registry);
        return Ok(writeln!(std::io::stdout(), "{}", pretty(&document))?);
    }
    let tools: Vec<Value> =
        registry.tools().iter().map(|tool| json!(mcp::describe_tool(tool))).collect();
    let hash = hash(&tools);
    if matches.get_flag("hash") {
        return Ok(writeln!(std::io::stdout(), "{hash}")?);
    }
    match matches.get_one::<PathBuf>("write") {
        Some(directory) => {
            write(directory, &tools)?;
            let (count, directory) = (tools.len(), directory.display());
            writeln!(std::io::stdout(), "{count} tools in {directory}, {hash}")?;
        }
        None => {
            writeln!(std::io::stdout(), "{}", pretty(&json!(tools)))?;
            stderr::print(&format!("hash of the list of tools: {hash}"));
        }
    }
    Ok(())
}

/// A hash of the list that does not depend on the order of properties: SHA-256 of `tools` in `tools/list` as compact JSON
/// with sorted names, which is RFC 8785 for a list without fractions.
fn hash(tools: &[Value]) -> String {
    let mut canonical = json!(tools);
    canonical.sort_all_objects();
    format!("sha256:{}", to_hex(sha256(canonical.to_string().as_bytes())))
}

fn write(directory: &Path, tools: &[Value]) -> Result<(), CliError> {
    let io_error = |path: &Path| {
        let path = path.display().to_string();
        move |error| CliError::failed(format!("{path}: {error}"))
    };
    let folders = TOOLS.toolsets.iter().map(|toolset| directory.join(toolset.name));
    let folders: Vec<PathBuf> = std::iter::once(directory.to_owned()).chain(folders).collect();
    for folder in &folders {
        fs::create_dir_all(folder).map_err(io_error(folder))?;
    }
    let mut written = Vec::new();
    for tool in tools {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        let toolset = TOOLS.toolset_of(name).map_or("", |toolset| toolset.name);
        let path = directory.join(toolset).join(format!("{name}.json"));
        fs::write(&path, pretty(tool) + "\n").map_err(io_error(&path))?;
        written.push(path);
    }
    for folder in &folders {
        for file in fs::read_dir(folder).map_err(io_error(folder))? {
            let path = file?.path();
            if !written.contains(&path) && is_schema_of_a_tool(&path) {
                fs::remove_file(&path).map_err(io_error(&path))?;
            }
        }
    }
    Ok(())
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
