//! The state of a model that a decision rests on.

use serde_json::{Value, json};

use super::changes::current_definition;
use crate::polytomic::Model;

/// What differs as soon as a model was updated. The API may omit the version, or read the fields of a source again
/// without another one.
pub(in crate::tools) fn model_state(model: &Model) -> Value {
    let updated_at = model.updated_at.as_ref().filter(|_| model.version.is_none());
    json!([model.version, updated_at, current_definition(model)])
}
