//! Secrets of a model, in its configuration and in that of its enrichment, and of a sync, in that of its target.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::polytomic::Model;
use crate::registry::{
    MODEL, MaskPlace, ObjectKind, Problem, Problems, SYNC, ToolError, keep_secrets,
    mask_configuration, places_of_emptied_secrets, places_of_masks, places_of_redactions,
    redaction,
};

/// Properties that have a configuration: of a model and of a sync.
const CONFIGURED: [&str; 2] = ["enricher", "target"];
/// Maximum characters of a place in an error.
const MAX_PLACE_CHARACTERS: usize = 200;

/// A model with its secrets masked.
pub(in crate::tools) fn without_secrets(mut model: Model) -> Model {
    model.configuration.iter_mut().for_each(mask_configuration);
    model.rest.iter_mut().for_each(|rest| redaction::mask(rest));
    if let Some(enricher) = &mut model.enricher {
        enricher.configuration.iter_mut().for_each(mask_configuration);
        enricher.rest.iter_mut().for_each(|rest| redaction::mask(rest));
    }
    model
}

/// Masks the secrets in the result of a job whose type is not documented: a model, a list of them, or anything. Records
/// stay, as do the fields of a model with their examples.
pub(in crate::tools) fn mask_result(result: &mut Value) {
    match result {
        Value::String(text) => *text = redaction::mask_text(text),
        Value::Array(items) => items.iter_mut().for_each(mask_result),
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                match name.as_str() {
                    "fields" | "records" => {}
                    "configuration" | "enricher" if value.is_object() => mask_property(name, value),
                    _ => redaction::mask_property(name, value),
                }
            }
        }
        _ => {}
    }
}

/// Masks the secrets in a property of a request.
pub(super) fn mask_property_of(kind: ObjectKind, name: &str, value: &mut Value) {
    match kind == SYNC {
        true => redaction::mask_property(name, value),
        false => mask_property(name, value),
    }
}

fn mask_property(name: &str, value: &mut Value) {
    let Value::Object(map) = value else { return };
    match name {
        "configuration" => mask_configuration(map),
        name if CONFIGURED.contains(&name) => {
            for (name, value) in map {
                match value {
                    Value::Object(configuration) if name == "configuration" => {
                        mask_configuration(configuration);
                    }
                    Value::String(_) => redaction::mask_property(name, value),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// Masks the secrets in a request for a model; returns whether there are any.
pub(in crate::tools) fn mask_definition(definition: &mut Map<String, Value>) -> bool {
    definition.iter_mut().for_each(|(name, value)| mask_property(name, value));
    !masks_in(MODEL, definition).is_empty()
}

/// Keeps the secrets of a property that is replaced, since they are shown masked.
pub(super) fn keep_secrets_of(name: &str, new: &mut Value, stored: Option<&Value>) {
    let (Value::Object(new), Some(Value::Object(stored))) = (new, stored) else { return };
    match name {
        "configuration" => keep_secrets(new, stored),
        name if CONFIGURED.contains(&name) => {
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

/// Checks that no secret goes with a stored configuration to another connection.
///
/// # Errors
/// `invalid_argument` that asks for the configuration.
pub(super) fn refuse_moved_secrets(stored: &Map<String, Value>) -> Result<(), ToolError> {
    let Some(Value::Object(configuration)) = stored.get("configuration") else { return Ok(()) };
    let mut masked = configuration.clone();
    mask_configuration(&mut masked);
    if masked == *configuration {
        return Ok(());
    }
    let message = "configuration: expected one for the new connection, since the stored one holds secrets, which would be \
                   sent to it. Nothing was changed.";
    Err(ToolError::invalid_argument("configuration", message)
        .with_hint("Pass `configuration` with what the new connection needs."))
}

/// Checks that a new value of a property erases no secret with an empty value, which may be filling.
///
/// # Errors
/// `invalid_argument` with the places, and how to keep or drop a secret.
pub(super) fn refuse_emptied_secrets(
    name: &str,
    new: &Value,
    stored: Option<&Value>,
) -> Result<(), ToolError> {
    let part = |value| match name {
        "configuration" => Some(value),
        name if CONFIGURED.contains(&name) => Value::get(value, "configuration"),
        _ => None,
    };
    let path = match CONFIGURED.contains(&name) {
        true => &format!("{name}.configuration"),
        false => name,
    };
    let (new, stored) = (part(new), stored.and_then(part));
    let (Some(Value::Object(new)), Some(Value::Object(stored))) = (new, stored) else {
        return Ok(());
    };
    let mut problems = Problems::default();
    for place in places_of_emptied_secrets(path, new, stored) {
        let place: String = place.chars().take(MAX_PLACE_CHARACTERS).collect();
        problems.add(|| {
            let expected = "a value, since a secret is stored there";
            let hint = format!("Leave out {place} to keep the secret, or pass null to drop it.");
            Problem::new(&place, expected, "an empty one", hint)
        });
    }
    problems.into_result()
}

/// Checks that a request contains no mask, which would overwrite the secret (gap G23), nor the redaction of the API
/// key. Masks that are not in the `passed` properties are the API's own. What only looks like a mask may stay as it is
/// `stored`.
///
/// # Errors
/// `invalid_argument` with the place of the first mask.
pub(in crate::tools) fn refuse_masks(
    kind: ObjectKind,
    request: &Map<String, Value>,
    passed: &Map<String, Value>,
    stored: &Map<String, Value>,
) -> Result<(), ToolError> {
    refuse_redactions(request, passed)?;
    let stored = masks_in(kind, stored);
    let mut masks = masks_in(kind, request).into_iter();
    let mask = masks.find(|mask| mask.may_be_value.is_none() || !stored.contains(mask));
    let Some(mask) = mask else { return Ok(()) };
    let is_passed = masks_in(kind, passed).contains(&mask);
    let place: String = mask.path.chars().take(MAX_PLACE_CHARACTERS).collect();
    let property = place.split(['.', '[']).next().unwrap_or_default();
    if is_passed {
        let message =
            format!("{place}: expected the secret itself, got a mask, which would overwrite it.");
        return Err(ToolError::invalid_argument(&place, message).with_hint(
            "Ask the user for the secret and pass it. An update keeps a secret whose property is left out of the \
             configuration.",
        ));
    }
    // The place contains names from outside.
    let message = format!(
        "{property}: the API returns a mask in place of a secret (details.argument), which the \
         update would overwrite with it. Nothing was changed."
    );
    let hint = format!("Ask the user for the secret and pass `{property}` with it.");
    Err(ToolError::invalid_argument(&place, message).with_hint(hint))
}

fn refuse_redactions(
    request: &Map<String, Value>,
    passed: &Map<String, Value>,
) -> Result<(), ToolError> {
    let places = places_of_redactions(request);
    let Some(place) = places.first() else { return Ok(()) };
    let is_passed = places_of_redactions(passed).contains(place);
    let place: String = place.chars().take(MAX_PLACE_CHARACTERS).collect();
    let property = place.split(['.', '[']).next().unwrap_or_default();
    let message = match is_passed {
        true => format!(
            "{property}: expected the value itself, got the redaction of the API key of this server \
             (details.argument), which would overwrite it."
        ),
        false => format!(
            "{property}: the stored value contains the API key of this server, which is redacted where it is read \
             (details.argument), so the update would overwrite it. Nothing was changed."
        ),
    };
    Err(ToolError::invalid_argument(&place, message).with_hint(format!(
        "Ask the user for the value and pass `{property}` with it, or make the change in Polytomic."
    )))
}

/// The same for a new object.
///
/// # Errors
/// As [`refuse_masks`].
pub(in crate::tools) fn refuse_masks_in(
    kind: ObjectKind,
    request: &impl Serialize,
) -> Result<(), ToolError> {
    let Value::Object(request) = json!(request) else { return Err(ToolError::internal()) };
    refuse_masks(kind, &request, &request, &Map::new())
}

fn masks_in(kind: ObjectKind, request: &Map<String, Value>) -> Vec<MaskPlace> {
    // Tools show a sync with its secrets masked wherever they are.
    if kind == SYNC {
        let masks = places_of_masks("", request).into_iter();
        return masks
            .map(|mask| MaskPlace { path: mask.path.trim_start_matches('.').to_owned(), ..mask })
            .collect();
    }
    let of_model = ("configuration".to_owned(), request.get("configuration"));
    let others = CONFIGURED.map(|name| {
        (format!("{name}.configuration"), request.get(name).and_then(|it| it.get("configuration")))
    });
    std::iter::once(of_model)
        .chain(others)
        .filter_map(|(path, value)| Some(places_of_masks(&path, value?.as_object()?)))
        .flatten()
        .collect()
}
