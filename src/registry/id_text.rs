//! Reads a UUID from what callers pass for one, and says how to find it if there is none.
//!
//! People and agents paste ids with blanks, quotes or braces around them, with the dashes that a word processor has made of
//! hyphens, or paste the link of the page that they have open. They also pass names: then the hint is the call that finds the id.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::schema;

/// Maximum characters of a name that a hint repeats; its beginning finds the object as well.
const MAX_NAME_CHARACTERS: usize = 80;
/// Length of a UUID with hyphens. In a link only this form counts: 32 hexadecimal digits may be anything.
const UUID_LENGTH: usize = 36;
/// From this length on, hexadecimal digits are a mistyped UUID rather than a name.
const MIN_MISTYPED_LENGTH: usize = 20;

/// What an id can identify, and the tool that lists it.
const KINDS: [Kind; 4] = [
    Kind { noun: "model", list: Some("list_models") },
    Kind { noun: "connection", list: Some("list_connections") },
    Kind { noun: "sync", list: Some("list_model_syncs") },
    Kind { noun: JOB, list: None },
];
const JOB: &str = "job";
/// What links contain besides. Words such as "user" are no label: the path may hold the name of a model.
const ORGANIZATION: &str = "organization";

#[derive(Debug, Clone, Copy, PartialEq)]
struct Kind {
    noun: &'static str,
    list: Option<&'static str>,
}

impl Kind {
    /// What the description of an argument says that it identifies. Without a list in it, no tool that is served has one.
    fn of(schema: &Map<String, Value>) -> Option<Self> {
        let description = schema.get("description").and_then(Value::as_str)?;
        KINDS.into_iter().find_map(|kind| {
            let source = kind.list.unwrap_or("job_id");
            if description.contains(&format!("`{source}`")) {
                return Some(kind);
            }
            let is_described = description.contains(&kind.without_list());
            is_described.then_some(Self { list: None, ..kind })
        })
    }

    fn without_list(self) -> String {
        format!("The UUID of a {}.", self.noun)
    }
}

/// The description of an id for servers without the tool that lists it; none if the sentence names no such tool.
pub(super) fn without_list(sentence: &str) -> Option<String> {
    let list = sentence.strip_prefix("A UUID from `")?.strip_suffix("`.")?;
    KINDS.into_iter().find(|kind| kind.list == Some(list)).map(Kind::without_list)
}

/// The UUID that a text stands for: one with blanks, quotes or brackets around it, or in a link.
pub(super) fn read(text: &str, schema: &Map<String, Value>) -> Option<Uuid> {
    let text = with_hyphens(text);
    let text = unwrapped(&text);
    let parsed = Uuid::parse_str(text).ok();
    parsed.or_else(|| link_target(text, Kind::of(schema)).ok())
}

/// What to do about an argument that is missing or no UUID; nothing if none is expected.
pub(super) fn hint(schema: &Map<String, Value>, passed: Option<&Value>) -> Option<String> {
    let is_uuid = schema.get("format").is_some_and(|format| format == schema::UUID);
    let kind = Kind::of(schema).filter(|_| is_uuid)?;
    let noun = kind.noun;
    let text = with_hyphens(passed.and_then(Value::as_str).unwrap_or_default());
    let text = unwrapped(&text);
    let defect = link_target(text, Some(kind)).err();
    if noun == JOB {
        return Some("Pass `job_id` from `next` of the call that started the job.".to_owned());
    }
    let find = match kind.list {
        Some(list) => format!("Call {list} for the id of the {noun}."),
        None => format!("Ask the user for the id of the {noun}."),
    };
    Some(match defect {
        Some(LinkDefect::LeadsTo(other)) => {
            format!("The link leads to the {other}, not to the {noun}. {find}")
        }
        Some(LinkDefect::Ambiguous) => {
            format!("The link holds several UUIDs: pass only that of the {noun}. {find}")
        }
        _ if text.contains("://") => format!("The link holds no UUID. {find}"),
        _ if is_mistyped(text) => format!("A UUID has 32 hexadecimal digits. {find}"),
        _ if text.is_empty() => find,
        _ => match (labelled_uuids(text).as_slice(), kind.list) {
            ([(_, only)], _) => format!("Pass only the UUID in it, {only}."),
            (_, None) => find,
            (_, Some(list)) => {
                // A bracket at its end belongs to the name.
                let name = passed.and_then(Value::as_str).unwrap_or_default();
                let name = name.trim().trim_matches(['"', '\'', '`', '“', '”', '‘', '’']);
                let name: String = name.chars().take(MAX_NAME_CHARACTERS).collect();
                let arguments = json!({"name_contains": name});
                format!("Call {list} with {arguments} for the id of the {noun}.")
            }
        },
    })
}

/// A text with a hyphen for each character that looks like one: hyphens, dashes, minus signs.
fn with_hyphens(text: &str) -> Cow<'_, str> {
    let is_dash = |c: char| {
        matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}')
    };
    if text.contains(is_dash) { text.replace(is_dash, "-").into() } else { text.into() }
}

/// A text without what surrounds an id that was copied.
fn unwrapped(text: &str) -> &str {
    const WRAPPERS: &str = ".\"'`<>()[]{},;“”‘’\u{200b}\u{feff}";
    text.trim_matches(|c: char| c.is_whitespace() || WRAPPERS.contains(c))
}

fn is_mistyped(text: &str) -> bool {
    text.len() >= MIN_MISTYPED_LENGTH
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Why a text is no link to an object.
#[derive(Debug, PartialEq)]
enum LinkDefect {
    NoLink,
    /// Its only UUID identifies something else.
    LeadsTo(&'static str),
    Ambiguous,
}

/// The UUID in a link: the one that the path says is of this kind, or the only one of which it says nothing.
fn link_target(text: &str, kind: Option<Kind>) -> Result<Uuid, LinkDefect> {
    if !text.contains('/') {
        return Err(LinkDefect::NoLink);
    }
    let uuids = labelled_uuids(text);
    let labelled = |label: Option<&str>| -> Vec<Uuid> {
        uuids.iter().filter(|(noun, _)| *noun == label).map(|(_, uuid)| *uuid).collect()
    };
    let wanted = kind.map(|kind| labelled(Some(kind.noun))).unwrap_or_default();
    match (wanted.as_slice(), labelled(None).as_slice(), uuids.as_slice()) {
        ([only], _, _) | ([], [only], _) => Ok(*only),
        (_, _, []) => Err(LinkDefect::NoLink),
        ([], [], [(Some(other), _)]) => Err(LinkDefect::LeadsTo(other)),
        _ => Err(LinkDefect::Ambiguous),
    }
}

/// The different UUIDs in a text, and what the word before each, such as a segment of a path, says that it identifies.
fn labelled_uuids(text: &str) -> Vec<(Option<&'static str>, Uuid)> {
    let is_separator = |c: char| !(c.is_alphanumeric() || "-_.".contains(c));
    let mut found: Vec<(Option<&str>, Uuid)> = Vec::new();
    let mut label = "";
    for word in text.split(is_separator).filter(|word| !word.is_empty()) {
        let uuid = Uuid::parse_str(word).ok().filter(|_| word.len() == UUID_LENGTH);
        if let Some(uuid) = uuid {
            let labelled = (noun(label), uuid);
            if !found.contains(&labelled) {
                found.push(labelled);
            }
        }
        label = word;
    }
    found
}

/// What a segment of a path or the name of a query parameter denotes: `models`, `model_id`, `model-syncs`.
fn noun(label: &str) -> Option<&'static str> {
    let label = label.to_lowercase().replace(['-', '_'], "");
    let label = label.strip_suffix("id").unwrap_or(&label);
    let label = label.strip_suffix('s').unwrap_or(label);
    let label = label.strip_prefix("model").filter(|rest| *rest == "sync").unwrap_or(label);
    KINDS.iter().map(|kind| kind.noun).chain([ORGANIZATION]).find(|noun| *noun == label)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "248df4b7-aa70-47b8-a036-33ac447e668d";
    const B: &str = "0b155265-c537-44c9-9359-a3ceb468a4da";

    fn schema(description: &str) -> Map<String, Value> {
        let schema = json!({"type": "string", "format": "uuid", "description": description});
        schema.as_object().cloned().unwrap()
    }

    fn model() -> Map<String, Value> {
        schema("A UUID from `list_models`.")
    }

    #[test]
    fn a_uuid_is_read_from_what_surrounds_it() {
        for text in [
            A.to_owned(),
            format!("  {A}\n"),
            format!("\u{a0}{A}\t"),
            A.to_uppercase(),
            A.replace('-', ""),
            format!("\"{A}\""),
            format!("'{A}'"),
            format!("`{A}`"),
            format!("“{A}”"),
            format!("{{{A}}}"),
            format!("<{A}>,"),
            format!("urn:uuid:{A}"),
            format!("\u{feff}{A}\u{200b}"),
            format!("https://app.polytomic.com/models/{A}"),
            format!("https://app.polytomic.com/models/{A}/"),
            format!("(https://app.polytomic.com/models/{A})."),
            format!("https://app.polytomic.com/models/{A}/edit?tab=fields#top"),
            format!("<https://app.polytomic.com/m/{A}>"),
            format!("app.polytomic.com/{A}"),
            format!("/api/models/{}", A.to_uppercase()),
            format!("https://app.polytomic.com/organizations/{B}/models/{A}"),
            format!("https://app.polytomic.com/models/{A}?connection_id={B}"),
            format!("https://app.polytomic.com/x?model={A}&org={B}"),
            format!("https://app.polytomic.com/models/{A}/models/{A}"),
            format!("http://localhost:8080/{B}/model/{A}"),
            format!("https://app.polytomic.com/models/users/{A}"),
            format!("https://app.polytomic.com/organizations/{B}/models/users/{A}"),
        ] {
            assert_eq!(
                read(&text, &model()).map(|id| id.to_string()).as_deref(),
                Some(A),
                "{text}"
            );
        }
    }

    #[test]
    fn every_dash_counts_as_a_hyphen() {
        let dashes = ('\u{2010}'..='\u{2015}').chain("\u{2212}\u{fe58}\u{fe63}\u{ff0d}".chars());
        for dash in dashes {
            for text in [A.to_owned(), format!("https://app.polytomic.com/models/{A}?a={B}")] {
                let text = text.replace('-', &dash.to_string());
                let read = read(&text, &model()).map(|id| id.to_string());
                assert_eq!(read.as_deref(), Some(A), "{text}");
            }
            let mistyped = hint(&model(), Some(&json!(A[1..].replace('-', &dash.to_string()))));
            assert!(mistyped.unwrap().starts_with("A UUID has 32"), "{dash}");
            // A name stays as it was passed.
            let name = hint(&model(), Some(&json!(format!("a{dash}b")))).unwrap();
            assert!(name.contains(&format!("a{dash}b")), "{name}");
        }
    }

    #[test]
    fn the_kind_of_the_argument_decides_which_uuid_of_a_link_is_read() {
        let link = format!("https://app.polytomic.com/connections/{A}/model-syncs/{B}");
        for (description, expected) in [
            ("A UUID from `list_connections`.", Some(A)),
            ("A UUID from `list_model_syncs`.", Some(B)),
            ("A UUID from `list_models`.", None),
            ("The UUID `job_id` of an unfinished call.", None),
        ] {
            let read = read(&link, &schema(description)).map(|id| id.to_string());
            assert_eq!(read.as_deref(), expected, "{description}");
        }
    }

    #[test]
    fn a_hint_says_how_to_find_the_id() {
        let find = "Call list_models for the id of the model.";
        let with =
            |arguments: &str| format!("Call list_models with {arguments} for the id of the model.");
        for (text, expected) in [
            ("Users", with(r#"{"name_contains":"Users"}"#)),
            (" \"Users\" ", with(r#"{"name_contains":"Users"}"#)),
            ("Sales/EMEA", with(r#"{"name_contains":"Sales/EMEA"}"#)),
            ("say \"hi\"\n", with(r#"{"name_contains":"say \"hi"}"#)),
            (" SQLite (sandbox)", with(r#"{"name_contains":"SQLite (sandbox)"}"#)),
            ("4711", with(r#"{"name_contains":"4711"}"#)),
            ("cafe", with(r#"{"name_contains":"cafe"}"#)),
            (&"é".repeat(100), with(&format!(r#"{{"name_contains":"{}"}}"#, "é".repeat(80)))),
            ("", find.to_owned()),
            (" \t", find.to_owned()),
            (&A[1..], format!("A UUID has 32 hexadecimal digits. {find}")),
            ("https://app.polytomic.com/models/users", format!("The link holds no UUID. {find}")),
            (
                &format!("https://app.polytomic.com/connections/{A}"),
                format!("The link leads to the connection, not to the model. {find}"),
            ),
            (
                &format!("https://app.polytomic.com/compare/{A}/{B}"),
                format!("The link holds several UUIDs: pass only that of the model. {find}"),
            ),
            (
                &format!("https://app.polytomic.com/models/{A}/models/{B}"),
                format!("The link holds several UUIDs: pass only that of the model. {find}"),
            ),
            (&format!("Users ({A})"), format!("Pass only the UUID in it, {A}.")),
        ] {
            assert_eq!(read(text, &model()), None, "{text}");
            assert_eq!(hint(&model(), Some(&json!(text))), Some(expected), "{text}");
        }
        assert_eq!(hint(&model(), Some(&json!(5))).as_deref(), Some(find));
        assert_eq!(hint(&model(), None).as_deref(), Some(find));
        let unlisted = schema("The UUID of a model.");
        let ask = "Ask the user for the id of the model.";
        assert_eq!(hint(&unlisted, Some(&json!("Users"))).as_deref(), Some(ask));
        assert_eq!(hint(&unlisted, None).as_deref(), Some(ask));
        let job = hint(&schema("The UUID `job_id` of an unfinished call."), Some(&json!("x")));
        assert!(job.unwrap().starts_with("Pass `job_id` from `next`"));
        assert_eq!(hint(&Map::new(), Some(&json!("x"))), None);
    }
}
