//! The one resource: a guide to model configurations by connection type.
//!
//! Source: contract section 5; the text is docs/model-configurations.md.

use rmcp::model::{Resource, ResourceContents};

use crate::registry::Registry;

const URI: &str = "polytomic://guides/model-configurations";
const MEDIA_TYPE: &str = "text/markdown";
const TEXT: &str = include_str!("../../docs/model-configurations.md");

/// The resource as it is listed.
pub(super) fn describe() -> Resource {
    Resource::new(URI, "model-configurations")
        .with_title("Model configurations by connection type")
        .with_description(
            "What the configuration of a model can contain, for each connection type.",
        )
        .with_mime_type(MEDIA_TYPE)
}

/// The contents of a resource, about the tools that `registry` serves.
///
/// # Errors
/// The URI of the only resource, for any other URI.
pub(super) fn read(registry: &Registry, uri: &str) -> Result<ResourceContents, &'static str> {
    if uri == URI {
        Ok(ResourceContents::text(registry.fit_document(TEXT), URI).with_mime_type(MEDIA_TYPE))
    } else {
        Err(URI)
    }
}
