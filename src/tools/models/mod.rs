//! Toolset "models": list, create, update, delete and sample models, and the sources they can read.

mod create_model;
mod delete_model;
mod get_enrichment_fields;
mod get_enrichment_source;
mod get_model;
mod get_model_source;
mod get_model_source_fields;
mod list_models;
mod preview_model;
pub(super) mod sample_records;
mod update_model;

use crate::registry::Entry;

/// The tools, in the order in which they are listed.
pub(super) static MODELS: &[Entry] = &[
    Entry::of::<list_models::ListModels>(),
    Entry::of::<get_model::GetModel>(),
    Entry::of::<get_model_source::GetModelSource>(),
    Entry::of::<get_model_source_fields::GetModelSourceFields>(),
    Entry::of::<preview_model::PreviewModel>(),
    Entry::of::<create_model::CreateModel>(),
    Entry::of::<update_model::UpdateModel>(),
    Entry::of::<sample_records::SampleRecords>(),
    Entry::of::<delete_model::DeleteModel>(),
    Entry::of::<get_enrichment_source::GetEnrichmentSource>(),
    Entry::of::<get_enrichment_fields::GetEnrichmentFields>(),
];
