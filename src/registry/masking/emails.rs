//! Finds e-mail addresses in a text.

use std::ops::Range;

use memchr::memchr2_iter;

/// What stands for the `@`: itself, and how URLs write it, once or twice encoded.
const SIGNS: [&str; 3] = ["@", "%40", "%2540"];
/// Users of servers with repositories: `git@github.com:a/b.git` is a place and nobody's address.
const SERVICES: [&str; 3] = ["git", "hg", "svn"];
/// Characters between quotes before an `@` that are looked at.
const MAX_QUOTED: usize = 64;

/// The ranges of the addresses. Each character is looked at a few times at most, since neither side of a sign contains
/// one, but between quotes.
pub(super) fn find_emails(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    for at in memchr2_iter(b'@', b'%', text.as_bytes()) {
        let (Some(before), Some(rest)) = (text.get(from..at), text.get(at..)) else { continue };
        let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) else { continue };
        let after = rest.get(sign.len()..).unwrap_or_default();
        from = at + sign.len();
        let length = match quoted_length(before) {
            Some(length) => length,
            None => local(before).len(),
        };
        let is_domain = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
        let host = after.find(|c: char| !is_domain(c)).unwrap_or(after.len());
        let domain = domain(after.get(..host).unwrap_or_default());
        let Some(domain) = domain.filter(|_| length > 0) else { continue };
        let path = after.get(domain.len()..).unwrap_or_default();
        let is_repository = SERVICES.contains(&text.get(at - length..at).unwrap_or_default())
            && path.starts_with([':', '/']);
        from += domain.len();
        if !is_repository {
            found.push(at - length..from);
        }
    }
    found
}

/// What is before the sign.
fn local(before: &str) -> &str {
    let is_local = |c: char| c.is_alphanumeric() || "._%+-'".contains(c);
    let local = before.trim_end_matches(is_local).len();
    before.get(local..).unwrap_or_default().trim_start_matches(['.', '\'', '-', '+'])
}

/// The length of `"jane doe"` with its quotes at the end of a text.
fn quoted_length(before: &str) -> Option<usize> {
    let inside = before.strip_suffix('"')?;
    let (open, _) =
        inside.char_indices().rev().take(MAX_QUOTED).find(|(_, c)| "\"\n".contains(*c))?;
    let quoted = inside.get(open..)?.strip_prefix('"')?;
    let is_name = quoted.contains(char::is_alphanumeric) && !quoted.contains('*');
    is_name.then_some(before.len() - open)
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
