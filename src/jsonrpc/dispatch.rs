//! Runs messages: requests concurrently, a batch with one response, notifications without one.

use futures_util::future::join_all;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::server::{ConnectionId, MethodCallback, MethodResponse, Methods};
use jsonrpsee::types::{ErrorObject, Extensions, Id, Params};
use serde_json::json;
use serde_json::value::RawValue;

use super::message::{Call, Entry, Message};
use super::service::Service;

const METHOD_NOT_FOUND: i32 = -32601;
const INTERNAL_ERROR: i32 = -32603;

/// The methods and the service behind them.
#[derive(Clone)]
pub(super) struct Dispatch {
    service: Service,
    methods: Methods,
}

impl Dispatch {
    /// # Errors
    /// If two tools have the same name.
    pub(super) fn new(service: Service) -> Result<Self, RegisterMethodError> {
        let methods = service.methods()?;
        Ok(Self { service, methods })
    }

    /// The methods, for jsonrpsee's server.
    pub(super) fn methods(&self) -> Methods {
        self.methods.clone()
    }

    /// Runs a message and returns its response as compact JSON; none if there is no response.
    pub(super) async fn run(&self, message: Message) -> Option<Box<str>> {
        match message {
            Message::One(entry) => self.run_entry(entry).await,
            Message::Batch(entries) => {
                let responses = entries.into_iter().map(|entry| self.run_entry(entry));
                let responses: Vec<Box<str>> =
                    join_all(responses).await.into_iter().flatten().collect();
                (!responses.is_empty()).then(|| format!("[{}]", responses.join(",")).into())
            }
        }
    }

    async fn run_entry(&self, entry: Entry) -> Option<Box<str>> {
        match entry {
            Entry::Request(Call { method, params }, id) => {
                let params = params.as_deref();
                let Some(tool) = self.service.registry.tool(&method) else {
                    return Some(self.call(id, &method, params).await.into_json().into());
                };
                // Not through the callback of the method, which would parse the result once more.
                match self.service.call(tool, params.map(RawValue::get)).await {
                    Ok(result) => Some(success(&id, &result)),
                    Err(error) => Some(MethodResponse::error(id, error).into_json().into()),
                }
            }
            Entry::Notification(Call { method, params }) => {
                self.call(Id::Null, &method, params.as_deref()).await;
                None
            }
            Entry::Invalid(id, error) => Some(MethodResponse::error(id, error).into_json().into()),
            Entry::Response => None,
        }
    }

    /// Calls a method; the registry turns a panic inside a tool into an error.
    pub(super) async fn call(
        &self,
        id: Id<'static>,
        method: &str,
        params: Option<&RawValue>,
    ) -> MethodResponse {
        let params = Params::new(params.map(RawValue::get)).into_owned();
        match self.methods.method(method) {
            Some(MethodCallback::Async(callback)) => {
                callback(id, params, ConnectionId::default(), usize::MAX, Extensions::new()).await
            }
            Some(MethodCallback::Sync(callback)) => {
                callback(id, params, usize::MAX, Extensions::new())
            }
            Some(_) => {
                let message = "This method cannot be called.";
                MethodResponse::error(id, ErrorObject::owned(INTERNAL_ERROR, message, None::<()>))
            }
            None => MethodResponse::error(id, self.unknown_method(method)),
        }
    }

    fn unknown_method(&self, method: &str) -> ErrorObject<'static> {
        let quoted: String = method.chars().take(80).collect();
        let nearest = self.service.registry.nearest(method);
        let message = match nearest {
            Some(known) => format!("Unknown method {quoted:?}; did you mean {known:?}?"),
            None => format!("Unknown method {quoted:?}; rpc.discover lists the methods."),
        };
        let data = nearest.map(|known| json!({"nearest": known}));
        ErrorObject::owned(METHOD_NOT_FOUND, message, data)
    }
}

fn success(id: &Id<'_>, result: &RawValue) -> Box<str> {
    let (id, result) = (json!(id).to_string(), result.get());
    let mut text = String::with_capacity(result.len() + id.len() + 40);
    for part in ["{\"jsonrpc\":\"2.0\",\"id\":", &id, ",\"result\":", result, "}"] {
        text.push_str(part);
    }
    text.into()
}
