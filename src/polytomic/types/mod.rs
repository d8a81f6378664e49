//! The API's bodies as Rust types: requests, which are also the tools' arguments, and answers.
//!
//! Requests are closed (`deny_unknown_fields`), answers open: what the contract does not know is kept
//! in `rest`, a null list reads as absent, and the API's words stay text where it may add more.
//!
//! Source: API reference 2025-09-18, sections "Models", "Jobs", "Connections" and "Model syncs".
//! Doc comments on request types are read by agents; what they say is part of the tool's schema.

mod connection;
mod ids;
mod job;
mod model;
mod source;

pub use connection::{Connection, ConnectionType};
pub use ids::{ConnectionId, JobId, ModelId};
pub use job::{Answer, Job, JobStatus, Sample};
pub use model::{
    Actor, AdditionalField, Enricher, Field, Model, ModelPage, NewEnricher, NewModel, NewRelation,
    NewRelationTo, Preview, Relation, RelationTo,
};
pub use source::Source;
