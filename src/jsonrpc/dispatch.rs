//! Running what was read: requests at once, batches answered as one, notifications unanswered.

use std::sync::Arc;

use futures_util::future::join_all;
use jsonrpsee::server::{ConnectionId, MethodCallback, MethodResponse, Methods};
use jsonrpsee::types::{ErrorObject, Extensions, Id, Params};
use serde_json::json;
use serde_json::value::RawValue;

use super::message::{Call, Entry, Message};
use crate::tools::Registry;

const METHOD_NOT_FOUND: i32 = -32601;
const INTERNAL_ERROR: i32 = -32603;

/// The methods, and the registry for the nearest name of one that there is not.
#[derive(Clone)]
pub(super) struct Dispatch {
    methods: Methods,
    registry: Arc<Registry>,
}

impl Dispatch {
    pub(super) fn new(methods: Methods, registry: Arc<Registry>) -> Self {
        Self { methods, registry }
    }

    /// Runs a message and gives its answer as compact JSON; none for what is not answered.
    pub(super) async fn run(&self, message: Message) -> Option<Box<str>> {
        match message {
            Message::One(entry) => self.entry(entry).await.map(text),
            Message::Batch(entries) => {
                let answers = join_all(entries.into_iter().map(|entry| self.entry(entry))).await;
                let answers: Vec<Box<str>> = answers.into_iter().flatten().map(text).collect();
                (!answers.is_empty()).then(|| format!("[{}]", answers.join(",")).into())
            }
        }
    }

    async fn entry(&self, entry: Entry) -> Option<MethodResponse> {
        match entry {
            Entry::Call(Call { method, params }, id) => {
                Some(self.call(id, &method, params.as_deref()).await)
            }
            Entry::Notification(Call { method, params }) => {
                self.call(Id::Null, &method, params.as_deref()).await;
                None
            }
            Entry::Refused(id, error) => Some(MethodResponse::error(id, error)),
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
        let nearest = self.registry.nearest(method);
        let message = match nearest {
            Some(known) => format!("There is no method {shown:?}; did you mean {known:?}?"),
            None => format!("There is no method {shown:?}; rpc.discover lists those there are."),
        };
        let data = nearest.map(|known| json!({"nearest": known}));
        ErrorObject::owned(METHOD_NOT_FOUND, message, data)
    }
}

fn text(answer: MethodResponse) -> Box<str> {
    answer.into_json().into()
}
