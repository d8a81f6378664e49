//! Lists in pages, newest change first, and the token that says where the next page starts.

use axum::Json;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::sandbox::error::ApiError;
use crate::sandbox::store::{Page, PageRequest, Position};

const PAGE: u8 = 50;

/// Reads `limit` and `page_token`; the rest of the query is the list's own. A limit that cannot
/// be is the longest page, as the API's cap is.
///
/// # Errors
/// 400 for a token that the list of this `name` did not give.
pub(super) fn read_span(name: &str, query: &str) -> Result<PageRequest, ApiError> {
    let mut span = PageRequest { limit: PAGE, after: None };
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "limit" => {
                let asked = value.parse().ok().filter(|limit| (1..=PAGE).contains(limit));
                span.limit = asked.unwrap_or(PAGE);
            }
            "page_token" if !value.is_empty() => {
                let place = read_token(name, &value);
                span.after = Some(place.ok_or_else(|| {
                    ApiError::invalid("page_token: this is not one that the list gave.")
                })?);
            }
            _ => {}
        }
    }
    Ok(span)
}

/// The page as the list of this `name` answers it.
pub(super) fn answer<T: Serialize>(name: &str, page: Page<T>) -> Json<Value> {
    let token = page.next.map(|Position { updated_at, id }| {
        URL_SAFE_NO_PAD.encode(format!("{name} {updated_at} {id}"))
    });
    Json(json!({ "data": page.items, "pagination": { "next_page_token": token } }))
}

fn read_token(name: &str, token: &str) -> Option<Position> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (updated_at, id) = text.strip_prefix(name)?.strip_prefix(' ')?.split_once(' ')?;
    Some(Position { updated_at: updated_at.to_owned(), id: id.parse().ok()? })
}
