//! What tools that return lists share: pages and cursors, the name filter, and the level of detail.

mod detail;
mod name_filter;
mod paging;

pub(super) use detail::{Detail, to_object};
pub(super) use name_filter::NameFilter;
#[cfg(any(fuzzing, test))]
pub(crate) use paging::Cursor;
pub(super) use paging::{
    CursorArgument, ENDLESS, ListPositions, ListQuery, MAX_PAGES, MAX_READING_TIME, PageLimit,
    list, read_all,
};
