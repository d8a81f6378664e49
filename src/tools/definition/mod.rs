//! What tools that show or change the definition of a model share: how much of its fields they show, what an update
//! changes, which empty values would erase something, which damage would be written back, which syncs read from it,
//! what a new source does to the fields, its secrets, what a decision of the user rests on, and the shape of its records.

mod changes;
mod damage;
mod dependents;
mod empty_values;
mod fields;
mod model_change; // a change that may have to be confirmed
mod new_source;
mod profile; // what a sample says of the fields
mod record_shape; // what `limit` 0 shows of records
mod round_trips; // properties of definitions and changes over any model
mod sampled; // what a result shows of a sample
mod secrets;
mod state;
mod summary;
mod update_arguments;

pub(super) use changes::{Change, Patch, apply, changes, current_definition, is_changed, patched};
pub(super) use damage::require_undamaged_definition;
pub(super) use dependents::{dependents, describe_syncs, readers_of, sync_state};
pub(super) use empty_values::check_empty_values;
pub(super) use fields::{WithDetail, field_at, fields_at, model_at};
pub(super) use model_change::{ModelChange, changed_meanwhile};
pub(super) use new_source::{CORRECT_SOURCE, FieldChanges, NewSource, quoted};
pub(super) use profile::{Profile, ProfiledColumn};
pub(super) use sampled::{MAX_RECORDS, NOTICE, Sampled};
pub(super) use secrets::{
    mask_definition, mask_result, refuse_masks, refuse_masks_in, without_secrets,
};
pub(super) use state::model_state;
pub(super) use summary::ModelSummary;
pub(super) use update_arguments::{UpdateArguments, UpdateOptions, check_combination, names_of};
