//! Masks secrets inside texts: passwords in URLs, values that follow the name of a secret, credentials.
//!
//! `token: …` is such a value and the sentence `Invalid token: expired` has none: for names but that of a password, a colon
//! counts where a line, header or property begins, or before what looks like a credential.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What the API itself returns in place of a secret.
pub(super) const MASK: &str = "********";

/// In a text, the value after one of these and `=` or `:`, or in an XML element, is a secret. A `-` counts as `_`.
const ASSIGNED_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    "secret",
    "clientsecret",
    "token",
    "accesstoken",
    "api_key",
    "apikey",
    "access_key",
    "accesskey",
    "accountkey",
    "subscription_key",
    "sharedaccesskey",
    "private_key",
    "secret_key",
    "signature",
    "sig",
    "session_id",
    "sessionid",
    AUTHORIZATION,
];
/// The header with a scheme and a credential.
const AUTHORIZATION: &str = "authorization";
/// Parameters of a URL with a secret whose names say too little elsewhere.
const URL_PARAMETERS: &[&str] = &["?code=", "&code=", "?key=", "&key=", "?auth=", "&auth="];
/// A URL of this kind is a secret as a whole.
const WEBHOOK_PREFIX: &str = "hooks.slack.com/services/";

/// Where a text is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Settings, messages, errors: masking one value too many is better than one too few.
    Api,
    /// Customers' data, which is of use only with its values.
    Record,
}

/// The same as [`mask_text`] for a value of a record: what follows a name or parameter is a secret only if it is a
/// password's, or looks like a credential, and an address of mail is none.
pub(super) fn mask_record_text(text: &str) -> String {
    mask_text_from(text, Origin::Record)
}

/// Masks the secrets in a text: passwords in URLs, values assigned to the name of a secret, credentials. Takes
/// time proportional to the length of the text, whatever it contains.
pub(crate) fn mask_text(text: &str) -> String {
    mask_text_from(text, Origin::Api)
}

fn mask_text_from(text: &str, origin: Origin) -> String {
    // Each of the patterns below has one of these characters; names, numbers and ids have none.
    if !text.contains(['=', ':', ' ', '/', '<']) {
        return text.to_owned();
    }
    // ASCII lowercasing keeps byte offsets.
    let lower = text.to_ascii_lowercase();
    if lower.contains("private key-----") || lower.contains(WEBHOOK_PREFIX) {
        return MASK.to_owned();
    }
    let mut ranges = url_credentials(&lower, origin);
    if lower.contains(['=', ':', '<']) {
        let underscored = lower.replace('-', "_");
        for name in ASSIGNED_NAMES {
            ranges.extend(assigned_values(&lower, &underscored, name, origin));
        }
    }
    for parameter in URL_PARAMETERS {
        ranges.extend(after(&lower, parameter, |end| {
            let is_secret = || lower.get(end..).is_some_and(begins_with_credential);
            (origin == Origin::Api || is_secret()).then(|| value_at(&lower, end))
        }));
    }
    for (scheme, min_length) in [("bearer ", 16), ("basic ", 4)] {
        ranges.extend(after(&lower, scheme, |end| {
            let range = value_at(&lower, end);
            let value = text.get(range.clone())?;
            let is_pair = || STANDARD.decode(value).is_ok_and(|pair| pair.contains(&b':'));
            let is_credential = value.len() >= min_length && (scheme == "bearer " || is_pair());
            is_credential.then_some(range)
        }));
    }
    ranges.sort_by_key(|range| range.start);
    let (mut masked, mut from) = (String::new(), 0);
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        if range.start >= from {
            masked.push_str(text.get(from..range.start).unwrap_or_default());
            masked.push_str(MASK);
        }
        from = from.max(range.end);
    }
    masked + text.get(from..).unwrap_or_default()
}

/// The ranges that `range` returns for the end of each occurrence of a word, without those inside an earlier
/// range.
fn after(
    text: &str,
    word: &str,
    range: impl Fn(usize) -> Option<Range<usize>>,
) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.match_indices(word) {
        if ranges.last().is_none_or(|last| at >= last.end) {
            ranges.extend(range(at + word.len()));
        }
    }
    ranges
}

/// The part before the last `@` of each word that is `user:password`, or of any URL.
fn url_credentials(text: &str, origin: Origin) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    for (at, separator) in text.match_indices("://") {
        let start = at + separator.len();
        let ends_authority = |c: char| c.is_whitespace() || "/\"?#".contains(c);
        let authority = text.get(start..).and_then(|rest| rest.split(ends_authority).next());
        let is_secret = |user: &str| {
            origin == Origin::Api || user.contains(':') || begins_with_credential(user)
        };
        if let Some((user, _)) = authority.and_then(|authority| authority.rsplit_once('@'))
            && is_secret(user)
        {
            ranges.push(start..start + user.len());
        }
    }
    let ends_word = |c: char| c.is_whitespace() || "/\"',(=<>?&".contains(c);
    let mut start = 0;
    for word in text.split_inclusive(ends_word) {
        let is_secret = |user: &str| match user.split_once(':') {
            None => false,
            Some((name, _)) => origin == Origin::Api || !is_label(name),
        };
        if let Some((user, _)) = word.rsplit_once('@').filter(|(user, _)| is_secret(user)) {
            ranges.push(start..start + user.len());
        }
        start += word.len();
    }
    ranges
}

/// Whether what is before a colon is no user name: a scheme or label before an address, or a time.
fn is_label(name: &str) -> bool {
    const LABELS: &[&str] = &[
        "acct", "bcc", "cc", "contact", "e-mail", "email", "from", "mail", "mailto", "reply-to",
        "sip", "sips", "support", "to", "xmpp",
    ];
    LABELS.contains(&name) || name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The values assigned to a name.
fn assigned_values(text: &str, underscored: &str, name: &str, origin: Origin) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut closings = Closings::default();
    for (at, _) in underscored.match_indices(name) {
        let Some((separator, start)) = assigned_value(text, name, at, origin) else { continue };
        let covered = ranges.last().map_or(0, |last| last.end);
        let quoted = if separator == '>' { None } else { closings.quoted(text, start) };
        // Inside an earlier value only a quoted one can go beyond its end, as in `password=-password='…'`.
        match quoted {
            Some(range) if range.end > covered => ranges.push(range),
            None if start >= covered => {
                let end = match separator {
                    '>' => element_end(text, start),
                    ':' if name == AUTHORIZATION => header_end(text, at, start),
                    _ => value_at(text, start).end,
                };
                let value = text.get(start..end).unwrap_or_default();
                let is_set_or_not = separator == ':' && ["null", "true", "false"].contains(&value);
                if !is_set_or_not && !value.trim().is_empty() {
                    ranges.push(start..end);
                }
            }
            _ => {}
        }
    }
    ranges
}

/// The end of a header with several words: that of its line, or of the quotes around it.
fn header_end(text: &str, at: usize, start: usize) -> usize {
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    let ends_header =
        |c: char| c == '\n' || c == '\r' || (['"', '\''].contains(&c) && Some(c) == before);
    let rest = text.get(start..).unwrap_or_default();
    start + rest.find(ends_header).unwrap_or(rest.len())
}

/// The end of the content of an XML element; the first word if no other tag follows.
fn element_end(text: &str, start: usize) -> usize {
    const CDATA: &str = "<![cdata[";
    const CDATA_END: &str = "]]>";
    let rest = text.get(start..).unwrap_or_default();
    if rest.starts_with(CDATA) {
        return start + rest.find(CDATA_END).map_or(rest.len(), |length| length + CDATA_END.len());
    }
    rest.find('<').map_or_else(|| value_at(text, start).end, |length| start + length)
}

/// Where the quotes and the brace close that were looked for last. Each is looked for once, however many open before it.
#[derive(Default)]
struct Closings([usize; 3]);

impl Closings {
    /// The range inside the quotes or braces that open at `start`.
    fn quoted(&mut self, text: &str, start: usize) -> Option<Range<usize>> {
        let value = text.get(start..)?;
        let pairs = [('"', '"'), ('\'', '\''), ('{', '}')];
        let mut pairs = pairs.into_iter().zip(&mut self.0);
        let ((_, closing), end) = pairs.find(|((opening, _), _)| value.starts_with(*opening))?;
        let inside = start + 1;
        if *end < inside {
            let length = text.get(inside..)?.find(closing);
            *end = length.map_or(text.len(), |length| inside + length);
        }
        Some(inside..*end)
    }
}

/// Where the value begins that is assigned to the name at `at`, and after what: `=`, `:`, or the `>` of a tag.
fn assigned_value(text: &str, name: &str, at: usize, origin: Origin) -> Option<(char, usize)> {
    let (before, rest) = text.split_at_checked(at)?;
    if before.ends_with(char::is_alphanumeric) {
        return None; // the name is the end of a longer word
    }
    let rest = rest.get(name.len()..)?;
    if let Some(content) = after_tag(before, rest) {
        return Some(('>', text.len() - content.len()));
    }
    // In JSON inside a text, quotes are escaped.
    let rest = rest.trim_start_matches(['"', '\'', '\\']).trim_start();
    let separator = rest.chars().next().filter(|c| ['=', ':'].contains(c))?;
    let value = rest.get(1..)?.trim_start_matches(' ');
    let unescaped = value.trim_start_matches('\\');
    let value = if unescaped.starts_with(['"', '\'']) { unescaped } else { value };
    let is_password = name.starts_with("pass") || ["pwd", "secret"].contains(&name);
    // What begins with a bracket or a second colon is a structure or a type.
    let may_be_value = || {
        !value.starts_with(['{', '[', ':'])
            && (name == AUTHORIZATION || begins_property(before) || begins_with_credential(value))
    };
    let is_assigned = match origin {
        Origin::Api => separator == '=' || is_password || may_be_value(),
        Origin::Record => {
            ["password", "passwd", "passphrase", "pwd"].contains(&name)
                || (name == AUTHORIZATION && may_be_value())
                || begins_with_credential(value)
        }
    };
    is_assigned.then_some((separator, text.len() - value.len()))
}

/// The text after the `>` of an opening tag, whose name ends here. The bounds keep the time linear.
fn after_tag<'a>(before: &str, rest: &'a str) -> Option<&'a str> {
    const MAX_PREFIX: usize = 64;
    const MAX_ATTRIBUTES: usize = 256;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-:.".contains(byte);
    if !rest.starts_with(|c: char| c == '>' || c.is_whitespace())
        || before.bytes().rev().take(MAX_PREFIX).find(|byte| !is_name(byte)) != Some(b'<')
    {
        return None;
    }
    let end = rest.bytes().take(MAX_ATTRIBUTES).position(|byte| byte == b'>' || byte == b'<')?;
    let (attributes, content) = rest.split_at_checked(end)?;
    content.strip_prefix('>').filter(|_| !attributes.ends_with('/'))
}

/// Whether a name that follows is the first word of a line, header or property, or the end of that word.
fn begins_property(before: &str) -> bool {
    let before = before.trim_end_matches(|c: char| c.is_alphanumeric() || "_-.".contains(c));
    let before = before.trim_end_matches([' ', '\t']);
    before.is_empty() || before.ends_with(|c: char| "\n\r,;{[('\"`&|<>-".contains(c))
}

/// Whether a text begins with letters and digits as only credentials are.
fn begins_with_credential(text: &str) -> bool {
    const MIN_LENGTH: usize = 12;
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+/=.~".contains(byte);
    let word = || text.bytes().take(MIN_LENGTH).take_while(is_part);
    word().count() == MIN_LENGTH && word().any(|byte| byte.is_ascii_digit())
}

/// The range from `start` to the end of the value.
fn value_at(text: &str, start: usize) -> Range<usize> {
    let ends_value = |c: char| c.is_whitespace() || "&;,\"'})".contains(c);
    let rest = text.get(start..).unwrap_or_default();
    start..start + rest.find(ends_value).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_texts_are_masked_and_what_only_names_them_stays() {
        for (text, expected) in [
            ("Authorization: Token S", "Authorization: ********"),
            (
                "curl -H 'Authorization: Token S' https://h",
                "curl -H 'Authorization: ********' https://h",
            ),
            ("proxy-authorization: a b\nAccept: c", "proxy-authorization: ********\nAccept: c"),
            ("x-api-key: S", "x-api-key: ********"),
            ("Accept: c\n  X-Api-Key: S\nb", "Accept: c\n  X-Api-Key: ********\nb"),
            ("token: S", "token: ********"),
            ("a=1, token: S, b", "a=1, token: ********, b"),
            ("api_key: S", "api_key: ********"),
            ("got {\"token\": \"S\", \"a\"", "got {\"token\": \"********\", \"a\""),
            (r#"got "{\"token\": \"S S\"#, r#"got "{\"token\": \"********"#),
            ("Invalid token: 9f8e7d6c5b4a", "Invalid token: ********"),
            ("<password>S</password>", "<password>********</password>"),
            (
                "<a:Db-Password x='1'>S S</a:Db-Password>",
                "<a:Db-Password x='1'>********</a:Db-Password>",
            ),
            ("<token><![CDATA[S<S]]></token>", "<token>********</token>"),
            ("<password>S", "<password>********"),
            ("/v1?api-key=S&a=1", "/v1?api-key=********&a=1"),
            ("/v1?auth=S", "/v1?auth=********"),
            ("/v1?a=1&auth=S", "/v1?a=1&auth=********"),
            ("?subscription-key=S", "?subscription-key=********"),
            ("?session_id=S", "?session_id=********"),
        ] {
            assert_eq!(mask_text(text), expected);
            assert_eq!(mask_text(expected), expected);
        }
        for text in [
            "Invalid token: expired",
            "the signature: it is wrong",
            "Missing x-api-key: see docs",
            "where a.token > 5 and x < 6",
            "usage: login <user> <password> <host>",
            "<password/>",
            "<token />x",
            "query($token: String!)",
            "token::text",
            "Author: Token Ring",
            "{\"password\": null, \"token\": true}",
        ] {
            assert_eq!(mask_text(text), text);
        }
    }

    #[test]
    fn masking_takes_linear_time_for_any_text() {
        // Quadratic masking would take seconds for each of these.
        for text in [
            "@",
            "a:@",
            "key=",
            "key=\"",
            "token: ",
            "bearer ",
            "?code=",
            "://",
            "ü:@é ",
            "pwd={",
            "-pwd=",
            "token:",
            "-token:",
            "'authorization:",
            "<token>",
            "<token ",
            "<token><![cdata[",
            "\\\"token\\\":",
            "a_token: ",
        ] {
            let long = text.repeat(1_000_000 / text.len());
            let masked = mask_text(&long);
            assert!(masked.len() <= 9 * long.len(), "{text}");
        }
        for (text, expected) in [
            ("pwd='a pwd='b';c", "pwd='********'********';c"),
            ("pwd=-pwd='b'", "pwd=********'********'"),
            ("pwd={a pwd=\"b} c\" d", "pwd={********\" d"),
        ] {
            assert!(!mask_text(text).contains('b'), "{text} {}", mask_text(text));
            assert_eq!(mask_text(text), expected);
        }
        assert_eq!(mask_text("ÄÖ password=ß€ İ u:ü@h"), "ÄÖ password=******** İ ********@h");
    }
}
