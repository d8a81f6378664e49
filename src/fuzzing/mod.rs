//! Invariants over arbitrary bytes: for the targets of `fuzz/`, and for the test below, which runs them over their seeds.
//!
//! Compiled for fuzzers and tests only.

mod responses;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use reqwest::Method;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, ReadBuf};

use crate::jsonrpc::message as jsonrpc;
use crate::mcp::message as mcp;
use crate::polytomic::{
    ApiOperation, Attempts, BaseUrl, ClientConfig, Credential, Error, ErrorBody, FailedRequest,
    Reader, Subject, inexact_to_strings, mark, parse_retry_after, restore,
};
use crate::registry::truncation::{self, MIN_RESULT_BYTES, NOTE_BYTES};
use crate::registry::{CallSignals, ErrorCode, Registry, ToolError, redaction};
use crate::stdio::{Framing, FramingError, MessageReader, Name, without_byte_order_mark};
use crate::tools::{Cursor, TOOLS};

pub use responses::responses;

/// What must not appear in masked text. Long enough for any kind of credential.
const SECRET: &str = "s3cr3t/0123456789+ABCDEF";

/// A number that depends on the data only, for what the data does not say.
fn choice(data: &[u8], label: &str, choices: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    (data, label).hash(&mut hasher);
    usize::try_from(hasher.finish() % choices.max(1) as u64).unwrap_or_default()
}

/// A position in a text, between two characters.
fn position(text: &str, label: &str) -> usize {
    let at = choice(text.as_bytes(), label, text.len() + 1);
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

fn object(data: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(data).ok()
}

/// Messages are the same however their bytes arrive, cancelled reads lose nothing, and what was framed is read back.
pub fn framing(data: &[u8]) {
    let limit = [4, 30, 1_000].into_iter().nth(choice(data, "limit", 3)).unwrap_or_default();
    let expected = read_all(data, limit, data.len());
    for max_chunk in [1, 7] {
        let read = read_all(data, limit, max_chunk);
        assert!(read == expected, "limit {limit}, chunks of {max_chunk}: {read:?} {expected:?}");
    }
    // The first line decides that all others are lines, whatever they contain.
    let lines: Vec<u8> = [b"{\n", data].concat();
    let expected: Vec<_> = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| line.len() > limit || !is_blank(line))
        .map(|line| match line.len() > limit {
            true => Err(FramingError::TooLong { limit }),
            false => Ok(line.to_vec()),
        })
        .collect();
    let read = read_all(&lines, limit, 7);
    assert!(read == expected, "limit {limit}: {read:?} {expected:?}");

    let limit = data.len();
    let bodies = data.split(|byte| *byte == b'|').chain([data]).filter(|body| !is_blank(body));
    let (mut framed, mut expected) = (Vec::new(), Vec::new());
    for body in bodies {
        framed.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        framed.extend_from_slice(body);
        expected.push(Ok(body.to_vec()));
    }
    let read = read_all(&framed, limit.max(100), 7);
    assert!(read == expected, "{read:?} {expected:?}");
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

/// Everything in a stream. Each read is dropped while it waits, and started again.
fn read_all(data: &[u8], limit: usize, max_chunk: usize) -> Vec<Result<Vec<u8>, FramingError>> {
    let chunks = Chunks { rest: data, max_chunk, is_ready: false };
    let mut reader = MessageReader::new(chunks, limit, Framing::default());
    let mut read = Vec::new();
    loop {
        match reader.next().now_or_never() {
            None => {}
            Some(Ok(Some(message))) => read.push(message),
            Some(_) => return read,
        }
    }
}

/// Chunks of a stream, each after a wait.
struct Chunks<'a> {
    rest: &'a [u8],
    max_chunk: usize,
    is_ready: bool,
}

impl AsyncRead for Chunks<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.is_ready = !self.is_ready;
        if !self.is_ready {
            return Poll::Pending;
        }
        let length = self.max_chunk.min(self.rest.len()).min(buffer.remaining());
        let (chunk, rest) = self.rest.split_at(length);
        buffer.put_slice(chunk);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

/// Every request keeps its id, only requests get responses, and what is not JSON is a parse error.
pub fn messages(bytes: &[u8]) {
    let text = std::str::from_utf8(without_byte_order_mark(bytes));
    let is_json = text.is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    // Unparsed, as values may be nested too deeply.
    let object: BTreeMap<Name<'_>, &RawValue> = text
        .ok()
        .filter(|_| is_json)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let property = |name: &str| object.get(&Name(name.as_bytes().into())).map(|raw| raw.get());
    let parsed = |name: &str| property(name).and_then(|raw| serde_json::from_str(raw).ok());
    let method: Option<String> = parsed("method");
    let version: Option<String> = parsed("jsonrpc");
    let is_request = version.as_deref() == Some("2.0") && method.is_some();
    let is_response = property("method").is_none()
        && (property("result").is_some() || property("error").is_some());
    let id = property("id");
    let is_id = |id: &str| id.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit());
    let request_id = id.filter(|id| is_request && is_id(id));

    match mcp::parse(bytes) {
        Ok(message) if is_request => {
            let message = json(&message);
            let property = |name: &str| message.get(name).and_then(Value::as_str);
            assert!(property("id") == request_id, "{message}");
            assert!(property("method") == method.as_deref(), "{message}");
        }
        Ok(_) => assert!(is_response),
        Err(mcp::Rejection::Drop(_)) => assert!(!is_request || id.is_none()),
        Err(mcp::Rejection::Respond(response_id, code, text)) => {
            assert!(!is_response, "a response gets a response");
            assert!(is_json == (code.0 != -32700), "{code:?} {text}");
            assert!(text.chars().count() < 1_000, "{text}");
            let response_id = response_id.map(|id| id.to_string());
            assert!(
                request_id.is_none() || response_id.as_deref() == request_id,
                "{response_id:?}"
            );
        }
    }

    let entry = match jsonrpc::parse(bytes) {
        jsonrpc::Message::One(entry) => entry,
        jsonrpc::Message::Batch(entries) => {
            let values: Vec<IgnoredAny> =
                serde_json::from_str(text.unwrap_or_default()).unwrap_or_default();
            assert!(!entries.is_empty() && entries.len() == values.len());
            return;
        }
    };
    match entry {
        jsonrpc::Entry::Request(call, response_id) => {
            assert!(Some(response_id.to_string().as_str()) == id, "{response_id}");
            assert!(Some(&call.method) == method.as_ref(), "{}", call.method);
        }
        jsonrpc::Entry::Notification(_) => assert!(is_request && id.is_none()),
        jsonrpc::Entry::Response => assert!(is_response),
        jsonrpc::Entry::Invalid(response_id, error) => {
            assert!(!is_response, "a response gets a response");
            assert!(is_json == (error.code() != -32700), "{error:?}");
            let response_id = response_id.to_string();
            assert!(request_id.is_none_or(|id| id == response_id), "{response_id}");
        }
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

type Validate = Box<dyn Fn(&Value) -> bool>;

/// A registry whose process is shutting down: calls end before their first request.
struct Tools {
    runtime: tokio::runtime::Runtime,
    registry: Registry,
    validators: HashMap<&'static str, Validate>,
}

thread_local! {
    static TOOLS_ONCE: RefCell<Option<Tools>> = const { RefCell::new(None) };
}

/// Arguments, as the name of a tool, a line break and JSON. What a tool accepts is valid by its schema, and
/// coercing it again changes nothing. `validator` makes an independent validator of a schema.
pub fn arguments<V: Fn(&Value) -> bool + 'static>(data: &[u8], validator: impl Fn(&Value) -> V) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (name, text) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Some(arguments) = object(text) else { return };
    TOOLS_ONCE.with_borrow_mut(|tools| {
        let tools = tools.get_or_insert_with(|| connected_tools(&validator));
        let list = tools.registry.tools();
        let index = choice(name, "tool", list.len());
        let named = list.iter().find(|tool| tool.entry.name.as_bytes() == name);
        let Some(tool) = named.or_else(|| list.get(index)) else { return };

        let mut coerced = arguments.clone();
        let accepted = crate::registry::coerce_and_validate(&mut coerced, tool.checked_schema());
        if accepted.is_ok() {
            let value = Value::Object(coerced.clone());
            let is_valid =
                tools.validators.get(tool.entry.name).is_some_and(|is_valid| is_valid(&value));
            assert!(is_valid, "{} accepts {value}", tool.entry.name);
            let again = crate::registry::coerce_and_validate(&mut coerced, tool.checked_schema());
            assert!(again.is_ok() && Value::Object(coerced) == value, "{value}");
        }
        let signals = CallSignals::default();
        signals.shutdown.cancel();
        let called = tools.runtime.block_on(tools.registry.call(tool, arguments, signals));
        let Err(error) = called else { return };
        // A key from an earlier call leaves the outcome unknown.
        let was_keyed =
            error.code == ErrorCode::Timeout && error.details.contains_key("idempotency_key");
        assert!(
            was_keyed || matches!(error.code, ErrorCode::InvalidArgument | ErrorCode::Cancelled),
            "{error:?}"
        );
        assert!(accepted.is_ok() || error.code == ErrorCode::InvalidArgument, "{error:?}");
        assert!(error.message.chars().count() < 2_000, "{error:?}");
    });
}

fn connected_tools<V: Fn(&Value) -> bool + 'static>(validator: &impl Fn(&Value) -> V) -> Tools {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let url = BaseUrl::parse("http://127.0.0.1:9", false);
    let config = url.and_then(|url| Ok(ClientConfig::new(url, Credential::bearer(SECRET)?)));
    let registry = Registry::new(TOOLS, config);
    let validators = registry.tools().iter().map(|tool| {
        let is_valid: Validate = Box::new(validator(&Value::Object(tool.checked_schema().clone())));
        (tool.entry.name, is_valid)
    });
    let validators = validators.collect();
    #[expect(clippy::expect_used, reason = "a fuzzer has nothing to do without it")]
    let runtime = runtime.expect("a runtime without I/O");
    Tools { runtime, registry, validators }
}

/// A truncated result is within its limit and holds nothing that was not there before.
pub fn truncation(data: &[u8]) {
    let Some(object) = object(data) else { return };
    let original = Value::Object(object);
    let text = original.to_string();
    let minimum = usize::try_from(MIN_RESULT_BYTES).unwrap_or_default();
    for limit in [minimum, 3 * minimum] {
        let fits = truncation::written_bytes(&text) <= limit;
        assert!(truncation::fits(&text, limit) == fits);
        if fits {
            continue;
        }
        let excerpt = || truncation::excerpt(&text, limit);
        let Ok(mut truncated) = excerpt() else { return };
        let mut lists = truncation::truncate(&mut truncated, limit);
        let lacks_properties = lists.is_none();
        if lacks_properties {
            let Ok(again) = excerpt() else { return };
            truncated = again;
            lists = truncation::remove_properties(&mut truncated, limit);
        }
        let Some(lists) = lists else { continue };
        let truncated = json(&truncated.root);
        let bytes = truncation::written_bytes(&truncated.to_string());
        assert!(bytes + NOTE_BYTES <= limit, "{bytes} bytes with a limit of {limit}");
        assert!(is_part(&truncated, &original, lacks_properties), "{truncated}");
        assert!(lists.iter().all(|list| list.shown < list.total), "{lists:?}");
        assert!(!lists.is_empty());
    }
}

/// Whether a value is another one with shorter lists and texts.
fn is_part(part: &Value, whole: &Value, may_lack_properties: bool) -> bool {
    match (part, whole) {
        (Value::Array(part), Value::Array(whole)) => {
            part.len() <= whole.len()
                && part
                    .iter()
                    .zip(whole)
                    .all(|(part, whole)| is_part(part, whole, may_lack_properties))
        }
        (Value::Object(part), Value::Object(whole)) => {
            (may_lack_properties || part.len() == whole.len())
                && part.iter().all(|(name, part)| {
                    whole.get(name).is_some_and(|whole| is_part(part, whole, may_lack_properties))
                })
        }
        (Value::String(part), Value::String(whole)) => {
            part == whole || {
                let mark = format!("… (truncated: {} characters in total)", whole.chars().count());
                part.strip_suffix(&mark).is_some_and(|beginning| whole.starts_with(beginning))
            }
        }
        _ => part == whole,
    }
}

/// Wherever a secret stands in text or JSON, it is masked, in time proportional to the length.
pub fn redaction(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // Fuzzers learn the secret from the comparisons below.
    if text.contains("s3cr3t") {
        return;
    }
    let (before, after) = text.split_at(position(&text, "text"));
    for (opening, closing) in [
        (" password=", " "),
        (" Pwd='", "'"),
        ("\n\"secret\": \"", "\""),
        ("?api_key=", "&"),
        (" Bearer ", "\n"),
        (" postgres://user:", "@host/db "),
        (" u:", "@host "),
        ("?code=", " "),
    ] {
        // In a URL, the slash of the secret would end its host.
        let secret = if opening.ends_with("r:") || opening == " u:" {
            "s3cr3t%2F0123456789"
        } else {
            SECRET
        };
        let masked = redaction::mask_text(&format!("{before}{opening}{secret}{closing}{after}"));
        assert!(!masked.contains(secret), "{masked}");
    }
    if choice(data, "length", 256) == 0 && !text.is_empty() {
        // The fuzzer limits the time.
        redaction::mask_text(&text.repeat((64 << 10) / text.len()));
    }
    if let Some(mut map) = object(data)
        && !text.contains("configurationForm")
    {
        insert_secret(&mut map, data, 0);
        redaction::mask(&mut map);
        let masked = Value::Object(map).to_string();
        assert!(!masked.contains(SECRET), "{masked}");
    }
    let Ok(credential) = Credential::bearer(SECRET) else { return };
    let encoded = percent_encode(SECRET.as_bytes(), NON_ALPHANUMERIC).to_string();
    for form in [SECRET, &SECRET.replace('/', "\\/"), &encoded] {
        let redacted = credential.redact(&format!("{before}{form}{after}"));
        assert!(!redacted.contains(form), "{redacted}");
    }
}

/// Adds a password, as it is or in a text that is JSON, at any depth.
fn insert_secret(map: &mut Map<String, Value>, data: &[u8], depth: usize) {
    let label = format!("depth {depth}");
    let child = map.values_mut().nth(choice(data, &label, 4));
    match child.and_then(Value::as_object_mut) {
        Some(child) if depth < 8 => insert_secret(child, data, depth + 1),
        _ if choice(data, "form", 2) == 0 => {
            drop(map.insert("text".to_owned(), json!({"password": SECRET}).to_string().into()));
        }
        _ => drop(map.insert("password".to_owned(), SECRET.into())),
    }
}

/// Every digit survives: in what is sent, in what a client gets, and in records, as a string where a double is too short.
pub fn numbers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(original) = serde_json::from_str::<&RawValue>(text) else { return };
    let Ok(mut value) = serde_json::from_str::<Value>(&mark(text)) else { return };
    let marked = value.to_string();
    for reader in [Reader::Api, Reader::Client] {
        let restored = restore(&marked, reader);
        let same = serde_json::from_str(&restored).is_ok_and(|read| {
            keeps_digits(original, read, &|number| match reader {
                Reader::Api => false,
                Reader::Client => !number.parse().is_ok_and(f64::is_finite),
            })
        });
        assert!(same, "{reader:?}: {restored}");
    }
    inexact_to_strings(&mut value);
    let record = value.to_string();
    let record = restore(&record, Reader::Client);
    let is_unsafe = |number: &str| {
        let is_integer = !number.contains(['.', 'e', 'E']);
        is_integer && !number.parse::<i64>().is_ok_and(|n| n.unsigned_abs() < 1 << 53)
    };
    let read = serde_json::from_str(&record);
    assert!(read.is_ok_and(|read| keeps_digits(original, read, &is_unsafe)), "{record}");
}

/// Whether JSON is the same with the same digits. A number may be a string of its digits, and must if `is_text`.
fn keeps_digits(sent: &RawValue, read: &RawValue, is_text: &dyn Fn(&str) -> bool) -> bool {
    let (sent, read) = (sent.get(), read.get());
    match sent.as_bytes() {
        [b'{', ..] => {
            let sent: BTreeMap<String, &RawValue> = serde_json::from_str(sent).unwrap_or_default();
            let read: BTreeMap<String, &RawValue> = serde_json::from_str(read).unwrap_or_default();
            sent.len() == read.len()
                && sent.iter().all(|(name, sent)| {
                    read.get(name).is_some_and(|read| keeps_digits(sent, read, is_text))
                })
        }
        [b'[', ..] => {
            let sent: Vec<&RawValue> = serde_json::from_str(sent).unwrap_or_default();
            let read: Vec<&RawValue> = serde_json::from_str(read).unwrap_or_default();
            sent.len() == read.len()
                && sent.iter().zip(read).all(|(sent, read)| keeps_digits(sent, read, is_text))
        }
        [b'"', ..] => {
            let decoded = |text| serde_json::from_str::<String>(text).ok();
            read.starts_with('"') && decoded(sent) == decoded(read)
        }
        [b'-' | b'0'..=b'9', ..] => match read.strip_prefix('"') {
            Some(text) => text.strip_suffix('"') == Some(sent),
            None => read == sent && !is_text(sent),
        },
        _ => sent == read,
    }
}

/// A cursor is accepted if it is one, and is then the same when it is returned.
pub fn cursors(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for text in [text.into_owned(), URL_SAFE_NO_PAD.encode(data)] {
        match Cursor::decode(&text, "list_models", &json!({})) {
            Ok(cursor) => {
                let again = Cursor::decode(&cursor.encode(), "list_models", &json!({}));
                assert!(again.is_ok_and(|again| again == cursor));
            }
            Err(error) => {
                assert!(error.code == ErrorCode::InvalidArgument && error.message.len() < 1_000);
            }
        }
    }
}

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

/// An error shows no secret, limits its details, and has no text from the API in what an agent trusts.
pub fn error_bodies(data: &[u8]) {
    let (Ok(credential), Ok(base_url)) =
        (Credential::bearer(SECRET), BaseUrl::parse("http://127.0.0.1:9", false))
    else {
        return;
    };
    let with_secret = String::from_utf8_lossy(data).replace("KEY", SECRET);
    let tool_error = |status: u16, body: &[u8]| {
        let body = ErrorBody::parse(status, body, Some("application/json".to_owned()), &credential);
        assert!(!format!("{body:?}").contains(SECRET), "{body:?}");
        let request = FailedRequest {
            operation: ApiOperation {
                name: "create_model",
                subject: Subject::Definition,
                writes: true,
                supports_async: true,
            },
            method: Method::POST,
            base_url: base_url.clone(),
            path: "/api/models".to_owned(),
            attempts: Attempts::default(),
            idempotency_key: Some("0123-4567".to_owned()),
            key_defect: None,
            has_organization_id: false,
            earlier: None,
        };
        let (request, body) = (Box::new(request), Box::new(body));
        ToolError::from(Error::Status {
            request,
            status,
            body,
            request_id: None,
            retry_after: None,
        })
    };
    for status in [400, 401, 408, 409, 429, 500, 503] {
        let error = tool_error(status, with_secret.as_bytes());
        let own = json!({"key": "k", "message": "m", "status": status}).to_string();
        let bodies = ["", &own, r#"{"key": "k"}"#, r#"{"message": "m"}"#, "<p>", "<p>text"];
        let is_ours = bodies.iter().any(|body| {
            let ours = tool_error(status, body.as_bytes());
            (&ours.message, &ours.hint) == (&error.message, &error.hint)
        });
        assert!(is_ours, "{error:?}");
        assert!(!json(&error).to_string().contains(SECRET), "{error:?}");
        for detail in error.details.values() {
            assert!(detail.to_string().chars().count() < 7_000, "{detail}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: &[Target] = &[
        ("arguments", |data| {
            arguments(data, |schema| {
                let validator = jsonschema::validator_for(schema).unwrap();
                move |value| validator.is_valid(value)
            });
        }),
        ("cursors", cursors),
        ("error_bodies", error_bodies),
        ("framing", framing),
        ("messages", messages),
        ("numbers", numbers),
        ("redaction", redaction),
        ("responses", responses),
        ("retry_after", retry_after),
        ("truncation", truncation),
    ];

    #[test]
    fn the_invariants_hold_over_the_seeds() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let names = |folder: &str| -> BTreeSet<String> {
            let entries = fs::read_dir(fuzz.join(folder)).unwrap();
            entries
                .map(|entry| {
                    entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()
                })
                .collect()
        };
        let targets: BTreeSet<String> =
            TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!((names("fuzz_targets"), names("seeds")), (targets.clone(), targets));
        for (target, holds) in TARGETS {
            for entry in fs::read_dir(fuzz.join("seeds").join(target)).unwrap() {
                let path = entry.unwrap().path();
                println!("{}", path.display());
                holds(&fs::read(path).unwrap());
            }
        }
    }
}
