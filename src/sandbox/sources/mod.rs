//! The business data that models are made over: what there is, and reading it without changing
//! it, in bounded time and memory, whatever the statement.

mod authorizer; // the connection that can only read
mod catalog;
mod interrupt; // stopping a statement
mod reader; // one statement on it
mod source; // the front: read something within a limit
mod values; // from SQLite's values and declarations to the API's

pub(super) use catalog::{Catalog, nearest};
pub(super) use reader::{Column, Selection};
pub(super) use source::{INSPECTED_ROWS, ReadLimit, Source};
