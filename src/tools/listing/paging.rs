//! Lists that are read page by page: our own cursor, filters that read on, and a time limit.
//!
//! A cursor names the page of the API and the item of that page to continue after, so that it works whether the
//! API pages or returns everything at once (gap G10), and wherever our own list was truncated.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::detail::to_object;
use crate::polytomic::{Error, Page};
use crate::registry::{Context, ErrorCode, ToolError};

/// How long a list reads further pages for matches.
pub(in crate::tools) const MAX_READING_TIME: Duration = Duration::from_secs(20);
/// How many pages one call reads. More than any account has, so a list that goes on has no end.
pub(in crate::tools) const MAX_PAGES: usize = 1_000;
/// What a list without an end does, for an error.
pub(in crate::tools) const ENDLESS: &str =
    "it returns to an earlier page, or continues after 1,000 pages or 20 s";
/// Maximum items of a page, as in the API.
const MAX_PAGE_ITEMS: u32 = 50;
const MAX_CURSOR_LENGTH: u32 = 32_768;

/// Maximum items, 1 to 50, default 50, e.g. `20`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(in crate::tools) struct PageLimit(#[schemars(range(min = 1, max = MAX_PAGE_ITEMS))] u32);

impl Default for PageLimit {
    fn default() -> Self {
        Self(MAX_PAGE_ITEMS)
    }
}

/// `next_cursor` of the previous call, e.g. `eyJ0b29s`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(in crate::tools) struct CursorArgument(
    #[schemars(length(min = 1, max = MAX_CURSOR_LENGTH))] String,
);

/// A position to continue from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// The tool and the filters it was made for.
    tool: String,
    filters: Value,
    /// The requested page size: another size would end the page elsewhere.
    size: u32,
    /// The API's token of the page.
    token: Option<String>,
    /// How many of its items have been read.
    skip: usize,
    /// Id of the last item read: items move while a list is read.
    after: Option<String>,
    /// The caller it was made for, if callers have their own API keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
}

impl Cursor {
    pub(crate) fn decode(
        text: &str,
        tool: &str,
        filters: &Value,
        caller: Option<&str>,
    ) -> Result<Self, ToolError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let cursor: Option<Self> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let invalid = |message: &str| {
            let error = ToolError::invalid_argument("cursor", message);
            Err(error.with_hint("Leave out `cursor` to start from the beginning."))
        };
        let unknown = || {
            invalid(&format!(
                "cursor: expected `next_cursor` of an earlier {tool}, got another text."
            ))
        };
        match cursor {
            Some(cursor) if !(1..=MAX_PAGE_ITEMS).contains(&cursor.size) => unknown(),
            Some(cursor) if cursor.tool == tool && cursor.caller.as_deref() != caller => {
                invalid("cursor: expected one that was returned to the same API key.")
            }
            Some(cursor) if cursor.tool == tool && cursor.filters == *filters => Ok(cursor),
            Some(cursor) if cursor.tool == tool => invalid(
                "cursor: expected the same other arguments as in the call that returned it.",
            ),
            _ => unknown(),
        }
    }

    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(json!(self).to_string())
    }

    /// The beginning of the page with `token`; none if that is the same page again.
    fn next_page(self, token: Option<String>) -> Option<Self> {
        let token = token.filter(|token| self.token.as_ref() != Some(token))?;
        Some(Self { token: Some(token), skip: 0, after: None, ..self })
    }
}

/// What to list.
pub(in crate::tools) struct ListQuery {
    tool: &'static str,
    /// Arguments that decide which items match; a cursor is valid for the same filters only.
    filters: Value,
    limit: PageLimit,
    cursor: Option<CursorArgument>,
    /// The caller, if callers have their own API keys.
    caller: Option<String>,
}

impl ListQuery {
    /// The query of a call; `filters` serializes to the arguments that decide which items match.
    pub(in crate::tools) fn new(
        cx: &Context,
        tool: &'static str,
        filters: &impl Serialize,
        limit: PageLimit,
        cursor: Option<CursorArgument>,
    ) -> Self {
        let (filters, caller) = (json!(to_object(filters)), cx.caller_id());
        Self { tool, filters, limit, cursor, caller }
    }
}

/// The positions at which a list can be continued.
pub(in crate::tools) struct ListPositions {
    /// After each item.
    after_items: Vec<Cursor>,
    /// After all of them; none at the end of the list.
    next: Option<Cursor>,
    /// Whether the list ended by returning to an earlier page.
    returns: bool,
}

impl ListPositions {
    /// A notice for a list that may be incomplete.
    pub(in crate::tools) fn notice(&self) -> Option<&'static str> {
        self.returns.then_some(
            "The list may be incomplete: the API's last page names an earlier page as the next one.",
        )
    }

    /// The cursor that continues the list if only its first `shown` items are returned.
    pub(in crate::tools) fn next_cursor(&self, shown: usize) -> Option<String> {
        let next = match shown.checked_sub(1) {
            Some(last) if shown < self.after_items.len() => self.after_items.get(last),
            _ => self.next.as_ref(),
        };
        next.map(Cursor::encode)
    }
}

/// Reads all pages of a list; none if it has no end.
///
/// # Errors
/// The error of reading a page.
pub(in crate::tools) async fn read_all<T: PartialEq, F: Future<Output = Result<Page<T>, Error>>>(
    fetch_page: impl Fn(u32, Option<String>) -> F,
) -> Result<Option<Vec<T>>, Error> {
    let until = Instant::now() + MAX_READING_TIME;
    let (mut items, mut page_start) = (Vec::new(), 0);
    let (mut seen_tokens, mut token) = (BTreeSet::new(), None);
    while seen_tokens.len() < MAX_PAGES && seen_tokens.insert(token.clone()) {
        let fetching = fetch_page(MAX_PAGE_ITEMS, token);
        let page = match seen_tokens.len() {
            // Its retries may take longer.
            1 => fetching.await?,
            _ => match tokio::time::timeout_at(until, fetching).await {
                Ok(page) => page?,
                Err(_) => return Ok(None),
            },
        };
        if !page.items.is_empty() && items.get(page_start..) == Some(&page.items) {
            return Ok(None); // the API returns page tokens but ignores them
        }
        page_start = items.len();
        items.extend(page.items);
        token = page.next_page_token;
        if token.is_none() {
            return Ok(Some(items));
        }
    }
    Ok(None)
}

/// Reads pages until there are enough matches, the list ends, or a call has read enough.
///
/// # Errors
/// `invalid_argument` for a cursor that no earlier call returned; `upstream_error` for pages without items and
/// without an end; otherwise the error of reading a page.
pub(in crate::tools) async fn list<T, F: Future<Output = Result<Page<T>, Error>>>(
    query: ListQuery,
    fetch_page: impl Fn(u32, Option<String>) -> F,
    id: impl Fn(&T) -> Option<&str>,
    matches: impl Fn(&T) -> bool,
) -> Result<(Vec<T>, ListPositions), ToolError> {
    let ListQuery { tool, filters, cursor, limit: PageLimit(limit), caller } = query;
    let is_filtered = filters.as_object().is_some_and(|filters| !filters.is_empty());
    let size = if is_filtered { MAX_PAGE_ITEMS } else { limit.min(MAX_PAGE_ITEMS) };
    let (token, after, skip) = (None, None, 0);
    let start = Cursor { tool: tool.to_owned(), filters, size, token, skip, after, caller };
    let mut position = match cursor {
        Some(CursorArgument(text)) => {
            Cursor::decode(&text, tool, &start.filters, start.caller.as_deref())?
        }
        None => start,
    };
    let until = Instant::now() + MAX_READING_TIME;
    let (mut items, mut after_items) = (Vec::new(), Vec::new());
    let mut seen_tokens = BTreeSet::new();
    let mut previous_ids = Vec::new();
    let mut is_empty = true;
    // A list that returns to an earlier page would never end.
    while seen_tokens.insert(position.token.clone()) {
        let fetching = fetch_page(position.size, position.token.clone());
        let page = match seen_tokens.len() {
            1 => fetching.await?,
            _ => match tokio::time::timeout_at(until, fetching).await {
                Ok(page) => page?,
                Err(_) => {
                    return Ok((
                        items,
                        ListPositions { after_items, next: Some(position), returns: false },
                    ));
                }
            },
        };
        // Items move while a list is read: continue after the last item read, wherever it is now.
        let after = position.after.as_deref().filter(|_| position.skip > 0);
        let index =
            after.and_then(|after| page.items.iter().position(|item| id(item) == Some(after)));
        let skip = match (index, after) {
            (Some(index), _) => index + 1,
            // It was deleted, and the rest moved up by one. Returning an item twice is better than losing one.
            (None, Some(_)) => position.skip.saturating_sub(1),
            (None, None) => position.skip,
        };
        let length = page.items.len();
        let ids: Vec<_> = page.items.iter().map(|item| id(item).map(str::to_owned)).collect();
        if !ids.is_empty() && ids == previous_ids {
            // The API returns page tokens but ignores them.
            return Ok((items, ListPositions { after_items, next: None, returns: false }));
        }
        is_empty &= ids.is_empty();
        previous_ids = ids;
        for (index, item) in page.items.into_iter().enumerate().skip(skip) {
            let after = id(&item).map(str::to_owned);
            if matches(&item) {
                items.push(item);
                after_items.push(Cursor { skip: index + 1, after, ..position.clone() });
            }
            if items.len() >= limit as usize {
                let in_page = (index + 1 < length).then(|| after_items.last().cloned()).flatten();
                let next = in_page.or_else(|| position.next_page(page.next_page_token));
                return Ok((items, ListPositions { after_items, next, returns: false }));
            }
        }
        let Some(next) = position.next_page(page.next_page_token) else {
            return Ok((items, ListPositions { after_items, next: None, returns: false }));
        };
        position = next;
        if seen_tokens.len() >= MAX_PAGES || Instant::now() >= until {
            if is_empty && seen_tokens.len() > 1 {
                return Err(endless_list());
            }
            return Ok((
                items,
                ListPositions { after_items, next: Some(position), returns: false },
            ));
        }
    }
    Ok((items, ListPositions { after_items, next: None, returns: true }))
}

fn endless_list() -> ToolError {
    ToolError::new(
        ErrorCode::UpstreamError,
        "The list has no end: page after page is empty and names a next one.",
        "Report it to Polytomic's support.",
    )
}
