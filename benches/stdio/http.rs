//! The server over HTTP, the bare route that is its floor, and a client of both that costs next to nothing: blocking
//! sockets that are kept open, one request at a time on each, no JSON read while the clock runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::ChildStdin;
use std::time::{Duration, Instant};

use axum::http::header::CONTENT_TYPE;
use axum::serve::ListenerExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Failure;
use super::process::{Owned, Part};
use super::server::{KEY, WINDOW, command};
use super::stub::MODEL;

/// Either of both, with connections that are open.
pub(super) struct HttpServer {
    pub(super) process: Owned,
    /// The route ends with its input.
    _input: ChildStdin,
    request: Vec<u8>,
    /// Bytes of a correct response with its head: all have the same length.
    length: usize,
    connections: Vec<TcpStream>,
}

impl HttpServer {
    /// MCP against the API at `url`.
    pub(super) fn mcp(url: &str) -> Result<Self, Failure> {
        let mut command = command();
        command.arg("http").env("POLYTOMIC_BASE_URL", url).env("POLYTOMIC_API_KEY", KEY);
        command.env("POLYTOMIC_MAX_IN_FLIGHT", WINDOW.to_string());
        let (process, input, output) = Owned::start(&mut command)?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let first: Value = serde_json::from_str(&line)?;
        let address = first["url"].as_str().and_then(|url| url.split('/').nth(2));
        let address = address.ok_or("the server printed no URL")?;
        Self::connect(process, input, address, "/result/structuredContent/model/fields")
    }

    /// A route that gets the same from the API and passes it on.
    pub(super) fn bare_route(url: &str) -> Result<Self, Failure> {
        let (part, address) = Part::route(url)?;
        Self::connect(part.process, part.input, &address, "/data/fields")
    }

    fn connect(
        process: Owned,
        input: ChildStdin,
        address: &str,
        fields: &str,
    ) -> Result<Self, Failure> {
        let mut connections = Vec::with_capacity(WINDOW);
        for _ in 0..WINDOW {
            let connection = TcpStream::connect(address)?;
            connection.set_nodelay(true)?;
            connections.push(connection);
        }
        let request = request(address);
        let first = connections.first_mut().ok_or("no connection")?;
        first.write_all(&request)?;
        let (length, body) = first_response(first)?;
        let response: Value = serde_json::from_slice(&body)?;
        if response.pointer(fields).and_then(Value::as_array).map(Vec::len) != Some(13) {
            return Err(format!("get_model over HTTP returned {response}").into());
        }
        Ok(Self { process, _input: input, request, length, connections })
    }

    /// Times of `count` sequential calls.
    pub(super) fn in_turn(&mut self, count: usize) -> Result<Vec<f64>, Failure> {
        let connection = self.connections.first_mut().ok_or("no connection")?;
        let mut response = vec![0; self.length];
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let started = Instant::now();
            connection.write_all(&self.request)?;
            read_response(connection, &mut response)?;
            times.push(started.elapsed().as_secs_f64());
        }
        Ok(times)
    }

    /// `count` calls, one in flight on each connection: what all took.
    pub(super) fn at_once(&mut self, count: usize) -> Result<Duration, Failure> {
        let mut response = vec![0; self.length];
        let started = Instant::now();
        for connection in self.connections.iter_mut().take(count) {
            connection.write_all(&self.request)?;
        }
        for number in 0..count {
            let at = number % WINDOW;
            let connection = self.connections.get_mut(at).ok_or("no connection")?;
            read_response(connection, &mut response)?;
            if number + WINDOW < count {
                connection.write_all(&self.request)?;
            }
        }
        Ok(started.elapsed())
    }
}

/// Reads one model, in the stateless era; the route does not look at it.
fn request(address: &str) -> Vec<u8> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"name": "get_model", "arguments": {"model_id": MODEL}, "_meta": meta});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let body = body.to_string();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
         Mcp-Method: tools/call\r\nMcp-Name: get_model\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

/// The length of the first response with its head, and its body.
fn first_response(connection: &mut TcpStream) -> Result<(usize, Vec<u8>), Failure> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let text = String::from_utf8(head)?.to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.ok_or_else(|| format!("a response without a length: {text}"))?.parse()?;
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok((text.len() + length, body))
}

/// Reads a response of the expected length. Only one may be in flight on the connection.
fn read_response(connection: &mut TcpStream, response: &mut [u8]) -> Result<(), Failure> {
    connection.read_exact(response)?;
    match response.starts_with(b"HTTP/1.1 200 ") && response.ends_with(b"}") {
        true => Ok(()),
        false => {
            Err(format!("a response began {:?}", response.get(..60).unwrap_or(response)).into())
        }
    }
}

/// Runs the bare route until its input ends; the first line it writes is its address. `arguments`: its role and the
/// address of the API.
pub(super) fn run_route(arguments: &[String]) -> Result<(), Failure> {
    super::process::end_with_input();
    let origin = arguments.get(1).ok_or("the route needs an address")?;
    let url = format!("{origin}/api/models/{MODEL}");
    let client = super::floor::client()?;
    let handler = async move |_: axum::body::Bytes| {
        let response = client.get(&url).bearer_auth(KEY).send().await;
        let body = async { response?.error_for_status()?.bytes().await }.await;
        body.map(|body| ([(CONTENT_TYPE, "application/json")], body))
            .map_err(|error| (axum::http::StatusCode::BAD_GATEWAY, error.to_string()))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?);
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let router = axum::Router::new().route("/mcp", axum::routing::post(handler));
        Ok(axum::serve(listener, router).await?)
    })
}
