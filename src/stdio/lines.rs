//! Reads lines from a byte stream, with a limit on their length.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes requested by one read.
const READ_CHUNK_BYTES: usize = 64 << 10;

/// One line of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Its bytes, without the newline.
    Bytes(Vec<u8>),
    /// It was longer than the limit; its bytes are dropped.
    TooLong,
}

/// The error message for a line over the limit.
pub(crate) fn line_too_long(limit: usize) -> String {
    format!("The line exceeds {limit} bytes (POLYTOMIC_MAX_LINE_BYTES).")
}

/// Reads a stream line by line. The last line needs no newline.
pub(crate) struct LineReader<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// There is no newline from `start` up to here.
    scanned: usize,
    /// Whether the rest of a line over the limit is being skipped.
    skipping: bool,
    ended: bool,
    limit: usize,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// A reader of lines of at most `limit` bytes.
    pub(crate) fn new(input: R, limit: usize) -> Self {
        let (buffer, skipping, ended) = (Vec::new(), false, false);
        Self { input, buffer, start: 0, scanned: 0, skipping, ended, limit }
    }

    /// The next line; none at the end of the input.
    ///
    /// Cancel-safe: bytes already read stay in `self`.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.buffered() {
                return Ok(Some(line));
            }
            self.scanned = self.buffer.len();
            if self.skipping || self.scanned - self.start > self.limit {
                self.reset_buffer();
                if !std::mem::replace(&mut self.skipping, true) {
                    return Ok(Some(Line::TooLong));
                }
            }
            if self.ended {
                let rest = self.line_until(self.scanned);
                self.reset_buffer();
                return Ok((rest != Line::Bytes(Vec::new())).then_some(rest));
            }
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
            self.buffer.reserve(READ_CHUNK_BYTES);
            if self.input.read_buf(&mut self.buffer).await? == 0 {
                self.ended = true;
            }
        }
    }

    /// The next line, if it has been read already.
    pub(crate) fn buffered(&mut self) -> Option<Line> {
        loop {
            let unscanned = self.buffer.get(self.scanned..).unwrap_or_default();
            let length = memchr::memchr(b'\n', unscanned)?;
            let line = self.line_until(self.scanned + length);
            if !std::mem::take(&mut self.skipping) {
                return Some(line);
            }
        }
    }

    /// Waits for the end of the input while no line can be accepted, reading at most `ahead` bytes.
    ///
    /// Cancel-safe, as [`LineReader::next`].
    pub(crate) async fn wait_for_end(&mut self, ahead: usize) -> io::Result<()> {
        while !self.ended {
            if self.buffer.len() - self.start >= ahead {
                return std::future::pending().await;
            }
            self.buffer.reserve(READ_CHUNK_BYTES);
            self.ended = self.input.read_buf(&mut self.buffer).await? == 0;
        }
        Ok(())
    }

    /// The line from `start` to `end`; the next one begins after its newline.
    fn line_until(&mut self, end: usize) -> Line {
        let line = self.buffer.get(self.start..end).unwrap_or_default();
        let line = if line.len() > self.limit { Line::TooLong } else { Line::Bytes(line.to_vec()) };
        self.start = (end + 1).min(self.buffer.len());
        self.scanned = self.start;
        line
    }

    /// Replaces the buffer, so that one long line does not keep its memory.
    fn reset_buffer(&mut self) {
        self.buffer = Vec::new();
        self.start = 0;
        self.scanned = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &[u8], limit: usize) -> Vec<String> {
        let mut lines = LineReader::new(input, limit);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            all.push(match line {
                Line::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
                Line::TooLong => "<too long>".to_owned(),
            });
        }
        all
    }

    #[tokio::test]
    async fn lines_end_at_newlines_and_are_rejected_over_the_limit() {
        for (label, input, expected) in [
            ("two lines", &b"a\nb\n"[..], vec!["a", "b"]),
            ("no last newline", b"a\nb", vec!["a", "b"]),
            ("empty lines", b"\n\na\n", vec!["", "", "a"]),
            ("at the limit", b"12345\n", vec!["12345"]),
            ("over the limit", b"123456\nb\n", vec!["<too long>", "b"]),
            ("over the limit at the end", b"a\n123456", vec!["a", "<too long>"]),
            ("nothing", b"", vec![]),
        ] {
            assert_eq!(lines(input, 5).await, expected, "{label}");
        }
    }

    #[tokio::test]
    async fn a_long_line_in_many_reads_is_rejected_once_and_not_kept() {
        let long = vec![b'x'; 300_000];
        let input = [b"a\n", long.as_slice(), b"\nb\n"].concat();
        assert_eq!(lines(&input, 1_000).await, ["a", "<too long>", "b"]);
    }
}
