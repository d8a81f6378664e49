//! Sizes: what is downloaded, and what a list of tools costs.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use super::Failure;
use super::list_bytes::{MAX_LIST_BYTES, MAX_SEEN_BYTES, bytes, list_bytes, seen};
use super::server::{Server, ServerKind};
use super::table::{Row, Table, Verdict};

/// The sizes of the single tools, as text.
pub(super) fn measure(binary: &Path, table: &mut Table) -> Result<String, Failure> {
    let size = std::fs::metadata(binary)?.len();
    table.add(Row {
        what: "size of the binary".to_owned(),
        ours: grouped(size),
        value: format!("{:.1} MB", size as f64 / 1e6),
        ..Row::default()
    });
    // Nothing is called, so nothing needs to be at this address.
    let mut server = Server::start("http://127.0.0.1:9", ServerKind::Mcp, None)?;
    let response = server.ask("tools/list", &json!({}))?;
    let result = &response["result"];
    let tools = result["tools"].as_array().ok_or("no tools are listed")?;
    let (whole_bytes, seen_bytes) = list_bytes(result);
    table.add(row("bytes of tools/list", whole_bytes, MAX_LIST_BYTES));
    table.add(row("bytes of it an agent sees", seen_bytes, MAX_SEEN_BYTES));
    let mut text = format!("{:<24}{:>8}{:>12}\n", "tool", "whole", "agent sees");
    for tool in tools {
        let name = tool["name"].as_str().unwrap_or_default();
        let (whole, seen) = (bytes(tool), bytes(&seen(tool)));
        writeln!(text, "{name:<24}{whole:>8}{seen:>12}")?;
    }
    Ok(text)
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
