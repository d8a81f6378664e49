//! The two ways of separating messages: a line for each, or headers with the length of a body, as in the Language
//! Server Protocol.
//!
//! Source: LSP specification 3.17, "Base protocol".

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const CONTENT_LENGTH: &str = "Content-Length";
const CONTENT_TYPE: &str = "Content-Type";

/// How a peer separates its messages, and therefore how ours are written. The reader detects it, the writer follows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Framing {
    has_headers: Arc<AtomicBool>,
}

impl Framing {
    /// Headers with a length instead of lines, from now on.
    pub(super) fn use_headers(&self) {
        self.has_headers.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_headers(&self) -> bool {
        self.has_headers.load(Ordering::Relaxed)
    }

    /// Appends one message, whose text is the parts in a row.
    pub(super) fn append(&self, output: &mut Vec<u8>, parts: &[&[u8]]) {
        let has_headers = self.has_headers();
        if has_headers {
            let length: usize = parts.iter().map(|part| part.len()).sum();
            output.extend_from_slice(format!("{CONTENT_LENGTH}: {length}\r\n\r\n").as_bytes());
        }
        parts.iter().for_each(|part| output.extend_from_slice(part));
        if !has_headers {
            output.push(b'\n');
        }
    }
}

/// Input that is not a message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FramingError {
    #[error("The message exceeds {limit} bytes (POLYTOMIC_MAX_LINE_BYTES).")]
    TooLong { limit: usize },
    #[error(
        "The header is invalid: expected \"Content-Length: N\" with the body's length in bytes, an empty line, and the body."
    )]
    Header,
    #[error("The input ended after {received} of the {length} bytes of a body.")]
    Incomplete { received: usize, length: usize },
    #[error("The input is UTF-16; send UTF-8.")]
    Utf16,
}

impl FramingError {
    /// The code of JSON-RPC: an invalid request if it is too long, otherwise a parse error.
    pub(crate) fn code(&self) -> i32 {
        match self {
            Self::TooLong { .. } => -32600,
            Self::Header | Self::Incomplete { .. } | Self::Utf16 => -32700,
        }
    }
}

/// The headers of one message, as far as they have been read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Headers {
    /// Whether there has been one; blank lines before the first are ignored.
    pub(super) any: bool,
    /// The length of the body in bytes.
    pub(super) length: Option<usize>,
}

impl Headers {
    /// Adds a line, which may be the blank one at the end; none if they are invalid with it. `framing` is known as soon
    /// as there is a header of the specification.
    pub(super) fn with_line(self, line: &[u8], framing: &Framing) -> Option<Self> {
        if line.trim_ascii().is_empty() {
            return (self.length.is_some() || !self.any).then_some(self);
        }
        let (name, value) = parse_header(line)?;
        let has_name = |expected: &str| name.eq_ignore_ascii_case(expected.as_bytes());
        if has_name(CONTENT_LENGTH) || has_name(CONTENT_TYPE) {
            framing.use_headers();
        }
        if !has_name(CONTENT_LENGTH) {
            return Some(Self { any: true, ..self });
        }
        let length = Some(parse_length(value)?);
        (self.length.is_none() || self.length == length).then_some(Self { any: true, length })
    }
}

/// A message without the byte-order mark that some programs write before it, PowerShell among them.
pub(crate) fn without_byte_order_mark(message: &[u8]) -> &[u8] {
    message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message)
}

/// Name and value of a header; none for any other line.
pub(super) fn parse_header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    // The characters of a token in HTTP; no JSON text begins with a token and a colon.
    let is_in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let length = line.iter().take_while(|byte| is_in_name(byte)).count();
    let (name, rest) = line.split_at_checked(length)?;
    rest.strip_prefix(b":").filter(|_| length > 0).map(|value| (name, value))
}

/// The length that a line ends with, whatever comes before it.
pub(super) fn last_length(line: &[u8]) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let name = format!("{}:", CONTENT_LENGTH.to_ascii_lowercase());
    let start = memchr::memmem::rfind(&lower, name.as_bytes())? + name.len();
    parse_length(line.get(start..)?)
}

fn parse_length(value: &[u8]) -> Option<usize> {
    let digits = value.trim_ascii();
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
