//! The API's bodies as Rust types: requests, which are also the arguments of tools, and responses.
//!
//! Requests reject unknown properties (`deny_unknown_fields`); responses keep them in `rest`, read a null list
//! as absent, and leave enumerated values as text where the API may add more. Numbers in a `Value` may be marked,
//! see [`marked_number`](crate::polytomic::marked_number).
//!
//! Source: API reference 2025-09-18, sections "Models", "Jobs", "Connections" and "Model syncs".
//! Doc comments on request types become part of a tool's schema and are read by agents.

/// Declares a type of response: every property may be missing, and properties outside the contract are kept in
/// `rest`, so that nothing is lost.
macro_rules! response_type {
    ($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $property:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[serde_with::skip_serializing_none]
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default)]
        #[allow(missing_docs, reason = "named as in the API reference")]
        pub struct $name {
            $($(#[$attr])* pub $property: Option<$type>,)*
            /// Properties outside the contract.
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
mod long_list;
mod model;
mod record;
mod source;
mod sync;

pub use connection::{Capabilities, Connection, ConnectionType};
pub use identity::Identity;
pub use ids::{ConnectionId, JobId, ModelId, SyncId};
pub use job::{Job, JobStatus, Sample};
pub use long_list::{ListItem, LongList, RawJson};
pub use model::{
    Actor, AdditionalField, Enricher, Field, Model, NewEnricher, NewModel, NewRelation,
    NewRelationTo, Preview, Relation, RelationTo,
};
pub use record::Record;
pub use source::Source;
pub use sync::ModelSync;

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// Newest change first, at most 50.
    pub items: Vec<T>,
    /// Opaque; absent on the last page, and if the API does not page at all (gap G10).
    pub next_page_token: Option<String>,
}
