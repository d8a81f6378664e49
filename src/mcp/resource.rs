//! The one resource: what a model's configuration holds, by connection type.
//!
//! Source: contract section 5; the text is docs/model-configurations.md.

use rmcp::model::{Resource, ResourceContents};

const URI: &str = "polytomic://guides/model-configurations";
const KIND: &str = "text/markdown";
const TEXT: &str = include_str!("../../docs/model-configurations.md");

/// As it is listed.
pub(super) fn listed() -> Resource {
    Resource::new(URI, "model-configurations")
        .with_title("Model configurations by connection type")
        .with_description("What the configuration of a model holds, for each type of connection.")
        .with_mime_type(KIND)
}

/// What it holds, where it is meant; the other way, the address that there is.
pub(super) fn read(uri: &str) -> Result<ResourceContents, &'static str> {
    if uri == URI { Ok(ResourceContents::text(TEXT, URI).with_mime_type(KIND)) } else { Err(URI) }
}
