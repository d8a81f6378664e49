//! Framing: lines, or headers with a Content-Length, detected at the first bytes. Both servers read alike.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Launch, Stub, UNKNOWN_ID, exit_code};

/// Both servers on stdin, which respond to a request for "nothing" alike.
fn servers() -> [Launch; 2] {
    let launch = Launch::bare().flag("--max-line-bytes").flag("2000");
    [launch.clone(), launch.flag("rpc")]
}

fn request(id: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "nothing"}).to_string()
}

fn framed(body: &str) -> String {
    format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Sends the chunks and closes the input; returns the output and stderr of a process that ended with status 0.
async fn run<'a>(launch: &Launch, chunks: impl IntoIterator<Item = &'a [u8]>) -> (String, String) {
    let mut child = launch.spawn();
    let mut input = child.stdin.take().unwrap();
    let (mut output, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let write = async {
        for chunk in chunks {
            // A server that has read enough may be gone.
            if input.write_all(chunk).await.is_err() {
                break;
            }
            input.flush().await.unwrap();
        }
        drop(input);
    };
    let (mut text, mut log) = (String::new(), String::new());
    let (_, read, _) =
        tokio::join!(write, output.read_to_string(&mut text), stderr.read_to_string(&mut log));
    read.unwrap();
    assert_eq!(exit_code(&mut child).await, Some(0), "{log}");
    launch.keys().assert_not_in("the output", &format!("{text}{log}"));
    (text, log)
}

/// The bodies of an output that is framed with headers, which have to be exact.
fn bodies(mut output: &str) -> Vec<Value> {
    let mut bodies = Vec::new();
    while !output.is_empty() {
        let rest = output.strip_prefix("Content-Length: ").unwrap_or_else(|| panic!("{output:?}"));
        let (length, rest) = rest.split_once("\r\n\r\n").unwrap();
        let (body, rest) = rest.split_at(length.parse().unwrap());
        bodies.push(serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}")));
        output = rest;
    }
    bodies
}

fn lines(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Ids and codes of the errors, in any order: requests run concurrently.
fn codes(responses: &[Value]) -> Vec<(String, i64)> {
    let of = |response: &Value| {
        let id = response.get("id").unwrap_or(&Value::Null);
        (id.to_string(), response["error"]["code"].as_i64().unwrap())
    };
    let mut codes: Vec<(String, i64)> = responses.iter().map(of).collect();
    codes.sort();
    codes
}

fn expected(rejected: &[i64], ids: &[&str]) -> Vec<(String, i64)> {
    let ids = ids.iter().map(|id| (json!(id).to_string(), -32601));
    let mut all: Vec<(String, i64)> =
        rejected.iter().map(|code| ("null".to_owned(), *code)).chain(ids).collect();
    all.sort();
    all
}

#[tokio::test]
async fn headers_are_detected_and_responses_have_them() {
    let (a, b, c) = (framed(&request("a")), framed(&request("b")), framed(&request("c")));
    let body = request("a");
    let length = body.len();
    let long = framed(&format!("{}\n{}", "x".repeat(2_000), "y".repeat(100_000)));
    for (label, input, rejected, ids) in [
        ("one message", a.clone(), vec![], vec!["a"]),
        ("three in one write", format!("{a}{b}{c}"), vec![], vec!["a", "b", "c"]),
        ("characters of several bytes", framed(&request("é😀")), vec![], vec!["é😀"]),
        ("newlines in a body", framed(&body.replace(',', ",\r\n\r\n")), vec![], vec!["a"]),
        ("capitals", a.replace("Content-Length", "CONTENT-LENGTH"), vec![], vec!["a"]),
        (
            "the type first",
            format!("content-type: application/vscode-jsonrpc; charset=utf-8\r\n{a}"),
            vec![],
            vec!["a"],
        ),
        (
            "the type last",
            format!("content-length:{length}\r\nContent-Type: x\r\nX-Trace: 1\r\n\r\n{body}"),
            vec![],
            vec!["a"],
        ),
        ("bare newlines", format!("Content-Length: {length}\n\n{body}{b}"), vec![], vec!["a", "b"]),
        ("a newline behind each body", format!("{a}\n{b}\r\n"), vec![], vec!["a", "b"]),
        ("a mark", format!("\u{feff}{a}"), vec![], vec!["a"]),
        (
            "marks in bodies",
            [&body, &request("b")].map(|b| framed(&format!("\u{feff}{b}"))).concat(),
            vec![],
            vec!["a", "b"],
        ),
        ("a name with other signs", format!("X_Trace.Id: 1\r\n{a}{b}"), vec![], vec!["a", "b"]),
        (
            "a length that is too short",
            format!("Content-Length: {}\r\n\r\n{body}{b}", length - 5),
            vec![-32700, -32700],
            vec!["b"],
        ),
        (
            "a length that is too long",
            format!("Content-Length: {}\r\n\r\n{body}{b}{c}", length + 5),
            vec![-32700, -32700],
            vec!["c"],
        ),
        ("no length", format!("Content-Type: x\r\n\r\n{body}{b}"), vec![-32700], vec!["b"]),
        (
            "a length that is no number",
            format!("Content-Length: all\r\n\r\n{body}{b}"),
            vec![-32700],
            vec!["b"],
        ),
        ("a line", format!("{a}{body}\n{b}"), vec![-32700], vec!["a", "b"]),
        ("a body over the limit", format!("{a}{long}{b}"), vec![-32600], vec!["a", "b"]),
        ("invalid JSON", format!("{}{b}", framed("{nope")), vec![-32700], vec!["b"]),
        (
            "an end within a body",
            format!("{a}Content-Length: 99\r\n\r\n{{"),
            vec![-32700],
            vec!["a"],
        ),
    ] {
        for launch in servers() {
            for size in [1, 7, usize::MAX] {
                if size == 1 && input.len() > 10_000 {
                    continue;
                }
                let (output, log) = run(&launch, input.as_bytes().chunks(size.min(1 << 20))).await;
                let responses = bodies(&output);
                assert_eq!(
                    codes(&responses),
                    expected(&rejected, &ids),
                    "{label}, {size}: {output}{log}"
                );
            }
        }
    }
}

#[tokio::test]
async fn lines_are_detected_and_responses_are_lines() {
    let (a, b) = (request("a"), request("b"));
    let utf16 = |text: &str| -> Vec<u8> {
        ("\u{feff}".to_owned() + text).encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    for (label, input, rejected, ids) in [
        ("lines", format!("{a}\n{b}\n").into_bytes(), vec![], vec!["a", "b"]),
        ("a mark", format!("\u{feff}{a}\r\n{b}\r\n").into_bytes(), vec![], vec!["a", "b"]),
        ("blank lines", format!("\n \r\n{a}\n\n{b}").into_bytes(), vec![], vec!["a", "b"]),
        ("text first", format!("hello\n{a}\n").into_bytes(), vec![-32700], vec!["a"]),
        (
            "a log line first",
            format!("INFO: hello\n{a}\n{b}\n").into_bytes(),
            vec![-32700],
            vec!["a", "b"],
        ),
        (
            "a header later",
            format!("{a}\n{}\n", framed(&b)).into_bytes(),
            vec![-32700],
            vec!["a", "b"],
        ),
        ("UTF-16", utf16(&format!("{a}\n{b}\n")), vec![-32700], vec![]),
    ] {
        for launch in servers() {
            for size in [1, usize::MAX] {
                let (output, log) = run(&launch, input.chunks(size.min(1 << 20))).await;
                let responses = lines(&output);
                assert_eq!(codes(&responses), expected(&rejected, &ids), "{label}: {output}{log}");
                if label == "UTF-16" {
                    assert!(output.contains("UTF-16") && output.contains("UTF-8"), "{output}");
                }
            }
        }
    }
}

#[tokio::test]
async fn many_responses_with_headers_go_out_whole() {
    let method = ["tools/list", "rpc.discover"];
    for (launch, method) in [Launch::bare(), Launch::bare().flag("rpc")].into_iter().zip(method) {
        let params = json!({"_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }});
        let request = |n| {
            framed(
                &json!({"jsonrpc": "2.0", "id": n, "method": method, "params": params}).to_string(),
            )
        };
        let input: String = (0..200).map(request).collect();
        let (output, log) = run(&launch, [input.as_bytes()]).await;
        let responses = bodies(&output);
        let mut ids: Vec<u64> =
            responses.iter().map(|response| response["id"].as_u64().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..200).collect::<Vec<u64>>(), "{log}");
        assert!(responses.iter().all(|response| response["result"].is_object()), "{log}");
    }
}

#[tokio::test]
async fn a_request_with_a_header_in_flight_gets_its_response_at_the_end_of_the_input() {
    let stub = Stub::slow(Duration::from_millis(300)).await;
    let launch = Launch::against(&stub.url());
    let arguments = json!({"model_id": UNKNOWN_ID});
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
    }});
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
        "name": "get_model", "arguments": arguments, "_meta": {"progressToken": "p"},
    }});
    let input = framed(&initialize.to_string()) + &framed(&call.to_string());
    let (output, log) = run(&launch, [input.as_bytes()]).await;
    let responses = bodies(&output);
    assert_eq!(
        responses[1]["result"]["structuredContent"]["model"]["name"], "Users",
        "{output}{log}"
    );

    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "get_model", "params": arguments});
    let input = framed(&json!([call]).to_string());
    let (output, log) = run(&launch.flag("rpc"), [input.as_bytes()]).await;
    assert_eq!(bodies(&output)[0][0]["result"]["model"]["name"], "Users", "{output}{log}");
}
