//! Arguments and responses that these tests share.

use serde_json::{Value, json};

use crate::support::{CONNECTION, Fault, ReceivedRequest, UNKNOWN_ID};

pub(super) const MODELS: &str = "/api/models";

pub(super) fn get_arguments() -> Value {
    json!({"model_id": UNKNOWN_ID})
}

pub(super) fn model_response() -> Value {
    json!({"data": {"id": UNKNOWN_ID, "name": "Users", "version": 1, "connection_id": CONNECTION,
        "configuration": {"table": "public.users"}}})
}

pub(super) fn error_response(status: u16) -> Fault {
    Fault::Response(status, "", json!({"message": "no", "status": status}))
}

pub(super) fn success() -> Fault {
    Fault::Response(200, "", model_response())
}

/// The idempotency key of the requests; asserts that all have the same.
#[track_caller]
pub(super) fn single_key(received: &[ReceivedRequest]) -> String {
    let keys: Vec<_> =
        received.iter().map(|request| request.key.clone().expect("a POST has a key")).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    keys[0].clone()
}
