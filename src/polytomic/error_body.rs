//! The body of an error response, as far as it says something.
//!
//! Source: contract section 1.4; the body of an error may be anything (gap G17), and it may be a proxy's.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::auth::Credential;
use super::exact_numbers::{mark, marked_number};
use super::lenient_json::repair;

/// What an error of the API may have.
const PROPERTIES: [&str; 4] = ["key", "message", "metadata", "status"];
/// Bytes of a body that are read as an error or as a page: more than either needs.
const MAX_BYTES: usize = 64 << 10;
/// Bytes of a body whose data may be an error.
const MAX_BYTES_IN_DATA: usize = 8 << 10;

/// The body of an error response. All properties are optional, and the body need not be JSON at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ErrorBody {
    /// Whether the body is an error of the API itself, and not of a gateway in front of it: an object with a `key`, or
    /// with a `status` equal to the HTTP status and nothing that the API's errors do not have. Gateways send a
    /// `message`, too, and other frameworks a `status`.
    pub is_api_error: bool,
    /// Machine-readable key.
    pub key: Option<String>,
    /// Text for a person.
    pub message: Option<String>,
    /// Further context, any shape.
    pub metadata: Option<Value>,
    /// Media type of a body that is not a JSON object.
    pub content_type: Option<String>,
    /// Target of a redirect.
    pub location: Option<String>,
    /// The beginning of a body that is a page or plain text, without tags.
    pub text: Option<String>,
    /// Whether the body is a page of HTML or XML, which the API never sends.
    pub is_page: bool,
    /// The HTTP status of the response if that was 2xx, so that it contradicts the body.
    pub success_status: Option<u16>,
}

impl ErrorBody {
    /// Reads what is there.
    pub(crate) fn parse(
        status: u16,
        bytes: &[u8],
        content_type: Option<String>,
        credential: &Credential,
    ) -> Self {
        let parse = |json: &str| serde_json::from_str(&mark(json)).ok();
        let parsed = std::str::from_utf8(bytes).ok().and_then(parse);
        let is_valid = parsed.is_some();
        let repaired = || parse(&repair(bytes)?.json);
        let Some(mut value) = parsed.or_else(repaired) else {
            return Self::of_text(bytes, content_type, credential);
        };
        credential.redact_value(&mut value);
        let Value::Object(mut body) = value else {
            return Self { content_type, ..Self::default() };
        };
        let is_known = |name: &String| PROPERTIES.contains(&name.as_str());
        let has_status = body.get("status").and_then(Value::as_u64) == Some(status.into())
            && body.keys().all(is_known);
        let key = match body.shift_remove("key") {
            Some(Value::String(text)) if marked_number(&text).is_none() => Some(text),
            _ => None,
        };
        Self {
            // A gateway may have changed what it has damaged.
            is_api_error: is_valid && (has_status || key.is_some()),
            key,
            message: message(&body),
            metadata: body.shift_remove("metadata").filter(|m| !m.is_null()),
            ..Self::default()
        }
    }

    /// A body that is not JSON.
    fn of_text(bytes: &[u8], content_type: Option<String>, credential: &Credential) -> Self {
        const MAX_CHARACTERS: usize = 300;
        let text = String::from_utf8_lossy(bytes.get(..MAX_BYTES).unwrap_or(bytes));
        let text = text.trim_start_matches('\u{feff}').trim();
        let is_html = content_type.as_deref().is_some_and(|kind| kind.contains("html"));
        let is_page = text.starts_with('<') || (is_html && !text.is_empty());
        let text = match text.chars().next() {
            _ if is_page => without_tags(text),
            // JSON that breaks off or is damaged: data, which may hold secrets.
            Some('{' | '[' | '"') => String::new(),
            _ => text.to_owned(),
        };
        let mut words = String::new();
        for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
            if !word.is_empty() {
                words.push_str(if words.is_empty() { "" } else { " " });
                words.push_str(word);
            }
        }
        // Now that no tag or entity is inside it.
        let mut words = credential.redact(&words);
        if let Some((end, _)) = words.char_indices().nth(MAX_CHARACTERS) {
            words.truncate(end);
            words.push('…');
        }
        let text = (!words.is_empty()).then_some(words);
        Self { content_type, text, is_page, ..Self::default() }
    }

    /// Reads the body of a 2xx response, which may be long, as far as an error goes.
    pub(super) fn of_success(
        status: u16,
        bytes: &[u8],
        content_type: Option<String>,
        credential: &Credential,
    ) -> Self {
        Self::parse(status, bytes.get(..MAX_BYTES).unwrap_or(bytes), content_type, credential)
    }

    /// Whether the body of a 2xx response may be, or have, an error. Ordinary ones are recognized without being parsed: the
    /// data of most has an id, and no property is called `error`.
    pub(super) fn may_be_in(bytes: &[u8]) -> bool {
        let bytes = bytes.trim_ascii_start();
        static ERROR: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\"error"));
        static ID: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"id\""));
        let has = |text: &Finder<'_>| text.find(bytes).is_some();
        match bytes.strip_prefix(b"{\"data\":") {
            _ if bytes.len() > MAX_BYTES => false,
            None => bytes.starts_with(b"{") || bytes.starts_with(b"["),
            Some(data) if data.trim_ascii_start().starts_with(b"null") => true,
            Some(_) => has(&ERROR) || (bytes.len() <= MAX_BYTES_IN_DATA && !has(&ID)),
        }
    }

    /// The error in the body of a 2xx response, and its status: the body itself, its first item or, unless that is a job,
    /// its data. None if there is none that says that it is an error.
    pub(super) fn in_success(
        status: u16,
        bytes: &[u8],
        has_job_as_data: bool,
        credential: &Credential,
    ) -> Option<(u16, Self)> {
        let json = std::str::from_utf8(bytes).ok()?.trim_ascii();
        let (claimed_status, error) = find_error(json, true, !has_job_as_data)?;
        let claimed_status = claimed_status.unwrap_or(status);
        let body = Self::parse(claimed_status, error.as_bytes(), None, credential);
        Some((claimed_status, Self { success_status: Some(status), ..body }))
    }
}

/// The part of a body that says that it is an error, and the status that it says.
fn find_error(json: &str, is_whole: bool, looks_into_data: bool) -> Option<(Option<u16>, &str)> {
    if json.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
        return find_error(items.first()?.get(), false, false);
    }
    let claim: Claim<'_> = json.starts_with('{').then(|| serde_json::from_str(json).ok())??;
    if claim.is_error(is_whole) {
        return Some((claim.error_status(), json));
    }
    let data = claim.data.filter(|_| looks_into_data && claim.job.is_none())?;
    find_error(data.get(), false, false)
}

/// The properties by which an object says that it is an error, or that it is none.
#[derive(Deserialize)]
struct Claim<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    job: Option<IgnoredAny>,
    id: Option<IgnoredAny>,
    items: Option<IgnoredAny>,
    records: Option<IgnoredAny>,
    key: Option<Value>,
    message: Option<Value>,
    status: Option<Value>,
    #[serde(rename = "statusCode")]
    status_code: Option<Value>,
    code: Option<Value>,
    success: Option<Value>,
    ok: Option<Value>,
    error: Option<Value>,
    errors: Option<Value>,
}

impl Claim<'_> {
    /// `is_whole`: whether nothing but this object is in the body.
    fn is_error(&self, is_whole: bool) -> bool {
        // What an object of the API says with these words is about itself.
        if self.id.is_some() || self.items.is_some() || self.records.is_some() {
            return false;
        }
        let is_false = |value: &Option<Value>| matches!(value, Some(Value::Bool(false)));
        let has_message = self.message.is_some();
        let has_content = self.data.is_some() || self.job.is_some();
        let is_text = |value: &Option<Value>| matches!(value, Some(Value::String(_)));
        let says_error =
            |status: &Value| matches!(status.as_str(), Some("error" | "fail" | "failed"));
        let has_word = is_text(&self.key)
            || self.code.is_some()
            || self.status.as_ref().is_some_and(says_error);
        is_set(self.error.as_ref())
            || is_set(self.errors.as_ref())
            || is_false(&self.success)
            || is_false(&self.ok)
            || (self.error_status().is_some() && (has_message || (is_whole && !has_content)))
            || (has_word && has_message && !has_content)
    }

    fn error_status(&self) -> Option<u16> {
        let status_of = |value: Option<&Value>| {
            let number = value?.as_u64().or_else(|| value?.as_str()?.trim().parse().ok())?;
            u16::try_from(number).ok().filter(|number| (400..600).contains(number))
        };
        let nested = |name: &str| self.error.as_ref().and_then(|error| error.get(name));
        status_of(self.status.as_ref())
            .or_else(|| status_of(self.status_code.as_ref()))
            .or_else(|| status_of(self.code.as_ref()))
            .or_else(|| status_of(nested("status")))
            .or_else(|| status_of(nested("code")))
    }
}

/// Whether a property that describes an error does describe one.
pub(super) fn is_set(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        Some(_) => true,
    }
}

/// The text for a person: the API's `message`, or what gateways and other services call it.
fn message(body: &Map<String, Value>) -> Option<String> {
    let text = |value: &Value| match value {
        // A number is marked, and no message.
        Value::String(text) if !text.trim().is_empty() && marked_number(text).is_none() => {
            Some(text.clone())
        }
        _ => None,
    };
    let nested = |value: &Value| {
        let value = value.as_array().map_or(Some(value), |list| list.first())?;
        let names = ["message", "detail", "title", "faultstring"];
        text(value).or_else(|| names.iter().find_map(|name| text(value.get(name)?)))
    };
    let message = body.get("message").and_then(text);
    message.or_else(|| {
        let names = ["error_description", "error", "errors", "detail", "title", "fault"];
        names.iter().find_map(|name| nested(body.get(*name)?))
    })
}

/// The text of a page, without tags, comments, scripts and styles.
fn without_tags(page: &str) -> String {
    let mut text = String::new();
    let mut rest = page;
    while let Some((before, tag)) = rest.find('<').and_then(|at| rest.split_at_checked(at)) {
        text.push_str(before);
        text.push(' ');
        let name: String =
            tag.chars().skip(1).take_while(char::is_ascii_alphanumeric).take(8).collect();
        let end = match name.to_ascii_lowercase().as_str() {
            _ if tag.starts_with("<!--") => "-->",
            "script" => "</script>",
            "style" => "</style>",
            _ => ">",
        };
        let end = find_ignoring_case(tag, end);
        rest = end.and_then(|end| tag.get(end..)).unwrap_or_default();
    }
    text.push_str(rest);
    for (entity, character) in [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, character);
    }
    text
}

/// The position behind the first occurrence of `end`, which is in lower case.
fn find_ignoring_case(text: &str, end: &str) -> Option<usize> {
    let found = text
        .as_bytes()
        .windows(end.len())
        .position(|window| window.eq_ignore_ascii_case(end.as_bytes()))?;
    Some(found + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential() -> Credential {
        Credential::bearer("made-up-key-0123456789").unwrap()
    }

    #[test]
    fn a_page_is_its_text() {
        for (page, kind, is_page, text) in [
            (
                "<html>Access denied by the company proxy</html>",
                "text/html",
                true,
                Some("Access denied by the company proxy"),
            ),
            (
                "<!DOCTYPE html>\n<head><title>502</title><style>a > b {}</style></head><!-- a > b --><H1>Bad\n Gateway</H1>",
                "text/html; charset=utf-8",
                true,
                Some("502 Bad Gateway"),
            ),
            (
                "<SCRIPT>if (a<b) {}</Script><p>Sign&nbsp;in &amp; go",
                "application/json",
                true,
                Some("Sign in & go"),
            ),
            ("\u{feff}<p>x", "", true, Some("x")),
            ("<p title='unclosed", "text/html", true, None),
            ("<script>no end", "text/html", true, None),
            (
                "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
                "application/xml",
                true,
                Some("AccessDenied"),
            ),
            ("Sign in first", "text/html", true, Some("Sign in first")),
            (
                "upstream connect error\r\n or reset",
                "text/plain",
                false,
                Some("upstream connect error or reset"),
            ),
            (
                "the key made-up-key-0123456789 is unknown",
                "text/plain",
                false,
                Some("the key [redacted API key] is unknown"),
            ),
            ("", "text/html", false, None),
            ("{\"password\": \"made-up", "application/json", false, None),
        ] {
            let body = ErrorBody::parse(403, page.as_bytes(), Some(kind.to_owned()), &credential());
            assert_eq!((body.is_page, body.text.as_deref()), (is_page, text), "{page}");
            assert!(!body.is_api_error);
        }
        let long = format!("<p>{}", "é ".repeat(100_000));
        let body = ErrorBody::parse(502, long.as_bytes(), None, &credential());
        assert_eq!(body.text.unwrap().chars().count(), 301);
    }

    #[test]
    fn the_message_is_found_under_its_usual_names() {
        for (body, message) in [
            (r#"{"message": "m", "error": "e"}"#, Some("m")),
            (r#"{"message": "", "error": "e"}"#, Some("e")),
            (r#"{"error": {"message": "m", "code": 5}}"#, Some("m")),
            (r#"{"error": "invalid", "error_description": "d"}"#, Some("d")),
            (r#"{"errors": [{"detail": "d"}, {"detail": "e"}]}"#, Some("d")),
            (r#"{"errors": ["e"]}"#, Some("e")),
            (r#"{"title": "t", "detail": "d"}"#, Some("d")),
            (r#"{"fault": {"faultstring": "f"}}"#, Some("f")),
            (r#"{"message": 5}"#, None),
            (r#"{"errors": []}"#, None),
        ] {
            let body = ErrorBody::parse(400, body.as_bytes(), None, &credential());
            assert_eq!(body.message.as_deref(), message, "{body:?}");
        }
    }

    #[test]
    fn a_body_is_an_error_if_it_says_so() {
        for (body, status) in [
            (r#"{"key": "rate_limited", "message": "m", "status": 429}"#, 429),
            (r#"{"status": 404}"#, 404),
            (r#"{"status": "503", "message": "m"}"#, 503),
            (r#"{"code": 401, "message": "m"}"#, 401),
            (r#"{"error": {"code": 403, "message": "m"}}"#, 403),
            (r#"{"key": "k", "message": "m"}"#, 200),
            (r#"{"error": "no"}"#, 200),
            (r#"{"errors": [{"message": "no"}]}"#, 200),
            (r#"{"data": null, "status": 500}"#, 500),
            (r#" {"data":null, "error": "no"}"#, 200),
            (r#"{"job": {"status": "failed"}, "error": "e"}"#, 200),
            (r#"{"data": [], "error": "e"}"#, 200),
            (r#"{"data": [], "status": 500, "message": "m"}"#, 500),
            (r#"{"data":{"statusCode": 403, "message": "m"}}"#, 403),
            (r#"[{"code": "denied", "message": "m"}]"#, 200),
        ] {
            let error = ErrorBody::in_success(200, body.as_bytes(), false, &credential());
            let (found, error) = error.unwrap_or_else(|| panic!("no error: {body}"));
            assert_eq!((found, error.success_status), (status, Some(200)), "{body}");
        }
        for body in [
            r#"{"data": {"status": 500}}"#,
            r#"{"data": {"id": "i", "error": "e"}}"#,
            r#"{"job": {"status": "failed", "error": "e"}}"#,
            r#"{"message": "deleted"}"#,
            r#"{"status": "ok"}"#,
            r#"{"status": 200, "message": "m"}"#,
            r#"{"data": null, "error": null, "errors": []}"#,
            r#"{"type": "object", "properties": {"error": {"type": "string"}}}"#,
            "[]",
            "{}",
            "",
        ] {
            let error = ErrorBody::in_success(200, body.as_bytes(), false, &credential());
            assert_eq!(error, None, "{body}");
        }
    }
}
