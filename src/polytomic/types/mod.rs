//! The API's bodies as Rust types: requests, which are also the arguments of tools, and responses.
//!
//! Requests reject unknown properties (`deny_unknown_fields`); responses keep them in `rest`, read a null list
//! as absent, and leave enumerated values as text where the API may add more. Numbers in a `Value` may be marked,
//! see [`marked_number`](crate::polytomic::marked_number).
//!
//! Source: API reference 2025-09-18, sections "Models", "Jobs", "Connections" and "Model syncs".
//! Doc comments on request types become part of a tool's schema and are read by agents.

/// Declares a type of response: every property may be missing, and properties outside the contract are kept in
/// `rest`, so that nothing is lost. `kind as "type"` is a property whose name Rust reserves;
/// `then` a function for what depends on several properties.
///
/// Deserialize is not derived: with a flattened `rest`, serde buffers the whole object first, which takes most of
/// the time of a call. With tolerance, a property of another type than documented is left out.
macro_rules! response_type {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$attr:meta])* $property:ident $(as $json:literal)?: $type:ty,)*
    } $(then $finish:path)?) => {
        $(#[$doc])*
        #[serde_with::skip_serializing_none]
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, schemars::JsonSchema)]
        #[serde(default)]
        #[allow(missing_docs, reason = "named as in the API reference")]
        pub struct $name {
            $($(#[$attr])* $(#[serde(rename = $json)])? pub $property: Option<$type>,)*
            /// Properties outside the contract, if there are any; boxed, since lists have many objects without them.
            #[serde(flatten)]
            #[schemars(skip)]
            pub rest: Option<Box<serde_json::Map<String, serde_json::Value>>>,
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(field_identifier)]
                #[allow(non_camel_case_types, reason = "named as the properties")]
                enum Property {
                    $($(#[serde(rename = $json)])? $property,)*
                    Unknown(String),
                }

                struct Properties;

                impl<'de> serde::de::Visitor<'de> for Properties {
                    type Value = $name;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        formatter.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$name, A::Error> {
                        let (mut object, mut is_repeated) = ($name::default(), false);
                        while let Some(property) = map.next_key()? {
                            match property {
                                $(Property::$property => {
                                    is_repeated |= object.$property.is_some();
                                    object.$property = super::tolerance::next_value(&mut map)?;
                                })*
                                Property::Unknown(name) => {
                                    let rest = object.rest.get_or_insert_default();
                                    let previous = rest.insert(name, map.next_value()?);
                                    is_repeated |= previous.is_some();
                                }
                            }
                        }
                        if is_repeated {
                            crate::polytomic::repeated_names::note_repeated_name();
                        }
                        $(let object = $finish(object);)?
                        Ok(object)
                    }
                }

                deserializer.deserialize_map(Properties)
            }
        }
    };
}

mod connection;
mod execution;
mod identity;
mod ids;
mod job;
mod long_list;
mod model;
mod model_request;
mod record;
mod source;
mod sync;
mod sync_request;
mod target;
pub(super) mod tolerance;

pub use connection::{Capabilities, Connection, ConnectionType};
pub use execution::{Execution, StartOptions};
pub use identity::Identity;
pub use ids::{ConnectionId, ExecutionId, JobId, ModelId, SyncId};
pub(crate) use job::Delivery;
pub use job::{Job, JobError, JobStatus, Sample};
pub(super) use long_list::IN_ITEM;
pub use long_list::{ListItem, LongList, RawJson};
pub use model::{
    Actor, AdditionalField, Enricher, Field, Model, NewEnricher, NewModel, NewRelation,
    NewRelationTo, Preview, Relation, RelationTo,
};
pub use model_request::Definition;
pub use record::Record;
pub use source::Source;
pub use sync::ModelSync;
pub use sync_request::{ModelField, NewIdentity, NewMapping, NewModelSync, NewTarget};
pub use target::{Target, TargetField, TargetMode, TargetObject};

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// Newest change first, at most 50.
    pub items: Vec<T>,
    /// Opaque; absent on the last page, and if the API does not page at all (gap G10).
    pub next_page_token: Option<String>,
}
