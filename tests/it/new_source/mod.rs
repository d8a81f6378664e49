//! `update_model` with another source: which fields the model has then, and what the result says about them.

mod in_sandbox; // over real tables
mod previews; // over each response that previews may get

use serde_json::Value;

/// What a result says about the fields.
fn field_changes(result: &Value) -> Value {
    let mut changes = result.as_object().unwrap().clone();
    changes.retain(|name, _| ["fields_added", "fields_removed", "not_exposed"].contains(&&**name));
    changes.into()
}

/// Names of the changed properties.
fn changed_properties(result: &Value) -> Vec<&str> {
    let changed = result["changed"].as_array().unwrap();
    changed.iter().map(|change| change["property"].as_str().unwrap()).collect()
}
