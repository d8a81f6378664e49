//! The data that models read: its tables and views, and read-only access to it with limits on time and memory, whatever the
//! statement.

mod database; // where the data is
mod values; // from SQLite values and declared types to those of the API

mod catalog; // tables and views
mod interrupt; // stopping a statement

mod functions; // in place of slow ones of SQLite

mod authorizer; // the read-only connection

mod reader; // running one statement
mod stream; // every row of one

mod readers; // threads and limits

#[cfg(feature = "postgres")]
mod postgres; // servers
mod source; // reading within a limit

mod all; // entry point: the source of a connection

pub(super) use all::{Sources, TARGET};
pub(super) use catalog::{Relation, suggest_name};
pub(super) use database::{DEFAULT_SCHEMA, Schema, file_uri};
pub(super) use reader::{Column, Selection, Table};
pub(super) use readers::ReadLimit;
pub(super) use source::{INSPECTED_ROWS, Source};
pub(super) use stream::{Stream, StreamColumn};
