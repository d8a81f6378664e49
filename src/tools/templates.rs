//! Objects of the API as resources.

use super::value_sources::{CONNECTIONS, MODELS, SYNCS};
use crate::registry::ResourceTemplate;

pub(super) static TEMPLATES: &[ResourceTemplate] = &[
    ResourceTemplate {
        uri: "polytomic://models/{model_id}",
        name: "model",
        title: "Model",
        description: "A model with its configuration and fields.",
        tool: "get_model",
        source: &MODELS,
    },
    ResourceTemplate {
        uri: "polytomic://connections/{connection_id}/source",
        name: "connection-source",
        title: "Source of a connection",
        description: "What models can read from a connection, such as its tables.",
        tool: "get_model_source",
        source: &CONNECTIONS,
    },
    ResourceTemplate {
        uri: "polytomic://syncs/{sync_id}",
        name: "sync",
        title: "Model sync",
        description: "A sync: what it writes where, and when.",
        tool: "get_model_sync",
        source: &SYNCS,
    },
];
