//! Paged lists, newest change first, and the token with which the next page is requested.

use axum::Json;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use url::form_urlencoded;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::store::{Page, PageRequest, Position};

const MAX_PAGE_ITEMS: u8 = 50;

/// Reads `limit` and `page_token`, and ignores the list's own query parameters. A limit that is invalid or
/// too large becomes the maximum, as in the API.
///
/// # Errors
/// 400 for a token that is not from the list of this `name`.
pub(in crate::sandbox) fn parse_page_request(
    name: &str,
    query: &str,
) -> Result<PageRequest, ApiError> {
    let mut page = PageRequest { limit: MAX_PAGE_ITEMS, after: None };
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_PAGE_ITEMS).contains(limit));
                page.limit = limit.unwrap_or(MAX_PAGE_ITEMS);
            }
            "page_token" if !value.is_empty() => {
                let position = decode_token(name, &value);
                page.after = Some(position.ok_or_else(|| {
                    ApiError::invalid(
                        "page_token: invalid; expected the next_page_token of this list.",
                    )
                })?);
            }
            _ => {}
        }
    }
    Ok(page)
}

/// A page of a list, as the API returns it.
#[derive(Debug, Serialize)]
pub(in crate::sandbox) struct PageResponse<T> {
    data: Vec<T>,
    pagination: Pagination,
}

#[derive(Debug, Serialize)]
struct Pagination {
    next_page_token: Option<String>,
}

/// The response with one page of the list of this `name`.
pub(in crate::sandbox) fn page_response<T>(name: &str, page: Page<T>) -> Json<PageResponse<T>> {
    let token = page.next.map(|Position { updated_at, id }| {
        URL_SAFE_NO_PAD.encode(format!("{name} {updated_at} {id}"))
    });
    let pagination = Pagination { next_page_token: token };
    Json(PageResponse { data: page.items, pagination })
}

fn decode_token(name: &str, token: &str) -> Option<Position> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (updated_at, id) = text.strip_prefix(name)?.strip_prefix(' ')?.split_once(' ')?;
    Some(Position { updated_at: updated_at.to_owned(), id: id.parse().ok()? })
}
