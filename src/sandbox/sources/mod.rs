//! The business data that models read: its tables and views, and read-only access to it with limits on time
//! and memory, whatever the statement.

mod catalog; // tables and views
mod values; // from SQLite values and declared types to those of the API

mod interrupt; // stopping a statement

mod authorizer; // the read-only connection

mod reader; // running one statement

mod source; // entry point: reading within a limit

pub(super) use catalog::{Catalog, suggest_name};
pub(super) use reader::{Column, Selection};
pub(super) use source::{INSPECTED_ROWS, ReadLimit, Source};
