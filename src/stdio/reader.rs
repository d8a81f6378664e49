//! Reads messages from a byte stream, each a line or a body behind headers, with a limit on their length.

use std::io;
use std::ops::Range;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::framing::{
    Framing, FramingError, Headers, last_length, parse_header, without_byte_order_mark,
};

/// Bytes requested by one read.
const READ_CHUNK_BYTES: usize = 64 << 10;
/// A larger buffer is freed once it is empty.
const MAX_KEPT_BUFFER_BYTES: usize = 1 << 20;

/// Reads a stream message by message. The first line decides between lines and headers; the last line needs no
/// newline.
pub(crate) struct MessageReader<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the unread bytes begin.
    start: usize,
    /// There is no newline from `start` up to here.
    scanned: usize,
    /// Whether the rest of a line over the limit is being skipped.
    skipping: bool,
    ended: bool,
    expected: Expected,
    framing: Framing,
    limit: usize,
}

/// What comes next in the input.
#[derive(Clone, Copy)]
enum Expected {
    /// The first line, which decides.
    LineOrHeader,
    Line,
    Header(Headers),
    Body {
        length: usize,
    },
    /// The rest of a body over the limit.
    RestOfBody {
        length: usize,
    },
    /// Any line with a length: after invalid headers, it is unknown where their body ends.
    Length,
}

enum Line {
    Bytes(Range<usize>),
    TooLong,
}

impl<R: AsyncRead + Unpin> MessageReader<R> {
    /// A reader of messages of at most `limit` bytes; `framing` becomes what is detected.
    pub(crate) fn new(input: R, limit: usize, framing: Framing) -> Self {
        let (buffer, skipping, ended) = (Vec::new(), false, false);
        let expected = Expected::LineOrHeader;
        Self { input, buffer, start: 0, scanned: 0, skipping, ended, expected, framing, limit }
    }

    /// The next message, or what is wrong with it; none at the end of the input. Blank lines are skipped.
    ///
    /// Cancel-safe: bytes already read stay in `self`.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Result<Vec<u8>, FramingError>>> {
        loop {
            if let Some(message) = self.buffered() {
                return Ok(Some(message));
            }
            if self.ended {
                let expected = std::mem::replace(&mut self.expected, Expected::Line);
                let received = self.buffer.len() - self.start;
                self.reset_buffer();
                return Ok(match expected {
                    Expected::Body { length } => {
                        Some(Err(FramingError::Incomplete { received, length }))
                    }
                    _ => None,
                });
            }
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
            if self.buffer.is_empty() && self.buffer.capacity() > MAX_KEPT_BUFFER_BYTES {
                self.reset_buffer();
            }
            self.buffer.reserve(READ_CHUNK_BYTES);
            if self.input.read_buf(&mut self.buffer).await? == 0 {
                self.ended = true;
            }
        }
    }

    /// The next message, if it has been read already.
    pub(crate) fn buffered(&mut self) -> Option<Result<Vec<u8>, FramingError>> {
        loop {
            let message = match self.expected {
                Expected::LineOrHeader => match self.next_line()? {
                    Line::Bytes(line) => self.read_first_line(line),
                    Line::TooLong => self.reject_line(),
                },
                Expected::Line => match self.next_line()? {
                    Line::Bytes(line) => self.copy(line).map(Ok),
                    Line::TooLong => self.reject_line(),
                },
                Expected::Header(headers) => match self.next_line()? {
                    Line::Bytes(line) => self.read_header(headers, line).err().map(Err),
                    Line::TooLong => {
                        self.expected = Expected::Length;
                        Some(Err(FramingError::Header))
                    }
                },
                Expected::Body { length } => {
                    let body = self.start..self.start.checked_add(length)?;
                    self.buffer.get(body.clone())?;
                    self.consume(length);
                    self.expected = Expected::Header(Headers::default());
                    self.copy(body).map(Ok)
                }
                Expected::RestOfBody { length } => {
                    let skipped = length.min(self.buffer.len() - self.start);
                    self.consume(skipped);
                    if skipped < length {
                        self.expected = Expected::RestOfBody { length: length - skipped };
                        return None;
                    }
                    self.expected = Expected::Header(Headers::default());
                    None
                }
                Expected::Length => {
                    if let Line::Bytes(line) = self.next_line()? {
                        self.find_length(line);
                    }
                    None
                }
            };
            if message.is_some() {
                return message;
            }
        }
    }

    /// Waits for the end of the input while no message can be accepted, reading at most `ahead` bytes.
    ///
    /// Cancel-safe, as [`MessageReader::next`].
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

    fn read_first_line(&mut self, range: Range<usize>) -> Option<Result<Vec<u8>, FramingError>> {
        let line = self.buffer.get(range.clone()).unwrap_or_default();
        // With a byte-order mark or without one.
        if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] = line {
            self.ended = true;
            self.reset_buffer();
            return Some(Err(FramingError::Utf16));
        }
        let text = without_byte_order_mark(line);
        let range = range.end - text.len()..range.end;
        if parse_header(text).is_some() {
            return self.read_header(Headers::default(), range).err().map(Err);
        }
        let message = self.copy(range)?;
        self.expected = Expected::Line;
        Some(Ok(message))
    }

    fn reject_line(&mut self) -> Option<Result<Vec<u8>, FramingError>> {
        self.expected = Expected::Line;
        Some(Err(FramingError::TooLong { limit: self.limit }))
    }

    /// Reads one line of headers, and decides what comes next.
    fn read_header(&mut self, headers: Headers, range: Range<usize>) -> Result<(), FramingError> {
        let line = self.buffer.get(range.clone()).unwrap_or_default();
        let (headers, is_end) = match headers.with_line(line, &self.framing) {
            Some(headers) => (headers, line.trim_ascii().is_empty()),
            None if self.framing.has_headers() => {
                self.expected = Expected::Length;
                // A body that is longer than it should be can have the next header in its last line.
                if parse_header(line).is_none() {
                    self.find_length(range);
                }
                return Err(FramingError::Header);
            }
            None => {
                // The first line only looked like a header. This one is read again, as a message.
                (self.start, self.scanned) = (range.start, range.start);
                self.expected = Expected::Line;
                return Err(FramingError::Header);
            }
        };
        self.expected = match headers.length {
            Some(length) if is_end && length > self.limit => {
                self.expected = Expected::RestOfBody { length };
                return Err(FramingError::TooLong { limit: self.limit });
            }
            Some(length) if is_end => Expected::Body { length },
            _ => Expected::Header(headers),
        };
        Ok(())
    }

    fn find_length(&mut self, line: Range<usize>) {
        let length = last_length(self.buffer.get(line).unwrap_or_default());
        self.expected = match length {
            Some(_) => Expected::Header(Headers { any: true, length }),
            None => Expected::Length,
        };
    }

    /// A copy of these bytes; none if they are blank.
    fn copy(&self, range: Range<usize>) -> Option<Vec<u8>> {
        let bytes = self.buffer.get(range).unwrap_or_default();
        (!bytes.iter().all(u8::is_ascii_whitespace)).then(|| bytes.to_vec())
    }

    /// The next line, without its newline; none if it is incomplete.
    fn next_line(&mut self) -> Option<Line> {
        loop {
            let unscanned = self.buffer.get(self.scanned..).unwrap_or_default();
            let end = match memchr::memchr(b'\n', unscanned) {
                Some(length) => self.scanned + length,
                None if self.ended && self.start < self.buffer.len() => self.buffer.len(),
                None => {
                    self.scanned = self.buffer.len();
                    if self.skipping || self.scanned - self.start > self.limit {
                        self.reset_buffer();
                        if !std::mem::replace(&mut self.skipping, true) {
                            return Some(Line::TooLong);
                        }
                    }
                    return None;
                }
            };
            let line = self.start..end;
            self.consume((end + 1).min(self.buffer.len()) - self.start);
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            let is_too_long = line.len() > self.limit;
            return Some(if is_too_long { Line::TooLong } else { Line::Bytes(line) });
        }
    }

    fn consume(&mut self, length: usize) {
        self.start += length;
        self.scanned = self.start;
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
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use proptest::prelude::*;
    use tokio::io::ReadBuf;

    use super::*;

    /// A stream that returns at most so many bytes at once.
    struct Chunks<'a>(&'a [u8], usize);

    impl AsyncRead for Chunks<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let length = self.1.min(self.0.len()).min(buffer.remaining());
            let (chunk, rest) = self.0.split_at(length);
            buffer.put_slice(chunk);
            self.0 = rest;
            Poll::Ready(Ok(()))
        }
    }

    /// The messages and errors of an input, and whether responses to it have headers.
    async fn read(input: &[u8], limit: usize, chunk: usize) -> (Vec<String>, bool) {
        let framing = Framing::default();
        let mut messages = MessageReader::new(Chunks(input, chunk), limit, framing.clone());
        let mut all = Vec::new();
        while let Some(message) = messages.next().await.unwrap() {
            all.push(match message {
                Ok(bytes) => String::from_utf8(bytes).unwrap(),
                Err(FramingError::TooLong { .. }) => "<too long>".to_owned(),
                Err(FramingError::Header) => "<header>".to_owned(),
                Err(FramingError::Utf16) => "<UTF-16>".to_owned(),
                Err(FramingError::Incomplete { received, length }) => {
                    format!("<{received} of {length}>")
                }
            });
        }
        (all, framing.has_headers())
    }

    #[tokio::test]
    async fn lines_end_at_newlines_and_are_rejected_over_the_limit() {
        for (label, input, expected) in [
            ("two lines", &b"a\nb\n"[..], vec!["a", "b"]),
            ("no last newline", b"a\nb", vec!["a", "b"]),
            ("blank lines", b"\n \r\na\n\n", vec!["a"]),
            ("at the limit", b"12345\n", vec!["12345"]),
            ("over the limit", b"123456\nb\n", vec!["<too long>", "b"]),
            ("over the limit at the end", b"a\n123456", vec!["a", "<too long>"]),
            ("nothing", b"", vec![]),
            ("a mark", b"\xef\xbb\xbfa\nb\n", vec!["a", "b"]),
            ("only a mark", b"\xef\xbb\xbf\n", vec![]),
            ("a header in a later line", b"a\na: b\n", vec!["a", "a: b"]),
            ("UTF-16 with a mark", b"\xff\xfea\0\n\0b\0\n\0", vec!["<UTF-16>"]),
            ("UTF-16 of the other order", b"\xfe\xff\0a\0\n\0b", vec!["<UTF-16>"]),
            ("UTF-16 without a mark", b"a\0\n\0", vec!["<UTF-16>"]),
            ("what only looks like a header", b"x:y\na\nb\n", vec!["<header>", "a", "b"]),
        ] {
            for chunk in [1, 2, 1_000] {
                let (lines, has_headers) = read(input, 5, chunk).await;
                assert_eq!((lines, has_headers), (owned(&expected), false), "{label}, {chunk}");
            }
        }
    }

    fn owned(messages: &[&str]) -> Vec<String> {
        messages.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn a_long_line_in_many_reads_is_rejected_once_and_not_kept() {
        let long = vec![b'x'; 300_000];
        let input = [b"a\n", long.as_slice(), b"\nb\n"].concat();
        assert_eq!(read(&input, 1_000, usize::MAX).await.0, ["a", "<too long>", "b"]);
    }

    #[tokio::test]
    async fn bodies_have_the_length_of_their_header_in_bytes() {
        for (label, input, expected) in [
            ("two", "Content-Length: 1\r\n\r\naContent-Length: 2\r\n\r\nbc", vec!["a", "bc"]),
            ("bytes instead of characters", "Content-Length: 2\r\n\r\né", vec!["é"]),
            ("a body with newlines", "Content-Length: 4\r\n\r\na\n\nb", vec!["a\n\nb"]),
            ("bare newlines", "Content-Length: 1\n\naContent-Length:1\n\nb", vec!["a", "b"]),
            ("another case", "CONTENT-length:  1 \r\n\r\na", vec!["a"]),
            (
                "other headers",
                "Content-Type: x; charset=utf-8\r\ncontent-length: 1\r\nX-Y: z\r\n\r\na",
                vec!["a"],
            ),
            ("a mark", "\u{feff}Content-Length: 1\r\n\r\na", vec!["a"]),
            ("a name with other signs", "X_Trace.Id: 1\r\nContent-Length: 1\r\n\r\na", vec!["a"]),
            ("blank lines before", "\r\n\nContent-Length: 1\r\n\r\na", vec!["a"]),
            (
                "blank lines between",
                "Content-Length: 1\r\n\r\na\r\nContent-Length: 1\r\n\r\nb",
                vec!["a", "b"],
            ),
            ("no body", "Content-Length: 0\r\n\r\nContent-Length: 1\r\n\r\nb", vec!["b"]),
            (
                "over the limit",
                "Content-Length: 41\r\n\r\n{\n34567890123456789012345678901234567890\nContent-Length: 1\r\n\r\nb",
                vec!["<too long>", "b"],
            ),
            (
                "too short",
                "Content-Length: 3\r\n\r\n{12}Content-Length: 1\r\n\r\nb",
                vec!["{12", "<header>", "b"],
            ),
            (
                "too long",
                "Content-Length: 5\r\n\r\n{12}Content-Length: 1\r\n\r\nbContent-Length: 1\r\n\r\nc",
                vec!["{12}C", "<header>", "c"],
            ),
            (
                "no number",
                "Content-Length: x\r\n\r\n{\n}Content-Length: 1\r\n\r\nb",
                vec!["<header>", "b"],
            ),
            (
                "a sign",
                "Content-Length: +1\r\n\r\naContent-Length: 1\r\n\r\nb",
                vec!["<header>", "b"],
            ),
            (
                "more than there are bytes in the world",
                "Content-Length: 99999999999999999999\r\n\r\naContent-Length: 1\r\n\r\nb",
                vec!["<header>", "b"],
            ),
            (
                "no length",
                "Content-Type: x\r\n\r\naContent-Length: 1\r\n\r\nb",
                vec!["<header>", "b"],
            ),
            (
                "two lengths",
                "Content-Length: 1\r\nContent-Length: 2\r\n\r\naContent-Length: 1\r\n\r\nb",
                vec!["<header>", "b"],
            ),
            (
                "a line instead",
                "Content-Length: 1\r\n\r\na{}\nContent-Length: 1\r\n\r\nb",
                vec!["a", "<header>", "b"],
            ),
            ("an end within a body", "Content-Length: 5\r\n\r\nabc", vec!["<3 of 5>"]),
        ] {
            for chunk in [1, 2, 3, 1_000] {
                let (messages, has_headers) = read(input.as_bytes(), 40, chunk).await;
                assert_eq!((messages, has_headers), (owned(&expected), true), "{label}, {chunk}");
            }
        }
    }

    proptest! {
        #[test]
        fn messages_are_read_as_they_were_written(
            messages in prop::collection::vec("[a-z{}\r\n :é-]{0,40}[a-z{}é]", 1..6),
            chunk in 1_usize..50,
        ) {
            let framing = Framing::default();
            framing.use_headers();
            let mut input = Vec::new();
            for message in &messages {
                framing.append(&mut input, &[message.as_bytes()]);
            }
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (read, _) = runtime.block_on(read(&input, 1_000, chunk));
            prop_assert_eq!(read, messages);
        }

        #[test]
        fn any_input_is_read_to_its_end(
            input in prop::collection::vec(prop_oneof![
                Just(b"Content-Length: ".to_vec()), Just(b"\r\n".to_vec()), Just(b"{}".to_vec()),
                "[0-9]{1,3}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..4),
            ], 0..20),
            chunk in 1_usize..50,
        ) {
            let input = input.concat();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let all = runtime.block_on(async {
                let mut messages =
                    MessageReader::new(Chunks(&input, chunk), 20, Framing::default());
                let mut all = Vec::new();
                while let Some(message) = messages.next().await.unwrap() {
                    all.push(message);
                }
                all
            });
            let length = |message: &Result<Vec<u8>, FramingError>| message.as_ref().map_or(0, Vec::len);
            prop_assert!(all.iter().all(|message| length(message) <= 20));
            prop_assert!(all.iter().map(length).sum::<usize>() <= input.len());
            prop_assert!(all.len() <= input.len() + 1);
        }
    }
}
