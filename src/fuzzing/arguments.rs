//! Arguments of calls.

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::Value;

use super::{SECRET, choice, object};
use crate::polytomic::{BaseUrl, ClientConfig, Credential};
use crate::registry::{CallSignals, ErrorCode, Registry, Selection};
use crate::tools::TOOLS;

type Validate = Box<dyn Fn(&Value) -> bool>;

/// A registry whose process is shutting down: calls end before their first request.
struct Tools {
    runtime: tokio::runtime::Runtime,
    registry: Registry,
    validators: HashMap<&'static str, Validate>,
}

thread_local! {
    static TOOLS_ONCE: RefCell<Option<Tools>> = const { RefCell::new(None) };
}

/// Arguments, as the name of a tool, a line break and JSON. What a tool accepts is valid by its schema, and
/// coercing it again changes nothing. `validator` makes an independent validator of a schema.
pub fn arguments<V: Fn(&Value) -> bool + 'static>(data: &[u8], validator: impl Fn(&Value) -> V) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (name, text) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Some(arguments) = object(text) else { return };
    TOOLS_ONCE.with_borrow_mut(|tools| {
        let tools = tools.get_or_insert_with(|| connected_tools(&validator));
        let list = tools.registry.tools();
        let index = choice(name, "tool", list.len());
        let named = list.iter().find(|tool| tool.entry.name.as_bytes() == name);
        let Some(tool) = named.or_else(|| list.get(index)) else { return };

        let mut coerced = arguments.clone();
        let accepted = crate::registry::coerce_and_validate(&mut coerced, tool.checked_schema());
        if accepted.is_ok() {
            let value = Value::Object(coerced.clone());
            let is_valid =
                tools.validators.get(tool.entry.name).is_some_and(|is_valid| is_valid(&value));
            assert!(is_valid, "{} accepts {value}", tool.entry.name);
            let again = crate::registry::coerce_and_validate(&mut coerced, tool.checked_schema());
            assert!(again.is_ok() && Value::Object(coerced) == value, "{value}");
        }
        let signals = CallSignals::default();
        signals.shutdown.cancel();
        let called = tools.runtime.block_on(tools.registry.call(tool, arguments, signals));
        let Err(error) = called else { return };
        // A key from an earlier call leaves the outcome unknown.
        let was_keyed =
            error.code == ErrorCode::Timeout && error.details.contains_key("idempotency_key");
        let is_expected = matches!(
            error.code,
            ErrorCode::InvalidArgument
                | ErrorCode::Cancelled
                // Of operations that are called by their names.
                | ErrorCode::AccessDenied
                | ErrorCode::ConfirmationRequired
        );
        assert!(was_keyed || is_expected, "{error:?}");
        assert!(accepted.is_ok() || error.code == ErrorCode::InvalidArgument, "{error:?}");
        assert!(error.message.chars().count() < 2_000, "{error:?}");
    });
}

fn connected_tools<V: Fn(&Value) -> bool + 'static>(validator: &impl Fn(&Value) -> V) -> Tools {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let url = BaseUrl::parse("http://127.0.0.1:9", false);
    let config = url.and_then(|url| Ok(ClientConfig::new(url, Credential::bearer(SECRET)?)));
    let registry = Registry::new(TOOLS, config).with_selection(Selection::default().on_request());
    let validators = registry.tools().iter().map(|tool| {
        let is_valid: Validate = Box::new(validator(&Value::Object(tool.checked_schema().clone())));
        (tool.entry.name, is_valid)
    });
    let validators = validators.collect();
    #[expect(
        clippy::expect_used,
        reason = "tokio's runtime of one thread takes nothing from the system without an I/O driver, so this cannot fail"
    )]
    let runtime = runtime.expect("a runtime without I/O");
    Tools { runtime, registry, validators }
}
