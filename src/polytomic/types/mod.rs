//! The API's bodies as Rust types: requests, which are also the tools' arguments, and answers.
//!
//! Requests are closed (`deny_unknown_fields`), answers open: what the contract does not know is kept
//! in `rest`, a null list reads as absent, and the API's words stay text where it may add more.
//!
//! Source: API reference 2025-09-18, sections "Models", "Jobs", "Connections" and "Model syncs".
//! Doc comments on request types are read by agents; what they say is part of the tool's schema.

mod connection;
mod identity;
mod ids;
mod job;
mod model;
mod source;
mod sync;

pub use connection::{Capabilities, Connection, ConnectionKind, ConnectionType};
pub use identity::Identity;
pub use ids::{ConnectionId, JobId, ModelId, SyncId};
pub use job::{Answer, Job, JobStatus, Sample};
pub use model::{
    Actor, AdditionalField, Enricher, Field, Model, NewEnricher, NewModel, NewRelation,
    NewRelationTo, Preview, Relation, RelationTo,
};
pub use source::Source;
pub use sync::ModelSync;

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// Newest change first, at most 50.
    pub items: Vec<T>,
    /// Opaque; absent on the last page, and where the API does not page at all (gap G10).
    pub next_page_token: Option<String>,
}
