//! Names and labels of fields.

use crate::sandbox::http::error::ApiError;
use crate::sandbox::sources::suggest_name;

/// Converts `last_login_at` to `Last Login At`, and `id` to `ID`.
pub(super) fn to_label(name: &str) -> String {
    let words = name.split(['_', ' ', '-']).filter(|word| !word.is_empty());
    let titled = words.map(|word| {
        if word.eq_ignore_ascii_case("id") {
            return "ID".to_owned();
        }
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
    });
    titled.collect::<Vec<String>>().join(" ")
}

/// Rejects a name that is not among `names`, and suggests the most similar one.
pub(super) fn check_name<'a>(
    path: &str,
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), ApiError> {
    if names.clone().any(|existing| existing == name) {
        return Ok(());
    }
    let suggestion = suggest_name(name, names);
    Err(ApiError::invalid(format!("{path}: there is no \"{name}\"; {suggestion}")))
}
