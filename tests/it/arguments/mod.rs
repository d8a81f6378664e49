//! Validation and coercion of arguments, for every property of every tool.
//!
//! The advertised schemas lead the tests; if one refers to `create_model`, the schema of that tool.

mod fixtures;

mod coerced;
mod invalid;

pub use fixtures::{Tool, sent, tools};
