//! Masks secrets inside texts: passwords in URLs, values that follow the name of a secret, credentials.
//!
//! `token: …` is such a value and the sentence `Invalid token: expired` has none: for names but that of a password, a colon
//! counts where a line, header or property begins, or before what looks like a credential.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::enclosed_texts::{
    Closings, Elements, after_tag, backslashes_at_end, closing_quote, split_tag_name, value_at,
};

use super::record_texts::{
    Assignment, PASSWORDS, begins_with_pair, is_flag_value, is_short_token, password_end,
};

/// What the API itself returns in place of a secret.
pub(super) const MASK: &str = "********";

/// In a text, the value after one of these, or of [`PASSWORDS`], and `=` or `:`, or in an XML element, is a secret. A `-` counts as `_`.
const ASSIGNED_NAMES: &[&str] = &[
    "pass",
    "secret",
    "clientsecret",
    "token",
    "accesstoken",
    "authtoken",
    "refreshtoken",
    "sessiontoken",
    "api_key",
    "apikey",
    "access_key",
    "accesskey",
    "accountkey",
    "subscription_key",
    "sharedaccesskey",
    "private_key",
    "secret_key",
    "secretkey",
    "license_key",
    "app_key",
    "master_key",
    "passcode",
    "auth_key",
    "encryption_key",
    "signing_key",
    "signature",
    "sig",
    "session_id",
    "sessionid",
    AUTHORIZATION,
    COOKIE,
];
/// Of these, those that may end a longer word: `dbPassword=…`, `awsSecretAccessKey=…`. So may names of passwords.
const WORD_ENDINGS: &[&str] =
    &["secret", "token", "apikey", "accesskey", "secretkey", "sharedaccesskey"];
/// A message that begins so after the name of a secret says something about it.
const PROSE: &[&str] = &[
    "available",
    "can",
    "cannot",
    "does",
    "expected",
    "expired",
    "has",
    "invalid",
    "is",
    "may",
    "missing",
    "must",
    "not",
    "required",
    "should",
    "too",
    "unknown",
    "was",
];
/// The header with a scheme and a credential.
const AUTHORIZATION: &str = "authorization";
/// The header with pairs of names and values.
const COOKIE: &str = "cookie";
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

/// The same as [`mask_text`] for a value of a record: what follows a name is a secret only if it is written as in a
/// program or looks like a credential, but all words are that follow the name of a password and a colon.
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
    if lower.contains(['=', ':', '<']) || lower.contains("--") {
        let underscored = lower.replace('-', "_");
        for name in PASSWORDS.iter().chain(ASSIGNED_NAMES) {
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
            let is_credential = match scheme {
                "bearer " => value.len() >= min_length || is_short_token(value),
                _ => value.len() >= min_length && is_pair(),
            };
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
    let mut elements = Elements::find(text, underscored, name);
    // Where the values end that have begun, and the content of an element whose attributes are still to come.
    let (mut covered, mut content) = (0, 0..0);
    for (at, _) in underscored.match_indices(name) {
        if content.start <= at {
            covered = covered.max(content.end);
        }
        let Some((separator, start)) = assigned_value(text, name, at, origin) else { continue };
        let enclosed = match separator {
            '>' => elements.content(text, start),
            _ => closings.quoted(text, start),
        };
        let is_bare = enclosed.is_none();
        let range = match enclosed {
            // Inside an earlier value only an enclosed one can go beyond its end, as in `password=-password='…'`.
            Some(range) if range.end > covered => range,
            None if start >= covered => {
                let end = match separator {
                    '>' => elements.open_end(text, start),
                    ':' if [AUTHORIZATION, COOKIE].contains(&name) => header_end(text, at, start),
                    ':' if origin == Origin::Record && PASSWORDS.contains(&name) => {
                        password_end(text, start)
                    }
                    _ => value_at(text, start).end,
                };
                start..end
            }
            _ => continue,
        };
        let value = text.get(range.clone()).unwrap_or_default();
        let is_set_or_not =
            is_bare && separator == ':' && ["null", "true", "false"].contains(&value);
        if is_set_or_not || value.trim_start().is_empty() {
            continue;
        }
        match separator {
            '>' => content = range.clone(),
            _ => covered = range.end,
        }
        ranges.push(range);
    }
    ranges
}

/// The end of a header with several words: that of its line, or of the quotes around it.
fn header_end(text: &str, at: usize, start: usize) -> usize {
    let (before, rest) =
        (text.get(..at).unwrap_or_default(), text.get(start..).unwrap_or_default());
    let line = start + rest.find(['\n', '\r']).unwrap_or(rest.len());
    let quoted = before.strip_suffix(['"', '\'']).and_then(|outside| {
        let quote = before.bytes().next_back()?;
        closing_quote(text.get(..line)?, start, quote, backslashes_at_end(outside))
    });
    quoted.unwrap_or(line)
}

/// Where the value begins that is assigned to the name at `at`, and after what: `=`, `:`, the `>` of a tag, or the blank
/// behind a flag.
fn assigned_value(text: &str, name: &str, at: usize, origin: Origin) -> Option<(char, usize)> {
    let before = text.get(..at)?;
    let is_ending = before.ends_with(char::is_alphanumeric);
    let may_end_word = || PASSWORDS.contains(&name) || WORD_ENDINGS.contains(&name);
    if is_ending && (origin == Origin::Record || !may_end_word()) {
        return None;
    }
    let (named, rest) = text.split_at_checked(at + name.len())?;
    let tag = split_tag_name(named, rest);
    if let Some(content) = tag.and_then(|(before, _)| after_tag(before, rest)) {
        return Some(('>', text.len() - content.len()));
    }
    if rest.starts_with(' ') && is_flag(before) {
        let value = rest.trim_start_matches(' ');
        return is_flag_value(value).then(|| (' ', text.len() - value.len()));
    }
    let is_quoted = rest.starts_with(['"', '\'', '\\']);
    // In JSON inside a text, quotes are escaped.
    let rest = rest.trim_start_matches(['"', '\'', '\\']).trim_start();
    let separator = rest.chars().next().filter(|c| ['=', ':'].contains(c))?;
    let is_spaced = rest.get(1..)?.starts_with(' ');
    let value = rest.get(1..)?.trim_start_matches(' ');
    let unescaped = value.trim_start_matches('\\');
    let value = if unescaped.starts_with(['"', '\'']) { unescaped } else { value };
    if name == COOKIE {
        let is_header = separator == ':' && begins_property(before) && begins_with_pair(value);
        return is_header.then_some((separator, text.len() - value.len()));
    }
    let is_password = PASSWORDS.contains(&name) || ["pass", "secret"].contains(&name);
    // What begins with a bracket or a second colon is a structure or a type.
    let may_be_value = || {
        !value.starts_with(['{', '[', ':'])
            && (name == AUTHORIZATION || begins_property(before) || begins_with_credential(value))
    };
    let is_assigned = match origin {
        Origin::Api if separator == ':' && name != AUTHORIZATION && begins_with_prose(value) => {
            false
        }
        Origin::Api => separator == '=' || (is_password && !is_ending) || may_be_value(),
        Origin::Record => {
            let assignment = || Assignment {
                name,
                separator,
                value,
                is_quoted,
                is_spaced,
                begins_property: begins_property(before),
            };
            (name == AUTHORIZATION && may_be_value())
                || begins_with_credential(value)
                || (name != AUTHORIZATION && assignment().is_secret())
        }
    };
    is_assigned.then_some((separator, text.len() - value.len()))
}

/// Whether a name that follows is the end of a flag: `--password`, `--db-password`.
fn is_flag(before: &str) -> bool {
    let word = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "_-".contains(c));
    before.get(word.len()..).is_some_and(|word| word.starts_with("--"))
}

/// Whether a name that follows is the first word of a line, header or property, or the end of that word.
fn begins_property(before: &str) -> bool {
    let before = before.trim_end_matches(|c: char| c.is_alphanumeric() || "_-.".contains(c));
    let before = before.trim_end_matches([' ', '\t']);
    before.is_empty() || before.ends_with(|c: char| "\n\r,;{[('\"`&|<>-".contains(c))
}

/// Whether a text begins with a word of a message, and goes on as one.
fn begins_with_prose(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let goes_on = rest.is_empty() || rest.starts_with([' ', '.', ',', ';', '\n']);
    goes_on && PROSE.contains(&word)
}

/// Whether a text begins with letters and digits as only credentials are.
fn begins_with_credential(text: &str) -> bool {
    const MIN_LENGTH: usize = 12;
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+/=.~".contains(byte);
    let word = || text.bytes().take(MIN_LENGTH).take_while(is_part);
    word().count() == MIN_LENGTH && word().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_texts_are_masked_and_what_only_names_them_stays() {
        for (text, expected) in [
            (
                "failed: dbPassword=S PGPASSWORD=S",
                "failed: dbPassword=******** PGPASSWORD=********",
            ),
            ("?apiToken=S&awsSecretAccessKey=S", "?apiToken=********&awsSecretAccessKey=********"),
            ("userPassword: S\nbotToken: S", "userPassword: ********\nbotToken: ********"),
            ("the newpassword: rules", "the newpassword: rules"),
            ("app_key=S, x-license-key=S", "app_key=********, x-license-key=********"),
            (
                "password: must be at least 8 characters; secret: required",
                "password: must be at least 8 characters; secret: required",
            ),
            (
                "unknown column \"api_key\": available columns: id",
                "unknown column \"api_key\": available columns: id",
            ),
            ("password: mustang", "password: ********"),
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
            ("got {\"password\": \"true\"}", "got {\"password\": \"********\"}"),
            ("<password><value>S</value></password>b", "<password>********</password>b"),
            ("<password>S<b>c</b>S</password>b", "<password>********</password>b"),
            (
                "<password>\n <old-password>S</old-password>S\n</password >b",
                "<password>********</password >b",
            ),
            (
                "<a:token><a:token>S</a:token>S</a:token><b>c</b>",
                "<a:token>********</a:token><b>c</b>",
            ),
            ("<token><token_hint>S</token_hint>S</token>", "<token>********</token>"),
            ("<token>\n<![CDATA[</token>S]]></token>", "<token>********</token>"),
            ("<secret><value>S<\\/value><\\/secret>b", "<secret>********<\\/secret>b"),
            ("<password><value>S</value", "<password>********"),
            ("<password>\n  <value>S S", "<password>********"),
            (r#"password="S\"S" b"#, r#"password="********" b"#),
            (r#"password="S\\" b"c""#, r#"password="********" b"c""#),
            (r"pwd='S\'S' b", r"pwd='********' b"),
            ("pwd='S''S' b", "pwd='********' b"),
            ("'pwd=''S'' b'", "'pwd=''********'"),
            (r#"{\"token\": \"S\\\"S\", \"a\""#, r#"{\"token\": \"********\", \"a\""#),
            (r#"{\"token\": \"S\\\\\", \"a\""#, r#"{\"token\": \"********\", \"a\""#),
            (
                r#"-H "Authorization: Digest a=\"S\", S" https://h"#,
                r#"-H "Authorization: ********" https://h"#,
            ),
            ("/v1?api-key=S&a=1", "/v1?api-key=********&a=1"),
            ("/v1?auth=S", "/v1?auth=********"),
            ("/v1?a=1&auth=S", "/v1?a=1&auth=********"),
            ("?subscription-key=S", "?subscription-key=********"),
            ("?session_id=S", "?session_id=********"),
            ("passwort: S", "passwort: ********"),
            ("Set-Cookie: a=S; b=S\nc", "Set-Cookie: ********\nc"),
            ("curl -H 'Cookie: a=S' b", "curl -H 'Cookie: ********' b"),
            ("login --db-password 'S S' --user b", "login --db-password '********' --user b"),
            ("login --token SSSS b", "login --token ******** b"),
            ("Bearer SSS123456", "Bearer ********"),
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
            "<token> </token>x",
            "<password></password>x",
            "password=\"\" b",
            "password='', b",
            "query($token: String!)",
            "Cookie: chocolate chip",
            "unknown --password option, use --token-file x or --token <token>",
            "bearer of good news",
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
            "<token></token>",
            "</token>",
            "<token><![cdata[</token>",
            "<token>\n",
            "<a-token><b-token>",
            "<token token=\"",
            "<authorization authorization:>",
            "pwd='\\",
            "pwd=\\\\'",
            "pwd=''",
            "pwd=''a",
            "\"authorization: \\\"",
        ] {
            let long = text.repeat(1_000_000 / text.len());
            let masked = mask_text(&long);
            assert!(masked.len() <= 9 * long.len(), "{text}");
        }
        for (text, expected) in [
            ("pwd='a pwd='b';c", "pwd='********'********';c"),
            ("pwd=-pwd='b'", "pwd=********'********'"),
            ("pwd=<pwd>a b</pwd>c", "pwd=********</pwd>c"),
            ("<pwd pwd=b pwd='b'>b b</pwd>", "<pwd pwd=******** pwd='********'>********</pwd>"),
            ("pwd={a pwd=\"b} c\" d", "pwd={********\" d"),
        ] {
            assert!(!mask_text(text).contains('b'), "{text} {}", mask_text(text));
            assert_eq!(mask_text(text), expected);
        }
        assert_eq!(mask_text("ÄÖ password=ß€ İ u:ü@h"), "ÄÖ password=******** İ ********@h");
    }
}
