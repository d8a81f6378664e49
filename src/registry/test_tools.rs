//! What the tests of several files of the registry need: a registry that no service is behind, and a tool that panics.

#![cfg(test)]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Catalog, Context, Effect, Entry, Operation, Registry, ToolError, Toolset};
use crate::polytomic::{BaseUrl, ClientConfig, Credential};

/// A registry of some tools.
pub(super) fn registry(tools: &'static [Entry]) -> Registry {
    let url = BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
    let config = ClientConfig::new(url, Credential::bearer("key").unwrap());
    let toolsets = Box::leak(Box::new([Toolset { name: "tests", tools }]));
    Registry::new(Catalog { toolsets, instructions: "" }, Ok(config))
}

/// No arguments, and an empty result.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Nothing {}

/// Panics after its request was sent.
pub(super) struct Panics;

impl Operation for Panics {
    const NAME: &'static str = "panics";
    const TITLE: &'static str = "Panics";
    const DESCRIPTION: &'static str = "Panics after its request was sent.";
    const EFFECT: Effect = Effect::Destructive;
    type Args = Nothing;
    type Output = Nothing;
    async fn call(cx: &Context, _: Nothing) -> Result<Nothing, ToolError> {
        tokio::task::yield_now().await;
        if let Some(gate) = cx.call_options().before_write.clone() {
            (gate.0)(None).await.unwrap();
        }
        panic!("on purpose")
    }
}
