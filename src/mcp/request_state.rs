//! Questions to the user in the stateless era: the call ends with the question, and comes again with what the user has decided.
//!
//! What comes back through the client as `requestState` is sealed with a key of this process: it is valid for one tool
//! with the same arguments and one question about one state of the model, for ten minutes, once. rmcp's codec only signs and keeps no nonces, so that
//! a state would be valid any number of times.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use rmcp::model::{ElicitRequest, InputRequest, InputRequiredResult};
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::message::SentDecision;
use super::questions::{Questions, question_params, read_decision};
use crate::registry::{
    Asker, Asking, Decision, ErrorCode, QUESTION_TIMEOUT, Question, QuestionHistory, SentArguments,
    Sha256, ToolError, sha256,
};
use crate::stdio::read_members;

/// The name of the question in `inputRequests`.
const QUESTION: &str = "confirm";
/// Maximum number of open questions; the oldest ones are given up.
const MAX_WAITING: usize = 1_024;
/// A longer state is not one of ours.
const MAX_STATE_BYTES: usize = 512;

pub(super) type Digest = Sha256;

/// Seals and opens states.
pub(super) struct RequestStates {
    /// Created with the first question.
    key: OnceLock<LessSafeKey>,
    created: Instant,
    /// The states that have not come back; the oldest first.
    waiting: Mutex<VecDeque<Waiting>>,
}

/// A state that has not come back.
struct Waiting {
    nonce: [u8; NONCE_LEN],
    /// When it was sealed.
    sealed: Duration,
    /// The number of decisions by then, of any question.
    decisions: u64,
}

/// Why a state is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StateError {
    Altered,
    Expired,
    Used,
    OtherCall,
}

impl RequestStates {
    pub(super) fn new() -> Self {
        let (key, created) = (OnceLock::new(), Instant::now());
        Self { key, created, waiting: Mutex::default() }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self) -> Option<&LessSafeKey> {
        if self.key.get().is_none() {
            let key = UnboundKey::new(&CHACHA20_POLY1305, &random::<32>()?).ok()?;
            return Some(self.key.get_or_init(|| LessSafeKey::new(key)));
        }
        self.key.get()
    }

    /// Removes the states that have expired, and notes them.
    fn expire(&self, history: &QuestionHistory) {
        let now = self.created.elapsed();
        let mut waiting = self.waiting();
        let expired = waiting.iter().take_while(|state| has_expired(state.sealed, now)).count();
        for state in waiting.drain(..expired) {
            // Some clients never show a question.
            history.note_silence(state.decisions);
        }
    }

    /// A state for one question of one call, after a number of decisions; none without randomness.
    fn seal(&self, call: &Digest, question: &Digest, decisions: u64) -> Option<String> {
        let nonce = random::<NONCE_LEN>()?;
        let sealed = self.created.elapsed();
        let millis = u64::try_from(sealed.as_millis()).unwrap_or(u64::MAX).to_be_bytes();
        let mut bytes = [&millis[..], call, question].concat();
        let aead_nonce = Nonce::assume_unique_for_key(nonce);
        self.key()?.seal_in_place_append_tag(aead_nonce, Aad::empty(), &mut bytes).ok()?;
        let mut waiting = self.waiting();
        if waiting.len() >= MAX_WAITING {
            waiting.pop_front();
        }
        waiting.push_back(Waiting { nonce, sealed, decisions });
        Some(URL_SAFE_NO_PAD.encode([&nonce[..], &bytes].concat()))
    }

    /// Uses up a state, and returns the question it was sealed with.
    fn open(&self, state: &str, call: &Digest) -> Result<Digest, StateError> {
        let (nonce, mut bytes) = Some(state)
            .filter(|state| state.len() <= MAX_STATE_BYTES)
            .and_then(|state| URL_SAFE_NO_PAD.decode(state).ok())
            .and_then(|bytes| {
                let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
                Some((*nonce, sealed.to_vec()))
            })
            .ok_or(StateError::Altered)?;
        let aead_nonce = Nonce::assume_unique_for_key(nonce);
        let key = self.key().ok_or(StateError::Altered)?;
        let opened = key.open_in_place(aead_nonce, Aad::empty(), &mut bytes);
        let opened = opened.map_err(|_| StateError::Altered)?;
        let (millis, digests) = opened.split_first_chunk::<8>().ok_or(StateError::Altered)?;
        let (for_call, question) =
            digests.split_first_chunk::<{ size_of::<Digest>() }>().ok_or(StateError::Altered)?;
        let question = Digest::try_from(question).map_err(|_| StateError::Altered)?;
        let sealed = Duration::from_millis(u64::from_be_bytes(*millis));
        if has_expired(sealed, self.created.elapsed()) {
            return Err(StateError::Expired);
        }
        if for_call != call {
            return Err(StateError::OtherCall);
        }
        let mut waiting = self.waiting();
        let position = waiting.iter().position(|state| state.nonce == nonce);
        waiting.remove(position.ok_or(StateError::Used)?).ok_or(StateError::Used)?;
        Ok(question)
    }
}

fn has_expired(sealed: Duration, now: Duration) -> bool {
    now.saturating_sub(sealed) >= QUESTION_TIMEOUT
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

/// What a call asks for: its tool and arguments, in whatever order they are written, and its caller, if callers have their
/// own API keys.
pub(super) fn call_digest(tool: &str, arguments: &SentArguments, caller: Option<&str>) -> Digest {
    // Arguments that cannot be read fail the call before anything is asked.
    let mut arguments =
        arguments.read().map(serde_json::Value::Object).unwrap_or(serde_json::Value::Null);
    arguments.sort_all_objects();
    let caller = caller.unwrap_or_default();
    sha256(format!("{caller} {tool} {arguments}").as_bytes())
}

/// What the user has decided about: the text and what it rests on.
fn question_digest(question: &Question) -> Digest {
    sha256(serde_json::json!([question.text, question.basis]).to_string().as_bytes())
}

/// Asks the user during one call: ends it, or knows what was decided if the call is the one after.
pub(super) struct RoundTripAsker {
    questions: Arc<Questions>,
    /// The question that the user has decided, and how.
    decided: Option<(Digest, Decision)>,
    question: OnceLock<Question>,
    was_asked: Notify,
}

impl RoundTripAsker {
    /// For a call, with the decision that it brings, if any.
    ///
    /// # Errors
    /// [`StateError`] if the decision is about no question of this call.
    pub(super) fn new(
        questions: Arc<Questions>,
        states: &RequestStates,
        decision: Option<&SentDecision>,
        call: impl Fn() -> Digest,
    ) -> Result<Self, StateError> {
        states.expire(questions.history());
        let decided = match decision {
            Some(decision) => {
                let question = states.open(&decision.state, &call())?;
                Some((question, read_input_response(decision.responses.as_deref())))
            }
            None => None,
        };
        let (question, was_asked) = (OnceLock::new(), Notify::new());
        Ok(Self { questions, decided, question, was_asked })
    }

    /// Waits for a question, and returns it as the result of the call.
    pub(super) async fn input_required(
        &self,
        states: &RequestStates,
        call: impl Fn() -> Digest,
    ) -> Option<InputRequiredResult> {
        self.was_asked.notified().await;
        let question = self.question.get()?;
        let state = states.seal(&call(), &question_digest(question), self.history().decisions())?;
        let request =
            InputRequest::Elicitation(ElicitRequest::new(question_params(&question.text)));
        let requests = [(QUESTION.to_owned(), request)].into();
        Some(InputRequiredResult::new(Some(requests), Some(state)))
    }
}

impl Asker for RoundTripAsker {
    fn ask<'a>(&'a self, question: &'a Question) -> Asking<'a> {
        Box::pin(async move {
            if let Some((decided, decision)) = self.decided
                && decided == question_digest(question)
            {
                return decision;
            }
            self.question.get_or_init(|| question.clone());
            self.was_asked.notify_one();
            // The call is dropped.
            std::future::pending().await
        })
    }

    fn history(&self) -> &QuestionHistory {
        self.questions.history()
    }
}

fn read_input_response(responses: Option<&RawValue>) -> Decision {
    let members = responses.and_then(|raw| read_members(raw.get(), [QUESTION]).ok());
    match members {
        Some(([Some(decision)], false)) => read_decision(decision),
        _ => Decision::Invalid,
    }
}

impl From<StateError> for ToolError {
    fn from(error: StateError) -> Self {
        let reason = match error {
            StateError::Altered => "is not one of this server, or was altered",
            StateError::Expired => "has expired: the user has 10 minutes to decide",
            StateError::Used => "was used before: a decision counts for one call",
            StateError::OtherCall => {
                "belongs to another call: the tool and its arguments have to be the same"
            }
        };
        Self::new(
            ErrorCode::ConfirmationRequired,
            format!(
                "The user's decision was not accepted: `requestState` {reason}. Nothing was sent."
            ),
            "Call again without `requestState` and `inputResponses`, which asks the user again.",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Digest = [1; 32];
    const QUESTION: Digest = [2; 32];

    #[tokio::test(start_paused = true)]
    async fn a_state_is_valid_once_for_its_call_until_it_expires() {
        let states = RequestStates::new();
        let state = states.seal(&CALL, &QUESTION, 0).unwrap();
        assert_eq!(states.open(&state, &[9; 32]), Err(StateError::OtherCall));
        let other_process = RequestStates::new();
        assert_eq!(other_process.open(&state, &CALL), Err(StateError::Altered));
        assert_eq!(states.open(&state, &CALL), Ok(QUESTION));
        assert_eq!(states.open(&state, &CALL), Err(StateError::Used));

        let state = states.seal(&CALL, &QUESTION, 0).unwrap();
        tokio::time::advance(QUESTION_TIMEOUT - Duration::from_millis(1)).await;
        let history = QuestionHistory::default();
        states.expire(&history);
        assert!(!history.has_failed());
        tokio::time::advance(Duration::from_millis(2)).await;
        assert_eq!(states.open(&state, &CALL), Err(StateError::Expired));
        states.expire(&history);
        assert!(history.has_failed(), "nobody has responded");
        assert_eq!(states.waiting().len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_never_comes_back_counts_as_cancelled() {
        let (states, questions) = (RequestStates::new(), Arc::<Questions>::default());
        let asker = || RoundTripAsker::new(Arc::clone(&questions), &states, None, || CALL).unwrap();
        let asking = asker();
        let delete = Question { text: "Delete?".to_owned(), basis: String::new() };
        let question = async { asking.input_required(&states, || CALL).await.unwrap() };
        tokio::select! {
            _ = asking.ask(&delete) => unreachable!("nobody has decided"),
            question = question => assert!(question.request_state.is_some()),
        }
        tokio::time::advance(QUESTION_TIMEOUT - Duration::from_secs(1)).await;
        assert!(!asker().history().has_failed());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(asker().history().has_failed());
    }

    #[tokio::test(start_paused = true)]
    async fn an_abandoned_question_means_nothing_after_a_later_decision() {
        let (states, questions) = (RequestStates::new(), Arc::<Questions>::default());
        let asker = || RoundTripAsker::new(Arc::clone(&questions), &states, None, || CALL).unwrap();
        let delete = Question { text: "Delete?".to_owned(), basis: String::new() };
        for _ in 0..2 {
            let asking = asker();
            tokio::select! {
                _ = asking.ask(&delete) => unreachable!("nobody has decided"),
                question = asking.input_required(&states, || CALL) => assert!(question.is_some()),
            }
        }
        tokio::time::advance(QUESTION_TIMEOUT / 2).await;
        asker().history().note(Decision::Declined);
        tokio::time::advance(QUESTION_TIMEOUT).await;
        assert!(!asker().history().has_failed());
    }

    #[test]
    fn any_change_of_a_state_is_noticed() {
        let states = RequestStates::new();
        let state = states.seal(&CALL, &QUESTION, 0).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&state).unwrap();
        for index in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[index] ^= 1;
            let altered = URL_SAFE_NO_PAD.encode(altered);
            assert_eq!(states.open(&altered, &CALL), Err(StateError::Altered), "byte {index}");
        }
        let long = "A".repeat(1 << 20);
        for altered in ["", "x", &state[1..], &state[..state.len() - 1], &long] {
            assert_eq!(states.open(altered, &CALL), Err(StateError::Altered));
        }
        assert_eq!(states.open(&state, &CALL), Ok(QUESTION));
    }

    #[test]
    fn the_oldest_of_too_many_questions_is_given_up() {
        let states = RequestStates::new();
        let first = states.seal(&CALL, &QUESTION, 0).unwrap();
        let second = states.seal(&CALL, &QUESTION, 0).unwrap();
        for _ in 1..MAX_WAITING {
            states.seal(&CALL, &QUESTION, 0).unwrap();
        }
        assert_eq!(states.waiting().len(), MAX_WAITING);
        assert_eq!(states.open(&first, &CALL), Err(StateError::Used));
        assert_eq!(states.open(&second, &CALL), Ok(QUESTION));
    }
}
