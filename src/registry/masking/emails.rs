//! Finds e-mail addresses in a text.

use std::ops::Range;

use memchr::memchr_iter;

/// The ranges of the addresses. Each character is looked at twice at most, since neither side of an `@` contains one.
pub(super) fn find_emails(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in memchr_iter(b'@', text.as_bytes()) {
        let from = found.last().map_or(0, |last| last.end);
        let (Some(before), Some(after)) = (text.get(from..at), text.get(at + 1..)) else {
            continue;
        };
        let is_local = |c: char| c.is_alphanumeric() || "._%+-'".contains(c);
        let local = before.trim_end_matches(is_local).len();
        let local =
            before.get(local..).unwrap_or_default().trim_start_matches(['.', '\'', '-', '+']);
        let is_domain = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
        let length = after.find(|c: char| !is_domain(c)).unwrap_or(after.len());
        let domain = domain(after.get(..length).unwrap_or_default());
        if let Some(domain) = domain.filter(|_| !local.is_empty()) {
            found.push(at - local.len()..at + 1 + domain.len());
        }
    }
    found
}

/// The longest beginning that is the name of a host on the internet.
fn domain(mut text: &str) -> Option<&str> {
    loop {
        let (before, top) = text.rsplit_once('.')?;
        let is_top = top.len() >= 2 && top.chars().all(char::is_alphabetic);
        if is_top || top.starts_with("xn--") {
            let is_image = ["2x", "3x"].contains(&before);
            let has_labels = before.split('.').all(|label| !label.is_empty());
            return (has_labels && !is_image).then_some(text);
        }
        text = before;
    }
}
