//! Toolset "models": saving, looking at and removing models, and what a model may be made of.

mod create_model;
mod delete_model;
mod get_model;
mod get_model_source;
mod list_models;
mod preview_model;
mod sample_records;

use super::Entry;

/// The tools, in the order in which they are listed.
pub(super) static MODELS: &[Entry] = &[
    Entry::of::<list_models::ListModels>(),
    Entry::of::<get_model::GetModel>(),
    Entry::of::<get_model_source::GetModelSource>(),
    Entry::of::<preview_model::PreviewModel>(),
    Entry::of::<create_model::CreateModel>(),
    Entry::of::<sample_records::SampleRecords>(),
    Entry::of::<delete_model::DeleteModel>(),
];
