//! Secrets of a model: in its configuration and in that of its enrichment.

use serde_json::{Map, Value, json};

use crate::polytomic::{Model, NewModel};
use crate::registry::{ToolError, keep_secrets, mask_configuration, places_of_masks, redaction};

/// A model with its secrets masked.
pub(in crate::tools) fn without_secrets(mut model: Model) -> Model {
    model.configuration.iter_mut().for_each(mask_configuration);
    redaction::mask(&mut model.rest);
    if let Some(enricher) = &mut model.enricher {
        enricher.configuration.iter_mut().for_each(mask_configuration);
        redaction::mask(&mut enricher.rest);
    }
    model
}

/// Masks the secrets in a property of a request.
pub(super) fn mask_property(name: &str, value: &mut Value) {
    let Value::Object(map) = value else { return };
    match name {
        "configuration" => mask_configuration(map),
        "enricher" => {
            if let Some(Value::Object(configuration)) = map.get_mut("configuration") {
                mask_configuration(configuration);
            }
        }
        _ => {}
    }
}

/// Masks the secrets in a request for a model; returns their places.
pub(in crate::tools) fn mask_definition(definition: &mut Map<String, Value>) -> Vec<String> {
    definition.iter_mut().for_each(|(name, value)| mask_property(name, value));
    masks_in(definition)
}

/// Keeps the secrets of a property that is replaced, since they are shown masked.
pub(super) fn keep_secrets_of(name: &str, new: &mut Value, stored: Option<&Value>) {
    let (Value::Object(new), Some(Value::Object(stored))) = (new, stored) else { return };
    match name {
        "configuration" => keep_secrets(new, stored),
        "enricher" => {
            if let Some(Value::Object(stored)) = stored.get("configuration") {
                let mut configuration = match new.get("configuration") {
                    None => Map::new(),
                    Some(Value::Object(configuration)) => configuration.clone(),
                    Some(_) => return,
                };
                keep_secrets(&mut configuration, stored);
                if !configuration.is_empty() {
                    new.insert("configuration".to_owned(), configuration.into());
                }
            }
        }
        _ => {}
    }
}

/// Checks that a request contains no mask, which would overwrite the secret (gap G23). `passed`: the properties that the
/// caller has passed; others are as the API returned them.
///
/// # Errors
/// `invalid_argument` with the place of the first mask.
pub(in crate::tools) fn refuse_masks(
    request: &Map<String, Value>,
    is_passed: impl Fn(&str) -> bool,
) -> Result<(), ToolError> {
    let masks = masks_in(request);
    let Some(place) = masks.first() else { return Ok(()) };
    let property = place.split(['.', '[']).next().unwrap_or_default();
    let error = match is_passed(property) {
        true => ToolError::invalid_argument(
            place,
            format!("{place}: expected the secret itself, got a mask, which would overwrite it."),
        )
        .with_hint(
            "Ask the user for the secret and pass it. update_model keeps a secret whose property is left out of `configuration`.",
        ),
        false => ToolError::invalid_argument(
            place,
            format!(
                "{place}: the API returns a mask, with which the update would overwrite the secret. Nothing was changed."
            ),
        )
        .with_hint(format!("Ask the user for the secret and pass `{property}` with it.")),
    };
    Err(error)
}

/// The same for a new model.
///
/// # Errors
/// As [`refuse_masks`].
pub(in crate::tools) fn refuse_masks_in(model: &NewModel) -> Result<(), ToolError> {
    let enricher = json!({"configuration": model.enricher.as_ref().map(|e| &e.configuration)});
    let configuration = Value::Object(model.configuration.clone());
    let request = [("configuration".to_owned(), configuration), ("enricher".to_owned(), enricher)];
    refuse_masks(&Map::from_iter(request), |_| true)
}

fn masks_in(request: &Map<String, Value>) -> Vec<String> {
    let own = request.get("configuration");
    let enricher = request.get("enricher").and_then(|enricher| enricher.get("configuration"));
    [("configuration", own), ("enricher.configuration", enricher)]
        .into_iter()
        .filter_map(|(path, value)| Some(places_of_masks(path, value?.as_object()?)))
        .flatten()
        .collect()
}
