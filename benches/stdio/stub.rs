//! The API that both sides call, with as little work per response as possible.
//!
//! Requests are read up to their blank line and routed by the id in their path. No check of headers:
//! the tests have those, and here every microsecond is on both sides of the ratio.

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Failure;

/// A model of ordinary size.
pub(super) const MODEL: &str = "248df4b7-aa70-47b8-a036-33ac447e668d";
/// A response of 200 MB with its length.
pub(super) const HUGE_WITH_LENGTH: &str = "b1946ac9-2492-4d23-8447-c0b0b3a4d001";
/// The same in chunks, so that nobody knows its length before its end.
pub(super) const HUGE_IN_CHUNKS: &str = "b1946ac9-2492-4d23-8447-c0b0b3a4d002";

/// A model with [`LARGE`] bytes of fields; as many bytes of records are its sample.
pub(super) const LARGE_MODEL: &str = "b1946ac9-2492-4d23-8447-c0b0b3a4d003";
/// Bytes of a large response.
pub(super) const LARGE: usize = 24_000_000;

const FIELD: &str = r#"{"id":"b1946ac9-2492-4d23-8447-c0b0b3a4d004","name":"column","label":"Column","type":"string","remote_type":"varchar","unique":false,"user_added":false,"example":"abc","created_at":"2026-01-01T00:00:00Z"}"#;
const RECORD: &str = r#"{"b1946ac9-2492-4d23-8447-c0b0b3a4d003":{"id":12345,"email":"somebody@example.com","score":1.25}}"#;
const HUGE: usize = 200_000_000;
const CHUNK: usize = 1 << 16;
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                    x-polytomic-version: 2025-09-18\r\n";

/// Serves until its input ends; the first line it writes is its address.
pub(super) fn run() -> Result<(), Failure> {
    super::process::end_with_input();
    let model: Value = serde_json::from_str(include_str!("model.json"))?;
    let body = model.to_string();
    let response = format!("{HEAD}content-length: {}\r\n\r\n{body}", body.len());
    let response: Arc<[u8]> = response.into_bytes().into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("http://{}", listener.local_addr()?);
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            connections.spawn(serve(stream, Arc::clone(&response)));
        }
    })
}

/// One connection, to its end. A client that hangs up, as one that rejects a huge response does, ends it.
async fn serve(mut stream: TcpStream, response: Arc<[u8]>) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(4 << 10);
    loop {
        request.clear();
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let path = request.split(|byte| *byte == b' ').nth(1);
        let path = path.unwrap_or_default();
        if path.ends_with(HUGE_WITH_LENGTH.as_bytes()) {
            huge(&mut stream, false).await?;
        } else if path.ends_with(HUGE_IN_CHUNKS.as_bytes()) {
            huge(&mut stream, true).await?;
        } else if path.ends_with(LARGE_MODEL.as_bytes()) {
            large(&mut stream, "fields", FIELD).await?;
        } else if path.ends_with(b"/sample") {
            large(&mut stream, "records", RECORD).await?;
        } else {
            stream.write_all(&response).await?;
        }
    }
}

/// A list of equal items.
async fn large(stream: &mut TcpStream, name: &str, item: &str) -> std::io::Result<()> {
    let items = vec![item; LARGE / (item.len() + 1)].join(",");
    let body = format!("{{\"data\":{{\"{name}\":[{items}]}}}}");
    let head = format!("{HEAD}content-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await
}

/// A model whose name has no end in sight.
async fn huge(stream: &mut TcpStream, in_chunks: bool) -> std::io::Result<()> {
    let (start, end) = ("{\"data\":{\"name\":\"", "\"}}");
    let letters = [b'x'; CHUNK];
    let count = HUGE / CHUNK;
    let framing = if in_chunks {
        "transfer-encoding: chunked".to_owned()
    } else {
        let length = start.len() + count * CHUNK + end.len();
        format!("content-length: {length}")
    };
    let head = format!("{HEAD}{framing}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let middle = std::iter::repeat_n(&letters[..], count);
    let pieces = std::iter::once(start.as_bytes()).chain(middle).chain([end.as_bytes()]);
    for piece in pieces {
        if in_chunks {
            let size = format!("{:x}\r\n", piece.len());
            stream.write_all(size.as_bytes()).await?;
        }
        stream.write_all(piece).await?;
        if in_chunks {
            stream.write_all(b"\r\n").await?;
        }
    }
    if in_chunks {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    Ok(())
}
