//! The header `Retry-After`.

use std::time::{Duration, SystemTime};

use crate::polytomic::parse_retry_after;

/// `Retry-After` is seconds or a date, and nothing else.
pub fn retry_after(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let value = text.trim();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let expected = match httpdate::parse_http_date(value) {
        _ if is_number => Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX))),
        Ok(date) => Some(date.duration_since(SystemTime::now()).unwrap_or_default()),
        Err(_) => None,
    };
    let parsed = parse_retry_after(&text);
    assert!(parsed.is_some() == expected.is_some(), "{parsed:?}");
    let difference = parsed.unwrap_or_default().abs_diff(expected.unwrap_or_default());
    assert!(difference < Duration::from_secs(60), "{parsed:?}");
}
