//! Running what was read: requests at once, batches answered as one, notifications unanswered.

use futures_util::future::join_all;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::server::{ConnectionId, MethodCallback, MethodResponse, Methods};
use jsonrpsee::types::{ErrorObject, Extensions, Id, Params};
use serde_json::json;
use serde_json::value::RawValue;

use super::Service;
use super::message::{Call, Entry, Message};

const METHOD_NOT_FOUND: i32 = -32601;
const INTERNAL_ERROR: i32 = -32603;

/// The methods, and the service behind them.
#[derive(Clone)]
pub(super) struct Dispatch {
    service: Service,
    methods: Methods,
}

impl Dispatch {
    /// # Errors
    /// Two tools of one name.
    pub(super) fn new(service: Service) -> Result<Self, RegisterMethodError> {
        let methods = service.methods()?;
        Ok(Self { service, methods })
    }

    /// The methods, for jsonrpsee's server.
    pub(super) fn methods(&self) -> Methods {
        self.methods.clone()
    }

    /// Runs a message and gives its answer as compact JSON; none for what is not answered.
    pub(super) async fn run(&self, message: Message) -> Option<Box<str>> {
        match message {
            Message::One(entry) => self.entry(entry).await,
            Message::Batch(entries) => {
                let answers = join_all(entries.into_iter().map(|entry| self.entry(entry))).await;
                let answers: Vec<Box<str>> = answers.into_iter().flatten().collect();
                (!answers.is_empty()).then(|| format!("[{}]", answers.join(",")).into())
            }
        }
    }

    async fn entry(&self, entry: Entry) -> Option<Box<str>> {
        match entry {
            Entry::Call(Call { method, params }, id) => {
                let params = params.as_deref();
                let Some(tool) = self.service.registry.tool(&method) else {
                    return Some(self.call(id, &method, params).await.into_json().into());
                };
                // Not through the method's callback: that reads the result once more to write it.
                match self.service.call(tool, params.map(RawValue::get)).await {
                    Ok(result) => Some(answer(&id, &result)),
                    Err(error) => Some(MethodResponse::error(id, error).into_json().into()),
                }
            }
            Entry::Notification(Call { method, params }) => {
                self.call(Id::Null, &method, params.as_deref()).await;
                None
            }
            Entry::Refused(id, error) => Some(MethodResponse::error(id, error).into_json().into()),
            Entry::Answer => None,
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
                let told = "This method cannot be called.";
                MethodResponse::error(id, ErrorObject::owned(INTERNAL_ERROR, told, None::<()>))
            }
            None => MethodResponse::error(id, self.unknown(method)),
        }
    }

    fn unknown(&self, method: &str) -> ErrorObject<'static> {
        let shown: String = method.chars().take(80).collect();
        let nearest = self.service.registry.nearest(method);
        let message = match nearest {
            Some(known) => format!("There is no method {shown:?}; did you mean {known:?}?"),
            None => format!("There is no method {shown:?}; rpc.discover lists those there are."),
        };
        let data = nearest.map(|known| json!({"nearest": known}));
        ErrorObject::owned(METHOD_NOT_FOUND, message, data)
    }
}

fn answer(id: &Id<'_>, result: &RawValue) -> Box<str> {
    let (id, result) = (json!(id).to_string(), result.get());
    let mut text = String::with_capacity(result.len() + id.len() + 40);
    for part in ["{\"jsonrpc\":\"2.0\",\"id\":", &id, ",\"result\":", result, "}"] {
        text.push_str(part);
    }
    text.into()
}
