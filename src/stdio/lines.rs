//! LineReader out of a byte stream, with a cap on their length.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// How much is read at once.
const CHUNK: usize = 64 << 10;

/// One line of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Its bytes, without the newline.
    Bytes(Vec<u8>),
    /// It was longer than the cap; its bytes are gone.
    TooLong,
}

/// What is said of a line over the cap.
pub(crate) fn too_long(limit: usize) -> String {
    format!("The line is longer than {limit} bytes (POLYTOMIC_MAX_LINE_BYTES).")
}

/// Reads a stream line by line. A last line without newline counts.
pub(crate) struct LineReader<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// From `start` up to here there is no newline.
    scanned: usize,
    /// The rest of a line that was too long is being passed over.
    skipping: bool,
    ended: bool,
    limit: usize,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// LineReader of at most `limit` bytes.
    pub(crate) fn new(input: R, limit: usize) -> Self {
        let (buffer, skipping, ended) = (Vec::new(), false, false);
        Self { input, buffer, start: 0, scanned: 0, skipping, ended, limit }
    }

    /// The next line; none at the end of the input.
    ///
    /// Cancel-safe: what has been read stays in `self`.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.buffered() {
                return Ok(Some(line));
            }
            self.scanned = self.buffer.len();
            if self.skipping || self.scanned - self.start > self.limit {
                self.forget();
                if !std::mem::replace(&mut self.skipping, true) {
                    return Ok(Some(Line::TooLong));
                }
            }
            if self.ended {
                let rest = self.line_until(self.scanned);
                self.forget();
                return Ok((rest != Line::Bytes(Vec::new())).then_some(rest));
            }
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
            self.buffer.reserve(CHUNK);
            if self.input.read_buf(&mut self.buffer).await? == 0 {
                self.ended = true;
            }
        }
    }

    /// The next line, where it has been read already.
    pub(crate) fn buffered(&mut self) -> Option<Line> {
        loop {
            let fresh = self.buffer.get(self.scanned..).unwrap_or_default();
            let length = memchr::memchr(b'\n', fresh)?;
            let line = self.line_until(self.scanned + length);
            if !std::mem::take(&mut self.skipping) {
                return Some(line);
            }
        }
    }

    /// Reads on without giving lines, at most `ahead` bytes, and is ready when the input has ended: for
    /// while no line can be taken.
    ///
    /// Cancel-safe, as [`LineReader::next`].
    pub(crate) async fn ended(&mut self, ahead: usize) -> io::Result<()> {
        while !self.ended {
            if self.buffer.len() - self.start >= ahead {
                return std::future::pending().await;
            }
            self.buffer.reserve(CHUNK);
            self.ended = self.input.read_buf(&mut self.buffer).await? == 0;
        }
        Ok(())
    }

    /// The line from `start` to `end`; the next one begins behind its newline.
    fn line_until(&mut self, end: usize) -> Line {
        let line = self.buffer.get(self.start..end).unwrap_or_default();
        let line = if line.len() > self.limit { Line::TooLong } else { Line::Bytes(line.to_vec()) };
        self.start = (end + 1).min(self.buffer.len());
        self.scanned = self.start;
        line
    }

    /// A fresh buffer, so that one long line does not hold its memory for good.
    fn forget(&mut self) {
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
    async fn lines_are_cut_at_newlines_and_refused_over_the_cap() {
        for (label, input, expected) in [
            ("two lines", &b"a\nb\n"[..], vec!["a", "b"]),
            ("no last newline", b"a\nb", vec!["a", "b"]),
            ("empty lines", b"\n\na\n", vec!["", "", "a"]),
            ("at the cap", b"12345\n", vec!["12345"]),
            ("over the cap", b"123456\nb\n", vec!["<too long>", "b"]),
            ("over the cap at the end", b"a\n123456", vec!["a", "<too long>"]),
            ("nothing", b"", vec![]),
        ] {
            assert_eq!(lines(input, 5).await, expected, "{label}");
        }
    }

    #[tokio::test]
    async fn a_long_line_in_many_reads_is_refused_once_and_not_kept() {
        let long = vec![b'x'; 300_000];
        let input = [b"a\n", long.as_slice(), b"\nb\n"].concat();
        assert_eq!(lines(&input, 1_000).await, ["a", "<too long>", "b"]);
    }
}
