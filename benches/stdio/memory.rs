//! Peak memory (VmHWM) of servers that have worked or were sent too much.

use std::io::Write;

use serde_json::{Value, json};

use super::server::{Server, ServerKind, WINDOW};
use super::stub::{HUGE_IN_CHUNKS, HUGE_WITH_LENGTH, LARGE, LARGE_MODEL};
use super::table::{Row, Table, Verdict};
use super::{Failure, Plan};

/// A megabyte.
const MB: f64 = 1e6;
/// What a server that has been working may hold, in MB.
const WORKING: f64 = 14.0;
/// What one that was sent too much may hold, in MB.
const FLOODED: f64 = 200.0;
/// What a large response may take, as a multiple of its size.
const LARGE_SHARE: f64 = 4.0;
/// Bytes of a line that is longer than the cap of 32 MiB.
const LONG_LINE: usize = 40_000_000;

/// `veteran`: the server of all calls before, which shows whether memory grows with their number.
pub(super) fn measure(
    plan: &Plan,
    url: &str,
    veteran: &Server,
    table: &mut Table,
) -> Result<(), Failure> {
    let calls = plan.rounds * (plan.in_turn + plan.at_once);
    table.add(Row {
        target: String::new(),
        verdict: Verdict::Unjudged,
        ..row(format!("peak memory, the {calls} calls above"), veteran, WORKING)?
    });
    let mut server = Server::start(url, ServerKind::Mcp, None)?;
    server.at_once(WINDOW, plan.memory)?;
    let what = format!("peak memory, {} calls at 64 in flight", plan.memory);
    table.add(row(what, &server, WORKING)?);

    for (tool, response) in [("get_model", "a model"), ("sample_records", "a sample")] {
        let mut server = Server::start(url, ServerKind::Mcp, None)?;
        let params = json!({"name": tool, "arguments": {"model_id": LARGE_MODEL}});
        let result = server.ask("tools/call", &params)?;
        if result["result"]["structuredContent"]["truncated"].is_null() {
            return Err(format!("{response} of {LARGE} bytes was not truncated").into());
        }
        let megabytes = LARGE as f64 / MB;
        let what = format!("peak memory, {response} of {megabytes} MB truncated");
        table.add(row(what, &server, LARGE_SHARE * megabytes)?);
    }

    let mut server = Server::start(url, ServerKind::Mcp, None)?;
    long_line(&mut server)?;
    let what = "peak memory, a line of 40 MB refused".to_owned();
    table.add(row(what, &server, FLOODED)?);

    for (id, framing) in [(HUGE_WITH_LENGTH, "with its length"), (HUGE_IN_CHUNKS, "in chunks")] {
        let mut server = Server::start(url, ServerKind::Mcp, None)?;
        let response = server.get_model(id)?;
        refused(&response)?;
        let what = format!("peak memory, 200 MB {framing} refused");
        table.add(row(what, &server, FLOODED)?);
    }
    Ok(())
}

/// Sends a request that is too long; the server must refuse it and hear the next one.
fn long_line(server: &mut Server) -> Result<(), Failure> {
    let input = server.input();
    input.write_all(br#"{"jsonrpc":"2.0","id":3,"method":"ping","params":{"padding":""#)?;
    let letters = [b'x'; 1 << 16];
    let mut left = LONG_LINE;
    while let Some(piece) = letters.get(..left.min(letters.len())).filter(|p| !p.is_empty()) {
        input.write_all(piece)?;
        left -= piece.len();
    }
    input.write_all(b"\"}}\n")?;
    let refusal = server.response()?;
    if refusal["error"]["code"] != -32600 {
        return Err(format!("a long line got {refusal}").into());
    }
    let pong = server.ask("ping", &json!({}))?;
    if pong["result"].is_null() {
        return Err(format!("ping after a long line got {pong}").into());
    }
    Ok(())
}

fn refused(response: &Value) -> Result<(), Failure> {
    let text = response["result"]["content"][0]["text"].as_str();
    let error: Value = serde_json::from_str(text.unwrap_or("null"))?;
    if response["result"]["isError"] != true || error["code"] != "result_too_large" {
        let response: String = response.to_string().chars().take(500).collect();
        return Err(format!("a huge response came as {response}").into());
    }
    Ok(())
}

fn row(what: String, server: &Server, limit: f64) -> Result<Row, Failure> {
    let peak = server.process.peak()? as f64 / MB;
    Ok(Row {
        what,
        ours: format!("{peak:.1} MB"),
        floor: String::new(),
        value: format!("{peak:.1} MB"),
        target: format!("≤ {limit} MB"),
        verdict: Verdict::of(peak <= limit),
    })
}
