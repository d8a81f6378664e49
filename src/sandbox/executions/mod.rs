//! Executions of model syncs: each reads every row of the model and writes them to a table of a SQLite database, in one
//! transaction of that. There is no schedule: a request starts each of them.
//!
//! What the modes do:
//! - `create` inserts the records whose identity the table does not have; without an identity, all.
//! - `update` changes the rows that have the identity of a record, `updateOrCreate` inserts the others as well. A row that has
//!   the values already is left alone.
//! - `append` inserts every record, `replace` deletes all rows before, and `snapshot` creates the table anew.
//! - `remove` deletes the rows that have the identity of a record.
//!
//! A record that the table rejects, or that has no identity, is counted as an error; the others are written. Any other failure
//! fails the execution and leaves the target as it was. So does what the sandbox cannot do, such as joining models, encryption
//! or filters on the records of the target. With `test`, everything is written and taken back, so that the counts are seen.
//! `resync` changes nothing: every execution reads everything.

pub(super) mod execution; // as it is stored and returned

mod filters; // which records are written
mod logic; // how filters are combined
mod plan; // from a sync and its model to values and columns
mod table; // the table of the target
mod writer; // what each mode does with a record

mod run; // in the background

pub(super) mod handlers;

pub(super) use table::clear as clear_target;
