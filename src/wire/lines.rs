//! Lines out of a byte stream, with a cap on their length.

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

/// Reads a stream line by line. A last line without newline counts.
pub(crate) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// Up to here there is no newline.
    scanned: usize,
    /// The rest of a line that was too long is being passed over.
    skipping: bool,
    ended: bool,
    limit: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most `limit` bytes.
    pub(crate) fn new(input: R, limit: usize) -> Self {
        Self { input, buffer: Vec::new(), scanned: 0, skipping: false, ended: false, limit }
    }

    /// The next line; none at the end of the input.
    ///
    /// Cancel-safe: what has been read stays in `self`.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let fresh = self.buffer.get(self.scanned..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
                let line = self.take(self.scanned + at);
                if std::mem::take(&mut self.skipping) {
                    continue;
                }
                return Ok(Some(self.checked(line)));
            }
            self.scanned = self.buffer.len();
            if self.skipping || self.scanned > self.limit {
                // A fresh buffer, so that one long line does not hold its memory for good.
                self.buffer = Vec::new();
                self.scanned = 0;
                if !std::mem::replace(&mut self.skipping, true) {
                    return Ok(Some(Line::TooLong));
                }
            }
            if self.ended {
                let rest = std::mem::take(&mut self.buffer);
                self.scanned = 0;
                return Ok((!rest.is_empty()).then(|| self.checked(rest)));
            }
            self.buffer.reserve(CHUNK);
            if self.input.read_buf(&mut self.buffer).await? == 0 {
                self.ended = true;
            }
        }
    }

    /// Takes the line that ends at `end` off the buffer, its newline included.
    fn take(&mut self, end: usize) -> Vec<u8> {
        let rest = self.buffer.split_off((end + 1).min(self.buffer.len()));
        let mut line = std::mem::replace(&mut self.buffer, rest);
        line.truncate(end);
        self.scanned = 0;
        line
    }

    fn checked(&self, line: Vec<u8>) -> Line {
        if line.len() > self.limit { Line::TooLong } else { Line::Bytes(line) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &[u8], limit: usize) -> Vec<String> {
        let mut lines = Lines::new(input, limit);
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
