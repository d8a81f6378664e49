//! Sizes: what is downloaded, and what a list of tools costs the context of those who read it.
//!
//! A agent sees name, description and input schema of each tool; the rest of `tools/list` is for the
//! client.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::Failure;
use super::server::{Server, ServerKind};
use super::table::{Row, Table, Verdict};

/// What the default set of tools may have, in bytes of compact JSON.
const LIST: usize = 40_000;
const SEEN: usize = 20_000;

/// The sizes of the single tools, as text.
pub(super) fn measure(binary: &Path, table: &mut Table) -> Result<String, Failure> {
    let bytes = std::fs::metadata(binary)?.len();
    table.add(Row {
        what: "size of the binary".to_owned(),
        ours: grouped(bytes),
        value: format!("{:.1} MB", bytes as f64 / 1e6),
        ..Row::default()
    });
    // Nothing is called, so nothing needs to be at this address.
    let mut server = Server::start("http://127.0.0.1:9", ServerKind::Mcp, None)?;
    let response = server.ask("tools/list", &json!({}))?;
    let result = &response["result"];
    let tools = result["tools"].as_array().ok_or("no tools are listed")?;
    let seen: Vec<Value> = tools.iter().map(seen).collect();
    table.add(row("bytes of tools/list", length(result), LIST));
    table.add(row("bytes of it an agent sees", length(&json!(seen)), SEEN));
    let mut text = format!("{:<24}{:>8}{:>12}\n", "tool", "whole", "agent sees");
    for (tool, seen) in tools.iter().zip(&seen) {
        let name = tool["name"].as_str().unwrap_or_default();
        let (whole, seen) = (length(tool), length(seen));
        writeln!(text, "{name:<24}{whole:>8}{seen:>12}")?;
    }
    Ok(text)
}

fn seen(tool: &Value) -> Value {
    json!({
        "name": tool["name"], "description": tool["description"], "inputSchema": tool["inputSchema"],
    })
}

fn length(value: &Value) -> usize {
    value.to_string().len()
}

fn row(what: &str, bytes: usize, limit: usize) -> Row {
    Row {
        what: what.to_owned(),
        ours: grouped(bytes as u64),
        value: format!("{:.0} %", bytes as f64 * 100.0 / limit as f64),
        target: format!("≤ {}", grouped(limit as u64)),
        verdict: Verdict::of(bytes <= limit),
        ..Row::default()
    }
}

/// 5900000 as 5,900,000.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
