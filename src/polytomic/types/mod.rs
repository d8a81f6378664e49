//! The API's bodies as Rust types: requests, which are also the tools' arguments, and answers.
//!
//! Requests are closed (`deny_unknown_fields`), answers open: what the contract does not know is kept
//! in `rest`, a null list reads as absent, and the API's words stay text where it may add more.
//!
//! Source: API reference 2025-09-18, sections "Models", "Jobs", "Connections" and "Model syncs".
//! Doc comments on request types are read by agents; what they say is part of the tool's schema.

/// Declares an answer of the API's: every property may be missing, and what the contract does not know is kept
/// in `rest`, so that nothing is lost on the way.
macro_rules! answer {
    ($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $property:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[serde_with::skip_serializing_none]
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default)]
        #[allow(missing_docs, reason = "the reference's own words")]
        pub struct $name {
            $($(#[$attr])* pub $property: Option<$type>,)*
            /// Properties the contract does not know.
            #[serde(flatten)]
            #[schemars(skip)]
            pub rest: serde_json::Map<String, serde_json::Value>,
        }
    };
}

mod connection;
mod identity;
mod ids;
mod job;
mod model;
mod source;
mod sync;

pub use connection::{Capabilities, Connection, ConnectionType};
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
