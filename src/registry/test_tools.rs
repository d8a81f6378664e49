//! What the tests of several files of the registry need: a registry that no service is behind, and a tool that panics.

#![cfg(test)]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CallSignals, Catalog, Context, Effect, Entry, Operation, Registry, ToolError, Toolset,
};
use crate::polytomic::{BaseUrl, ClientConfig, Credential};

/// A registry of some tools.
pub(super) fn registry(tools: &'static [Entry]) -> Registry {
    let url = BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
    let config = ClientConfig::new(url, Credential::bearer("key").unwrap());
    let toolsets = Box::leak(Box::new([Toolset { name: "tests", tools, on_request: &[] }]));
    Registry::new(Catalog { toolsets, instructions: "", prompts: &[], templates: &[] }, Ok(config))
}

/// A registry of some tools for callers with keys of their own.
pub(super) fn shared_registry(tools: &'static [Entry], url: &str) -> Registry {
    let url = BaseUrl::parse(url, false).unwrap();
    let toolsets = Box::leak(Box::new([Toolset { name: "tests", tools, on_request: &[] }]));
    let catalog = Catalog { toolsets, instructions: "", prompts: &[], templates: &[] };
    Registry::with_keys_from_requests(catalog, move || Ok(ClientConfig::new(url.clone(), ())))
}

/// The signals of a call with this key.
pub(super) async fn signals_of(registry: &Registry, key: &str) -> CallSignals {
    let account = registry.account(Credential::bearer(key).unwrap()).await.unwrap();
    CallSignals { account: Some(account), ..CallSignals::default() }
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

/// Ends when its call is cancelled.
pub(super) struct Hangs;

impl Operation for Hangs {
    const NAME: &'static str = "hangs";
    const TITLE: &'static str = "Hangs";
    const DESCRIPTION: &'static str = "Hangs.";
    const EFFECT: Effect = Effect::Destructive;
    const JOB: bool = true;
    type Args = Nothing;
    type Output = Nothing;
    async fn call(_: &Context, _: Nothing) -> Result<Nothing, ToolError> {
        std::future::pending().await
    }
}
