//! Asks the user in the protocol versions with an initialize: by a request from the server to its client.
//!
//! `stdio` hands over the responses. rmcp's peer is not used, since its requests are not withdrawn when they are
//! dropped, may go out after the call they belong to has ended, and fail on anything but the expected result.

use std::sync::Arc;

use rmcp::model::ElicitRequestParams;
use serde::Serialize;
use serde_json::json;

use super::notifier::Notifier;
use super::questions::{Questions, question_params};
use crate::registry::{Asker, Asking, Decision, Question, QuestionHistory};

/// Asks the user during one call.
pub(super) struct ElicitationAsker {
    pub(super) questions: Arc<Questions>,
    /// Sends messages about the call.
    pub(super) notifier: Notifier,
}

impl Asker for ElicitationAsker {
    fn ask<'a>(&'a self, question: &'a Question) -> Asking<'a> {
        Box::pin(async move {
            let Some((id, decision)) = self.questions.begin() else { return Decision::Cancelled };
            let _withdrawal = Withdrawal { asker: self, id };
            let params = question_params(&question.text);
            self.notifier.send(&Request {
                jsonrpc: "2.0",
                id,
                method: "elicitation/create",
                params,
            });
            decision.await.unwrap_or(Decision::Cancelled)
        })
    }

    fn history(&self) -> &QuestionHistory {
        self.questions.history()
    }
}

/// Withdraws a question, if it is still open, when it is dropped.
struct Withdrawal<'a> {
    asker: &'a ElicitationAsker,
    id: u64,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        let ElicitationAsker { questions, notifier } = self.asker;
        if questions.withdraw(self.id) {
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
