//! Frames of HTTP/2 as an attacker writes them (RFC 9113), which no well-behaved client sends.

/// The beginning of a connection whose client opens no window for responses.
pub fn without_window() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS_INITIAL_WINDOW_SIZE: 0.
    bytes.extend(frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]));
    bytes
}

/// A request with these headers; its body follows, if `has_body`.
pub fn head(stream: u32, headers: &[(&str, &str)], has_body: bool) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        // A literal without indexing, with a new name (RFC 7541, section 6.2.2).
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).ok().filter(|n| *n < 127).expect("a short text"));
            block.extend_from_slice(text.as_bytes());
        }
    }
    frame(1, if has_body { 4 } else { 5 }, stream, &block)
}

/// A part of a body.
pub fn data(stream: u32, bytes: &[u8], is_last: bool) -> Vec<u8> {
    frame(0, u8::from(is_last), stream, bytes)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}
