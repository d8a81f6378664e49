//! Completes ids, names of tables and columns while a person types.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::capacity::WhenBusy;
use super::dispatch::CallSignals;
use super::known_values::{Completion, KnownList, ListKey, ValueSource};
use super::sent_arguments::SentArguments;
use super::tool_registry::Registry;

/// How long a person waits.
const TIME_LIMIT: Duration = Duration::from_millis(900);
/// The longest value that is completed, and the longest of the other arguments: no id or name is longer.
const MAX_TYPED_BYTES: usize = 1_024;
/// Size limit of a result that values are taken from.
const MAX_BYTES: usize = 1_000_000;

impl Registry {
    /// The values that begin with what was typed, or whose names contain it; none if they are not there within a second.
    /// `filled`: the other arguments.
    pub(crate) async fn complete(
        self: &Arc<Self>,
        source: &'static ValueSource,
        typed: &str,
        filled: &Map<String, Value>,
        signals: CallSignals,
    ) -> Completion {
        let is_short = |text: &str| text.len() <= MAX_TYPED_BYTES;
        if !is_short(typed) || !filled.values().filter_map(Value::as_str).all(is_short) {
            return Completion::default();
        }
        // Of several values, the last one is being typed.
        let comma = typed.rfind(',').filter(|_| source.is_list);
        let (before, typed) = comma.map_or(("", typed), |comma| typed.split_at(comma + 1));
        let typed = typed.trim().to_lowercase();
        let completing = async {
            let mut found = None;
            for arguments in (source.arguments)(filled) {
                let list = self.known_list(source, arguments.clone(), &signals).await;
                found = list.map(|list| (arguments, list));
                if found.is_some() {
                    break;
                }
            }
            let (arguments, list) = found?;
            let mut completion = list.matching(&typed);
            let tool = self.tool(source.tool).ok()?;
            let may_find_more = !list.is_complete && tool.arguments().has_name_filter;
            if completion.values.is_empty() && may_find_more && !typed.is_empty() {
                let mut named = arguments;
                named.insert("name_contains".to_owned(), json!(typed));
                let list = self.known_list(source, named, &signals).await?;
                completion = list.matching(&typed);
            }
            Some(completion)
        };
        let completion = tokio::time::timeout(TIME_LIMIT, completing).await;
        let mut completion = completion.ok().flatten().unwrap_or_default();
        completion.values.iter_mut().for_each(|value| value.insert_str(0, before));
        completion
    }

    /// The list of a source; none if its tool is not served, or fails.
    async fn known_list(
        self: &Arc<Self>,
        source: &'static ValueSource,
        mut arguments: Map<String, Value>,
        signals: &CallSignals,
    ) -> Option<Arc<KnownList>> {
        arguments.insert("max_bytes".to_owned(), json!(MAX_BYTES));
        let arguments = serde_json::value::to_raw_value(&arguments).ok()?;
        let caller = signals.account.as_ref().and_then(|account| account.caller_id());
        let key = ListKey { caller, tool: source.tool, arguments: arguments.get().to_owned() };
        // Not cancelled with the request that needs it first.
        let signals = CallSignals {
            shutdown: signals.shutdown.clone(),
            account: signals.account.clone(),
            ..CallSignals::default()
        };
        let registry = Arc::clone(self);
        let read = async move { registry.read_list(source, &arguments, signals).await };
        self.known_lists.get(key, read).await
    }

    async fn read_list(
        &self,
        source: &ValueSource,
        arguments: &RawValue,
        signals: CallSignals,
    ) -> Option<KnownList> {
        let tool = self.tool(source.tool).ok()?;
        let sent = SentArguments::new("arguments", Some(arguments));
        let result = self.call_as_sent(tool, &sent, WhenBusy::Refuse, signals).await.ok()?;
        let result: Value = serde_json::from_str(result.get()).ok()?;
        let is_complete =
            ["next_cursor", "truncated"].iter().all(|name| result.get(name).is_none());
        Some(KnownList { values: (source.values)(&result), is_complete })
    }
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::{header, method};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::polytomic::{BaseUrl, ClientConfig};
    use crate::registry::KnownValue;
    use crate::registry::test_tools::signals_of;
    use crate::tools::TOOLS;

    #[tokio::test]
    async fn nobody_completes_with_the_list_of_another_key() {
        static SOURCE: ValueSource = ValueSource {
            tool: "list_connections",
            arguments: |_| vec![Map::new()],
            values: |result| {
                let name = result["connections"][0]["name"].as_str();
                vec![KnownValue { value: name.unwrap_or_default().to_owned(), name: None }]
            },
            is_list: false,
        };
        let api = MockServer::start().await;
        for name in ["first-key", "other-key"] {
            let list = json!({"data": [{"id": "a", "name": name}]});
            let response = ResponseTemplate::new(200).set_body_json(list);
            Mock::given(method("GET"))
                .and(header("authorization", format!("Bearer {name}")))
                .respond_with(response)
                .expect(1)
                .mount(&api)
                .await;
        }
        let url = BaseUrl::parse(&api.uri(), false).unwrap();
        let configure = move || Ok(ClientConfig::new(url.clone(), ()));
        let registry = Arc::new(Registry::with_keys_from_requests(TOOLS, configure));
        for key in ["first-key", "other-key", "first-key"] {
            let signals = signals_of(&registry, key).await;
            let completion = registry.complete(&SOURCE, "", &Map::new(), signals).await;
            assert_eq!(completion.values, [key]);
        }
    }
}
