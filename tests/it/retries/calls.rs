//! The calls of these tests, and what a faulty API answers.

use serde_json::{Value, json};

use crate::support::{CONNECTION, Fault, ReceivedRequest, UNKNOWN_ID};

pub(super) const MODELS: &str = "/api/models";

pub(super) fn get() -> Value {
    json!({"model_id": UNKNOWN_ID})
}

pub(super) fn model() -> Value {
    json!({"data": {"id": UNKNOWN_ID, "name": "Users", "version": 1, "connection_id": CONNECTION,
        "configuration": {"table": "public.users"}}})
}

pub(super) fn answer(status: u16) -> Fault {
    Fault::Answer(status, "", json!({"message": "no"}))
}

pub(super) fn done() -> Fault {
    Fault::Answer(200, "", model())
}

/// The keys of the requests, which must all be the same one.
#[track_caller]
pub(super) fn one_key(seen: &[ReceivedRequest]) -> String {
    let keys: Vec<_> =
        seen.iter().map(|seen| seen.key.clone().expect("a POST has a key")).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    keys[0].clone()
}
