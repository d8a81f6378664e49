//! Questions to the user, in the protocol versions with an initialize: requests from the server to its client.
//!
//! The transport hands over the responses. rmcp's peer is not used, since its requests are not withdrawn when they are
//! dropped, may go out after the call they belong to has ended, and fail on anything but the expected result.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{
    BooleanSchema, ElicitRequestParams, ElicitationSchema, PrimitiveSchemaDefinition,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::message::Response;
use super::transport::Notifier;
use crate::registry::{Answer, AnswerRecord, Asker, Asking};

/// The questions of one connection.
#[derive(Default)]
pub(super) struct Questions {
    open: Mutex<Open>,
    record: AnswerRecord,
}

#[derive(Default)]
struct Open {
    last_id: u64,
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
    has_ended: bool,
}

impl Questions {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the client has treated the questions so far.
    pub(super) fn record(&self) -> &AnswerRecord {
        &self.record
    }

    /// Hands a response to the question it answers. False if there is none: it was withdrawn, or never asked.
    pub(super) fn settle(&self, response: &Response<'_>) -> bool {
        let Some(waiting) = question_id(response.id).and_then(|id| self.open().waiting.remove(&id))
        else {
            return false;
        };
        waiting.send(read_response(response)).is_ok()
    }

    /// Ends all questions, now and later: nobody is left to answer them.
    pub(super) fn end(&self) {
        let mut open = self.open();
        open.has_ended = true;
        for (_, waiting) in open.waiting.drain() {
            let _ = waiting.send(Answer::Cancelled);
        }
    }

    /// A new question, with what its answer is sent to; none if nobody is left to answer it.
    fn begin(&self) -> Option<(u64, oneshot::Receiver<Answer>)> {
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

/// Asks the user during one call.
pub(super) struct ElicitationAsker {
    pub(super) questions: Arc<Questions>,
    /// Sends messages about the call.
    pub(super) notifier: Notifier,
}

impl Asker for ElicitationAsker {
    fn ask<'a>(&'a self, question: &'a str) -> Asking<'a> {
        Box::pin(async move {
            let Some((id, answer)) = self.questions.begin() else { return Answer::Cancelled };
            let _withdrawal = Withdrawal { asker: self, id };
            let params = question_params(question);
            self.notifier.send(&Request {
                jsonrpc: "2.0",
                id,
                method: "elicitation/create",
                params,
            });
            answer.await.unwrap_or(Answer::Cancelled)
        })
    }

    fn record(&self) -> &AnswerRecord {
        self.questions.record()
    }
}

/// Withdraws a question that has no answer when it is dropped.
struct Withdrawal<'a> {
    asker: &'a ElicitationAsker,
    id: u64,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        let ElicitationAsker { questions, notifier } = self.asker;
        let was_open = questions.open().waiting.remove(&self.id).is_some();
        if was_open {
            let params = json!({"requestId": self.id, "reason": "The call has ended."});
            let method = "notifications/cancelled";
            notifier.send_anyway(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
        }
    }
}

#[derive(Serialize)]
struct Request<'a> {
    jsonrpc: &'a str,
    id: u64,
    method: &'a str,
    params: ElicitRequestParams,
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
    (id >= 0.0 && id <= 9e15 && id.fract() == 0.0).then_some(id as u64)
}

fn read_response(response: &Response<'_>) -> Answer {
    match (response.result, response.error) {
        (Some(result), None) => read_answer(result),
        // The client has not asked.
        (None, Some(_)) => Answer::Cancelled,
        _ => Answer::Invalid,
    }
}

/// The answer in a result, in both eras. Nothing but `confirm: true` of an accepted form is a yes.
pub(super) fn read_answer(result: &RawValue) -> Answer {
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
    let Some(result) = result else { return Answer::Invalid };
    let content = || serde_json::from_str(result.content.filter(is_object)?.get()).ok();
    match result.action.as_str() {
        "accept" => match content() {
            Some(Content { confirm: true }) => Answer::Accepted,
            Some(Content { confirm: false }) => Answer::Declined,
            None => Answer::Invalid,
        },
        "decline" => Answer::Declined,
        "cancel" => Answer::Cancelled,
        _ => Answer::Invalid,
    }
}
