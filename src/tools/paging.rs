//! Lists that are read page by page: a cursor of our own, filters that read on, and an end in time.
//!
//! The cursor says from which page of the API's to go on and behind which of its items, so that it works
//! whether the API pages or answers everything at once (gap G10), and wherever our own list was cut.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::ToolError;
use crate::polytomic::{Error, Page};

/// How long a list reads on for matches.
const READING: Duration = Duration::from_secs(20);
/// The most items of a page, by the API's own cap.
const PAGE: u32 = 50;
/// The longest cursor.
const CURSOR_LENGTH: u32 = 32_768;

/// Items at most, default 50, e.g. `20`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(super) struct Limit(#[schemars(range(min = 1, max = PAGE))] u32);

impl Default for Limit {
    fn default() -> Self {
        Self(PAGE)
    }
}

/// `next_cursor` of the call before, e.g. `eyJ0b29s`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct NextCursor(#[schemars(length(min = 1, max = CURSOR_LENGTH))] String);

/// Where to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The tool and the filters it was made for.
    tool: String,
    filters: Value,
    /// The items a page was asked for: another number would move its end.
    size: u32,
    /// The API's own token of the page.
    token: Option<String>,
    /// How many of its items have been read, and the last one's id: items move while a list is read.
    skip: usize,
    after: Option<String>,
}

impl Cursor {
    fn read(text: &str, tool: &str, filters: &Value) -> Result<Self, ToolError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let cursor: Option<Self> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let wrong = |message: &str| {
            let told = ToolError::invalid_argument("cursor", message);
            Err(told.with_hint("Leave `cursor` out to begin anew."))
        };
        let unknown = || {
            let expected = format!("expected `next_cursor` of an earlier {tool}");
            wrong(&format!("cursor: {expected}, got another text."))
        };
        match cursor {
            Some(cursor) if !(1..=PAGE).contains(&cursor.size) => unknown(),
            Some(cursor) if cursor.tool == tool && cursor.filters == *filters => Ok(cursor),
            Some(cursor) if cursor.tool == tool => {
                wrong("cursor: expected the other arguments to be those of the call that gave it.")
            }
            _ => unknown(),
        }
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(json!(self).to_string())
    }
}

/// What is asked for.
pub(super) struct Asked {
    /// The tool's name.
    pub(super) tool: &'static str,
    /// What decides which items match; a cursor holds for the same only.
    pub(super) filters: Value,
    /// Where to go on.
    pub(super) cursor: Option<NextCursor>,
    /// The most items.
    pub(super) limit: Limit,
}

/// Where a list goes on.
pub(super) struct Places {
    /// Behind each item.
    behind: Vec<Cursor>,
    /// Behind all of them.
    next: Option<Cursor>,
}

impl Places {
    /// Where the list goes on if only its first `shown` items are shown.
    pub(super) fn next_cursor(&self, shown: usize) -> Option<String> {
        let next = match shown.checked_sub(1) {
            Some(last) if shown < self.behind.len() => self.behind.get(last),
            _ => self.next.as_ref(),
        };
        next.map(Cursor::text)
    }
}

/// Reads pages until there are enough matches, the list ends, or 20 s are over.
///
/// # Errors
/// `invalid_argument` for a cursor that is not from here; what reading a page answers otherwise.
pub(super) async fn list<T, F: Future<Output = Result<Page<T>, Error>>>(
    asked: Asked,
    page: impl Fn(u32, Option<String>) -> F,
    id: impl Fn(&T) -> Option<&str>,
    matches: impl Fn(&T) -> bool,
) -> Result<(Vec<T>, Places), ToolError> {
    let Asked { tool, filters, cursor, limit: Limit(limit) } = asked;
    let is_filtered = filters.as_object().is_some_and(|filters| !filters.is_empty());
    let size = if is_filtered { PAGE } else { limit.min(PAGE) };
    let start = Cursor { tool: tool.to_owned(), filters, size, token: None, skip: 0, after: None };
    let mut place = match cursor {
        Some(NextCursor(text)) => Cursor::read(&text, tool, &start.filters)?,
        None => start,
    };
    let until = Instant::now() + READING;
    let (mut items, mut behind) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    let mut last_ids = Vec::new();
    // A list that comes back to a page would never end.
    while seen.insert(place.token.clone()) {
        let reading = page(place.size, place.token.clone());
        let read = match seen.len() {
            1 => reading.await?,
            _ => match tokio::time::timeout_at(until, reading).await {
                Ok(read) => read?,
                Err(_) => return Ok((items, Places { behind, next: Some(place) })),
            },
        };
        // Items move while a list is read: the last one read is looked for before it is counted.
        let after = place.after.as_deref().filter(|_| place.skip > 0);
        let found =
            after.and_then(|after| read.items.iter().position(|item| id(item) == Some(after)));
        // Where it is gone, the rest has moved up by one; telling one twice is better than losing one.
        let skip = match (found, after) {
            (Some(found), _) => found + 1,
            (None, Some(_)) => place.skip.saturating_sub(1),
            (None, None) => place.skip,
        };
        let length = read.items.len();
        let ids: Vec<_> = read.items.iter().map(|item| id(item).map(str::to_owned)).collect();
        if !ids.is_empty() && ids == last_ids {
            // The API gives tokens and does not heed them.
            break;
        }
        last_ids = ids;
        for (index, item) in read.items.into_iter().enumerate().skip(skip) {
            let after = id(&item).map(str::to_owned);
            if matches(&item) {
                items.push(item);
                behind.push(Cursor { skip: index + 1, after, ..place.clone() });
            }
            if items.len() >= limit as usize {
                let rest = (index + 1 < length).then(|| behind.last().cloned()).flatten();
                let next = rest.or_else(|| following(place, read.next_page_token));
                return Ok((items, Places { behind, next }));
            }
        }
        let Some(next) = following(place, read.next_page_token) else {
            return Ok((items, Places { behind, next: None }));
        };
        place = next;
        if Instant::now() >= until {
            return Ok((items, Places { behind, next: Some(place) }));
        }
    }
    Ok((items, Places { behind, next: None }))
}

fn following(place: Cursor, token: Option<String>) -> Option<Cursor> {
    let token = token.filter(|token| place.token.as_ref() != Some(token))?;
    Some(Cursor { token: Some(token), skip: 0, after: None, ..place })
}
