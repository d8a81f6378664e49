//! The questions to the user that a connection has open, how they are put, and how the responses to them are read.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::model::{
    BooleanSchema, ElicitRequestParams, ElicitationSchema, PrimitiveSchemaDefinition,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::message::Response;
use crate::registry::{Decision, QuestionHistory};

/// The questions of one connection.
#[derive(Default)]
pub(super) struct Questions {
    open: Mutex<Open>,
    history: QuestionHistory,
}

#[derive(Default)]
struct Open {
    last_id: u64,
    waiting: HashMap<u64, oneshot::Sender<Decision>>,
    has_ended: bool,
}

impl Questions {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the client has treated the questions so far.
    pub(super) fn history(&self) -> &QuestionHistory {
        &self.history
    }

    /// Resolves the question that a response is about. False if there is none: it was withdrawn, or never asked.
    pub(super) fn resolve(&self, response: &Response<'_>) -> bool {
        let Some(waiting) = question_id(response.id).and_then(|id| self.open().waiting.remove(&id))
        else {
            return false;
        };
        waiting.send(read_response(response)).is_ok()
    }

    /// Ends all questions, now and later: nobody is left to respond.
    pub(super) fn end(&self) {
        let mut open = self.open();
        open.has_ended = true;
        for (_, waiting) in open.waiting.drain() {
            let _ = waiting.send(Decision::Cancelled);
        }
    }

    /// Forgets a question. False if it has been resolved.
    pub(super) fn withdraw(&self, id: u64) -> bool {
        self.open().waiting.remove(&id).is_some()
    }

    /// A new question, with its id; none if nobody is left to respond.
    pub(super) fn begin(&self) -> Option<(u64, oneshot::Receiver<Decision>)> {
        let mut open = self.open();
        if open.has_ended {
            return None;
        }
        open.last_id += 1;
        let (id, (sender, receiver)) = (open.last_id, oneshot::channel());
        open.waiting.insert(id, sender);
        Some((id, receiver))
    }
}

/// The form: one box to tick.
pub(super) fn question_params(question: &str) -> ElicitRequestParams {
    let confirm = BooleanSchema::new().title("Confirm").description("Yes, do this.");
    let confirm = PrimitiveSchemaDefinition::Boolean(confirm.with_default(false));
    let schema = ElicitationSchema::new([("confirm".to_owned(), confirm)].into());
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: question.to_owned(),
        requested_schema: schema.with_required(vec!["confirm".to_owned()]),
    }
}

/// The id of a question in a response. Some clients read ids as doubles, and write them so.
fn question_id(id: Option<&RawValue>) -> Option<u64> {
    let id: f64 = serde_json::from_str(id?.get()).ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    ((0.0..=9e15).contains(&id) && id.fract() == 0.0).then_some(id as u64)
}

fn read_response(response: &Response<'_>) -> Decision {
    match (response.result, response.error) {
        (Some(result), None) => read_decision(result),
        // The client has not asked.
        (None, Some(_)) => Decision::Cancelled,
        _ => Decision::Invalid,
    }
}

/// What the user has decided, from a result of either era. Nothing but `confirm: true` of an accepted form is a yes.
pub(super) fn read_decision(result: &RawValue) -> Decision {
    #[derive(Deserialize)]
    struct Result<'a> {
        action: String,
        #[serde(borrow)]
        content: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Content {
        confirm: bool,
    }
    // serde reads lists as structs as well.
    let is_object = |raw: &&RawValue| raw.get().starts_with('{');
    let result = Some(result).filter(is_object);
    let result = result.and_then(|raw| serde_json::from_str::<Result<'_>>(raw.get()).ok());
    let Some(result) = result else { return Decision::Invalid };
    let content = || serde_json::from_str(result.content.filter(is_object)?.get()).ok();
    match result.action.as_str() {
        "accept" => match content() {
            Some(Content { confirm: true }) => Decision::Accepted,
            Some(Content { confirm: false }) => Decision::Declined,
            None => Decision::Invalid,
        },
        "decline" => Decision::Declined,
        "cancel" => Decision::Cancelled,
        _ => Decision::Invalid,
    }
}
