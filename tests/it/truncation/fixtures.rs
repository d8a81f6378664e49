//! Responses that are too large, and how truncated results are measured and compared.

use serde_json::{Map, Value, json};

use crate::support::{CONNECTION, Session, UNKNOWN_ID};

pub(super) const DEFAULT_MAX_BYTES: usize = 48_000;

/// More than any result of these tests needs.
pub(super) const AMPLE_MAX_BYTES: usize = 33_000_000;

pub(super) const SOURCE_PATH: &str =
    "/api/connections/248df4b7-aa70-47b8-a036-33ac447e668d/modelsync/source";

pub(super) fn fields(count: usize) -> Value {
    let field = |n| {
        json!({
            "name": format!("column_{n}"), "label": format!("Column {n}"), "type": "string",
            "remote_type": "varchar", "unique": false, "example": "abc", "description": null,
        })
    };
    (0..count).map(field).collect()
}

pub(super) fn names(count: usize) -> Value {
    (0..count).map(|n| format!("public.table_{n}")).collect()
}

pub(super) fn model(fields: Value) -> Value {
    json!({
        "id": UNKNOWN_ID, "name": "Users", "connection_id": CONNECTION, "version": 3,
        "configuration": {"table": "public.users"}, "fields": fields,
    })
}

/// Fields whose texts take more bytes as text than as structured content, and hold multi-byte characters.
pub(super) fn hostile_fields(count: usize) -> Value {
    let text = |n: usize| match n % 5 {
        0 => "\"\"\"\\\\\\".repeat(n % 7 + 1),
        1 => "\u{0}\u{1}\u{1f}\u{7f}\n\r\t\u{8}\u{c}".repeat(n % 5 + 1),
        2 => "äß€𝄞\u{2028}\u{feff}".repeat(n % 6 + 1),
        3 => "</script>&amp;'".to_owned(),
        _ => String::new(),
    };
    let field = |n| json!({"name": format!("{n}{}", text(n)), "example": {text(n + 1): [null, -1.5e-7, text(n + 2)]}});
    (0..count).map(field).collect()
}

pub(super) fn connections(count: usize) -> Value {
    let connection = |n| {
        json!({
            "id": format!("{n:08}-0000-4000-8000-000000000000"), "name": format!("Connection {n}"),
            "type": {"id": "postgresql", "name": "PostgreSQL", "logo_url": "https://x/y.svg"},
            "status": "healthy", "organization_id": UNKNOWN_ID, "updated_at": "2026-01-01T00:00:00Z",
            "configuration": {"hostname": "db.example.com", "password": "secret-4711", "port": 5432},
        })
    };
    (0..count).map(connection).collect()
}

pub(super) fn connection_types(count: usize) -> Value {
    let connection_type = |n| {
        json!({
            "id": format!("connection_type_{n}"), "name": format!("Connection type {n}"),
            "capabilities": {"source": true, "destination": true, "enrichment": false},
            "logo_url": "https://example.com/logo.svg", "operations": ["sync", "model", "query"],
        })
    };
    (0..count).map(connection_type).collect()
}

pub(super) fn models(count: usize, width: usize) -> Vec<Value> {
    let model = |n: usize| {
        json!({
            "id": format!("{n:08}-0000-4000-8000-000000000000"), "name": format!("Model {n}"),
            "type": "postgresql", "connection_id": CONNECTION, "identifier": "id",
            "configuration": {"table": "public.users"}, "fields": fields(width),
            "updated_at": "2026-01-01T00:00:00Z",
        })
    };
    (0..count).map(model).collect()
}

pub(super) fn syncs(count: usize) -> Vec<Value> {
    let sync = |n: usize| {
        json!({
            "id": format!("{n:08}-0000-4000-8000-000000000000"), "name": format!("Sync {n}"),
            "active": true, "mode": "updateOrCreate", "model_ids": [UNKNOWN_ID],
            "schedule": {"frequency": "daily", "hour": "7", "day_of_week": null},
            "target_connection_id": CONNECTION, "target_object": "Contact",
            "updated_at": "2026-01-01T00:00:00Z",
        })
    };
    (0..count).map(sync).collect()
}

pub(super) fn wide_model() -> Value {
    let keys: Map<String, Value> = (0..5_000).map(|n| (format!("option_{n}"), json!(n))).collect();
    let mut model = model(fields(20));
    model["configuration"] = Value::Object(keys);
    model
}

/// Calls a tool that succeeds; returns its result and the bytes of the message.
pub(super) async fn call_and_measure(
    session: &mut Session,
    tool: &str,
    arguments: &Value,
) -> (Value, usize) {
    let result = session.call(tool, arguments.clone()).await;
    (result, session.last_bytes())
}

pub(super) fn with_max_bytes(arguments: &Value, max_bytes: usize) -> Value {
    let mut arguments = arguments.clone();
    arguments["max_bytes"] = json!(max_bytes);
    arguments
}

/// The value at a path such as `model.fields` or `changed[0].before`.
pub(super) fn list_at<'a>(result: &'a mut Value, path: &str) -> &'a mut Value {
    let pointer = path.replace(['.', '['], "/").replace(']', "");
    result.pointer_mut(&format!("/{pointer}")).unwrap_or_else(|| panic!("nothing at {path}"))
}

/// The value that a text suggests for `max_bytes`.
#[track_caller]
pub(super) fn suggested_max_bytes(text: &Value) -> usize {
    let text = text.as_str().unwrap_or_else(|| panic!("not a text: {text}"));
    let number =
        text.split("`max_bytes` ").nth(1).unwrap_or_else(|| panic!("no `max_bytes` in {text:?}"));
    number.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// Asserts that `partial` is `complete` without the last items of one list, and that it reports them.
#[track_caller]
pub(super) fn assert_truncated(label: &str, partial: &Value, complete: &Value, list: &str) {
    let note = &partial["truncated"];
    assert_eq!(note["list"], list, "{label}: {note}");
    assert_eq!(note.get("others"), None, "{label}: {note}");
    let (mut partial, mut complete) = (partial.clone(), complete.clone());
    let note = partial.as_object_mut().unwrap().shift_remove("truncated").unwrap();
    let items = list_at(&mut partial, list).as_array_mut().map(std::mem::take).unwrap();
    let all = list_at(&mut complete, list).as_array_mut().map(std::mem::take).unwrap();
    assert_eq!(note["shown"], items.len(), "{label}: {note}");
    assert_eq!(note["total"], all.len(), "{label}: {note}");
    assert!(!items.is_empty() && items.len() < all.len(), "{label}: {note}");
    assert!(items == all[..items.len()], "{label}: items are incomplete or out of order");
    assert_eq!(partial, complete, "{label}: more than the list has changed");
}
