//! What tools that show or change the definition of a model share: how much of its fields they show, what an update
//! changes, which empty values would erase something, and what a new source does to the fields.

mod changes;
mod empty_values;
mod fields;
mod new_source;

pub(super) use changes::{Change, Patch, apply, changes, current_definition};
pub(super) use empty_values::check_empty_values;
pub(super) use fields::{WithDetail, field_at, fields_at, model_at};
pub(super) use new_source::{FieldChanges, NewSource};
