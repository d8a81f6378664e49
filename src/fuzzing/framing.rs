//! Messages in a stream of bytes.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use tokio::io::{AsyncRead, ReadBuf};

use super::choice;
use crate::stdio::{Framing, FramingError, MessageReader};

/// Messages are the same however their bytes arrive, cancelled reads lose nothing, and what was framed is read back.
pub fn framing(data: &[u8]) {
    let limit = [4, 30, 1_000].into_iter().nth(choice(data, "limit", 3)).unwrap_or_default();
    let expected = read_all(data, limit, data.len());
    for max_chunk in [1, 7] {
        let read = read_all(data, limit, max_chunk);
        assert!(read == expected, "limit {limit}, chunks of {max_chunk}: {read:?} {expected:?}");
    }
    // The first line decides that all others are lines, whatever they contain.
    let lines: Vec<u8> = [b"{\n", data].concat();
    let expected: Vec<_> = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| line.len() > limit || !is_blank(line))
        .map(|line| match line.len() > limit {
            true => Err(FramingError::TooLong { limit }),
            false => Ok(line.to_vec()),
        })
        .collect();
    let read = read_all(&lines, limit, 7);
    assert!(read == expected, "limit {limit}: {read:?} {expected:?}");

    let limit = data.len();
    let bodies = data.split(|byte| *byte == b'|').chain([data]).filter(|body| !is_blank(body));
    let (mut framed, mut expected) = (Vec::new(), Vec::new());
    for body in bodies {
        framed.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        framed.extend_from_slice(body);
        expected.push(Ok(body.to_vec()));
    }
    let read = read_all(&framed, limit.max(100), 7);
    assert!(read == expected, "{read:?} {expected:?}");
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

/// Everything in a stream. Each read is dropped while it waits, and started again.
fn read_all(data: &[u8], limit: usize, max_chunk: usize) -> Vec<Result<Vec<u8>, FramingError>> {
    let chunks = Chunks { rest: data, max_chunk, is_ready: false };
    let mut reader = MessageReader::new(chunks, limit, Framing::default());
    let mut read = Vec::new();
    loop {
        match reader.next().now_or_never() {
            None => {}
            Some(Ok(Some(message))) => read.push(message),
            Some(_) => return read,
        }
    }
}

/// Chunks of a stream, each after a wait.
struct Chunks<'a> {
    rest: &'a [u8],
    max_chunk: usize,
    is_ready: bool,
}

impl AsyncRead for Chunks<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.is_ready = !self.is_ready;
        if !self.is_ready {
            return Poll::Pending;
        }
        let length = self.max_chunk.min(self.rest.len()).min(buffer.remaining());
        let (chunk, rest) = self.rest.split_at(length);
        buffer.put_slice(chunk);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}
