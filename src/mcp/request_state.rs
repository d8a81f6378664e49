//! Questions to the user in the stateless era: the call ends with the question, and comes again with what the user has decided.
//!
//! What comes back through the client as `requestState` is sealed: it is valid for one caller, for one tool with the same
//! arguments and one question about one state of the model, for ten minutes, once. rmcp's codec only signs and keeps no
//! nonces, so that a state would be valid any number of times. Key and nonces are those of this process, or of all servers
//! that share a state.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rmcp::model::{ElicitRequest, InputRequest, InputRequiredResult};
use serde_json::value::RawValue;
use tokio::sync::Notify;

use super::message::SentDecision;
use super::questions::{Questions, question_params, read_decision};
use super::seal::{Seal, random};
use crate::registry::{
    Asker, Asking, Decision, ErrorCode, QUESTION_TIMEOUT, Question, QuestionHistory, SentArguments,
    Sha256, ToolError, sha256,
};
use crate::state::{NONCE_BYTES, NonceBytes, QuestionStore, StateUnavailable};
use crate::stdio::read_members;

/// The name of the question in `inputRequests`.
const QUESTION: &str = "confirm";
/// What states are sealed for.
const PURPOSE: &str = "request state";
pub(super) type Digest = Sha256;

/// Who calls, as the transport has found out: a name that no two callers share. Put into the extensions of a
/// request; without it, all calls are of the one caller of a pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallerIdentity(pub(crate) Arc<str>);

/// Seals and opens states.
pub(crate) struct RequestStates {
    store: QuestionStore,
    histories: Histories,
    clock: fn() -> Duration,
}

/// How it is known whether a client shows questions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Histories {
    /// All calls are of one client, whose questions of both eras count.
    Connection,
    /// Each call may be of another caller.
    Callers,
}

/// Why a state is not accepted, or none can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StateError {
    Altered,
    Expired,
    Used,
    OtherCall,
    NoRandomness,
    Unavailable(StateUnavailable),
}

impl From<StateUnavailable> for StateError {
    fn from(error: StateUnavailable) -> Self {
        Self::Unavailable(error)
    }
}

/// One call: what it asks for, and who makes it.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) caller: &'a str,
    /// Run only if the user is asked: arguments may be large.
    pub(super) digest: &'a (dyn Fn() -> Digest + Sync),
}

impl RequestStates {
    /// For one client over a pipe.
    pub(super) fn of_connection() -> Self {
        let (store, histories) = (QuestionStore::default(), Histories::Connection);
        Self { store, histories, clock: wall_clock }
    }

    /// For callers that [`CallerIdentity`] distinguishes, and that may come to several servers.
    pub(crate) fn of_callers(store: QuestionStore) -> Self {
        Self { store, histories: Histories::Callers, clock: wall_clock }
    }

    /// How the client has treated questions so far, for one call of many callers; none for a connection, which has one
    /// history. Notes states that have expired: some clients never show a question.
    async fn history(
        &self,
        caller: &str,
        of_connection: &QuestionHistory,
    ) -> Option<QuestionHistory> {
        match self.histories {
            Histories::Connection => {
                for decisions in self.store.take_expired(caller) {
                    of_connection.note_silence(decisions.parse().unwrap_or(u64::MAX));
                }
                None
            }
            Histories::Callers => {
                Some(QuestionHistory::beginning_with(self.store.is_undecided(caller).await))
            }
        }
    }

    /// A state for one question of one call, after a number of decisions.
    async fn seal(
        &self,
        call: Call<'_>,
        question: &Digest,
        decisions: u64,
    ) -> Result<String, StateError> {
        let keys = self.store.sealing_keys().await?.ok_or(StateError::NoRandomness)?;
        let nonce: NonceBytes = random().ok_or(StateError::NoRandomness)?;
        let sealed = u64::try_from((self.clock)().as_millis()).unwrap_or(u64::MAX).to_be_bytes();
        let bytes = [&nonce[..], &sealed, &(call.digest)(), question].concat();
        let state = Seal::new(&keys.current).and_then(|seal| seal.seal(PURPOSE, bytes));
        let state = state.ok_or(StateError::NoRandomness)?;
        self.store.remember(call.caller, nonce, QUESTION_TIMEOUT, &decisions.to_string()).await?;
        Ok(state)
    }

    /// Uses up a state, and returns the question it was sealed with.
    async fn open(&self, state: &str, call: Call<'_>) -> Result<Digest, StateError> {
        let keys = self.store.sealing_keys().await?.ok_or(StateError::NoRandomness)?;
        let keys = [Some(keys.current), keys.other].into_iter().flatten();
        let opened = keys.filter_map(|key| Seal::new(&key)?.open(PURPOSE, state)).next();
        let opened = opened.as_deref().and_then(Opened::read).ok_or(StateError::Altered)?;
        if (self.clock)().saturating_sub(opened.sealed) >= QUESTION_TIMEOUT {
            return Err(StateError::Expired);
        }
        if opened.call != (call.digest)() {
            return Err(StateError::OtherCall);
        }
        self.store.take(call.caller, opened.nonce).await?.ok_or(StateError::Used)?;
        Ok(opened.question)
    }
}

/// What a state holds.
struct Opened {
    nonce: NonceBytes,
    sealed: Duration,
    call: Digest,
    question: Digest,
}

impl Opened {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (nonce, bytes) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let (millis, bytes) = bytes.split_first_chunk::<8>()?;
        let (call, question) = bytes.split_first_chunk::<{ size_of::<Digest>() }>()?;
        let sealed = Duration::from_millis(u64::from_be_bytes(*millis));
        Some(Self { nonce: *nonce, sealed, call: *call, question: question.try_into().ok()? })
    }
}

/// The time of day: it is the same for all servers, but for the error of their clocks.
fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What a call asks for, and who asks: its tool and arguments, in whatever order they are written.
pub(super) fn call_digest(caller: &str, tool: &str, arguments: &SentArguments) -> Digest {
    // Arguments that cannot be read fail the call before anything is asked.
    let mut arguments =
        arguments.read().map(serde_json::Value::Object).unwrap_or(serde_json::Value::Null);
    arguments.sort_all_objects();
    // With the length in between, no two callers make the same text.
    sha256(format!("{} {caller} {tool} {arguments}", caller.len()).as_bytes())
}

/// What the user has decided about: the text and what it rests on.
fn question_digest(question: &Question) -> Digest {
    sha256(serde_json::json!([question.text, question.basis]).to_string().as_bytes())
}

/// Asks the user during one call: ends it, or knows what was decided if the call is the one after.
pub(super) struct RoundTripAsker {
    questions: Arc<Questions>,
    /// The history of the caller, if it is not that of the connection, and whether the last question had failed at first.
    of_caller: Option<(QuestionHistory, bool)>,
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
    pub(super) async fn new(
        questions: Arc<Questions>,
        states: &RequestStates,
        decision: Option<&SentDecision>,
        call: Call<'_>,
    ) -> Result<Self, StateError> {
        let history = states.history(call.caller, questions.history()).await;
        let of_caller = history.map(|history| {
            let has_failed = history.has_failed();
            (history, has_failed)
        });
        let decided = match decision {
            Some(decision) => {
                let question = states.open(&decision.state, call).await?;
                Some((question, read_input_response(decision.responses.as_deref())))
            }
            None => None,
        };
        let (question, was_asked) = (OnceLock::new(), Notify::new());
        Ok(Self { questions, of_caller, decided, question, was_asked })
    }

    /// Waits for a question, and returns it as the result of the call.
    ///
    /// # Errors
    /// [`StateError`] if no state can be made.
    pub(super) async fn input_required(
        &self,
        states: &RequestStates,
        call: Call<'_>,
    ) -> Result<InputRequiredResult, StateError> {
        let question = loop {
            if let Some(question) = self.question.get() {
                break question;
            }
            self.was_asked.notified().await;
        };
        let decisions = self.history().decisions();
        let state = states.seal(call, &question_digest(question), decisions).await?;
        let request =
            InputRequest::Elicitation(ElicitRequest::new(question_params(&question.text)));
        let requests = [(QUESTION.to_owned(), request)].into();
        Ok(InputRequiredResult::new(Some(requests), Some(state)))
    }

    /// Leaves to later calls what this one has found out about the client of its caller.
    pub(super) async fn leave(&self, states: &RequestStates, caller: &str) {
        let Some((history, had_failed)) = &self.of_caller else { return };
        if history.decisions() > 0 {
            states.store.note(caller, true).await;
        } else if history.has_failed() && !had_failed {
            states.store.note(caller, false).await;
        }
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
        match &self.of_caller {
            Some((history, _)) => history,
            None => self.questions.history(),
        }
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
            StateError::Used => {
                "was used before, or another server asked: a decision counts for one call"
            }
            StateError::OtherCall => {
                "belongs to another call: the tool and its arguments have to be the same"
            }
            StateError::NoRandomness => {
                tracing::error!("no random numbers for a question");
                return Self::internal();
            }
            StateError::Unavailable(error) => return error.into(),
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
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const CALL: Call<'_> = Call { caller: "", digest: &|| [1; 32] };
    const OTHER_CALL: Call<'_> = Call { caller: "", digest: &|| [9; 32] };
    const QUESTION: Digest = [2; 32];

    fn new_states() -> RequestStates {
        // Follows the paused clock.
        let clock = || {
            static START: OnceLock<std::time::Instant> = OnceLock::new();
            let start = *START.get_or_init(std::time::Instant::now);
            Duration::from_secs(1 << 30)
                + tokio::time::Instant::now().into_std().duration_since(start)
        };
        RequestStates { clock, ..RequestStates::of_connection() }
    }

    async fn expire(states: &RequestStates, history: &QuestionHistory) {
        assert!(states.history("", history).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_state_is_valid_once_for_its_call_until_it_expires() {
        let states = new_states();
        let state = states.seal(CALL, &QUESTION, 0).await.unwrap();
        assert_eq!(states.open(&state, OTHER_CALL).await, Err(StateError::OtherCall));
        let other_process = new_states();
        assert_eq!(other_process.open(&state, CALL).await, Err(StateError::Altered));
        assert_eq!(states.open(&state, CALL).await, Ok(QUESTION));
        assert_eq!(states.open(&state, CALL).await, Err(StateError::Used));

        let state = states.seal(CALL, &QUESTION, 0).await.unwrap();
        tokio::time::advance(QUESTION_TIMEOUT - Duration::from_millis(1)).await;
        let history = QuestionHistory::default();
        expire(&states, &history).await;
        assert!(!history.has_failed());
        tokio::time::advance(Duration::from_millis(2)).await;
        assert_eq!(states.open(&state, CALL).await, Err(StateError::Expired));
        expire(&states, &history).await;
        assert!(history.has_failed(), "nobody has responded");
        assert_eq!(states.store.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_never_comes_back_counts_as_cancelled() {
        let (states, questions) = (new_states(), Arc::<Questions>::default());
        let asker = async || {
            RoundTripAsker::new(Arc::clone(&questions), &states, None, CALL).await.unwrap()
        };
        let asking = asker().await;
        let delete = Question { text: "Delete?".to_owned(), basis: String::new() };
        let question = async { asking.input_required(&states, CALL).await.unwrap() };
        tokio::select! {
            _ = asking.ask(&delete) => unreachable!("nobody has decided"),
            question = question => assert!(question.request_state.is_some()),
        }
        tokio::time::advance(QUESTION_TIMEOUT - Duration::from_secs(1)).await;
        assert!(!asker().await.history().has_failed());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(asker().await.history().has_failed());
    }

    #[tokio::test(start_paused = true)]
    async fn an_abandoned_question_means_nothing_after_a_later_decision() {
        let (states, questions) = (new_states(), Arc::<Questions>::default());
        let asker = async || {
            RoundTripAsker::new(Arc::clone(&questions), &states, None, CALL).await.unwrap()
        };
        let delete = Question { text: "Delete?".to_owned(), basis: String::new() };
        for _ in 0..2 {
            let asking = asker().await;
            tokio::select! {
                _ = asking.ask(&delete) => unreachable!("nobody has decided"),
                question = asking.input_required(&states, CALL) => assert!(question.is_ok()),
            }
        }
        tokio::time::advance(QUESTION_TIMEOUT / 2).await;
        asker().await.history().note(Decision::Declined);
        tokio::time::advance(QUESTION_TIMEOUT).await;
        assert!(!asker().await.history().has_failed());
    }

    #[tokio::test]
    async fn any_change_of_a_state_is_noticed() {
        let states = new_states();
        let state = states.seal(CALL, &QUESTION, 0).await.unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&state).unwrap();
        for index in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[index] ^= 1;
            let altered = URL_SAFE_NO_PAD.encode(altered);
            assert_eq!(states.open(&altered, CALL).await, Err(StateError::Altered), "byte {index}");
        }
        let long = "A".repeat(1 << 20);
        for altered in ["", "x", &state[1..], &state[..state.len() - 1], &long] {
            assert_eq!(states.open(altered, CALL).await, Err(StateError::Altered));
        }
        assert_eq!(states.open(&state, CALL).await, Ok(QUESTION));
    }

    #[tokio::test]
    async fn the_oldest_of_too_many_questions_is_given_up() {
        let states = new_states();
        let first = states.seal(CALL, &QUESTION, 0).await.unwrap();
        let second = states.seal(CALL, &QUESTION, 0).await.unwrap();
        for _ in 1..1_024 {
            states.seal(CALL, &QUESTION, 0).await.unwrap();
        }
        assert_eq!(states.store.len(), 1_024);
        assert_eq!(states.open(&first, CALL).await, Err(StateError::Used));
        assert_eq!(states.open(&second, CALL).await, Ok(QUESTION));
    }

    #[tokio::test]
    async fn each_caller_has_states_and_a_history_of_their_own() {
        let states = RequestStates::of_callers(QuestionStore::default());
        let questions = Arc::<Questions>::default();
        let digest =
            |caller| call_digest(caller, "delete_model", &SentArguments::new("arguments", None));
        let (digest_of_a, digest_of_b) = (|| digest("a"), || digest("b"));
        let call = |caller| match caller {
            "a" => Call { caller, digest: &digest_of_a },
            _ => Call { caller, digest: &digest_of_b },
        };
        let asker = async |caller| {
            RoundTripAsker::new(Arc::clone(&questions), &states, None, call(caller)).await.unwrap()
        };
        let state = states.seal(call("a"), &QUESTION, 0).await.unwrap();
        assert_eq!(states.open(&state, call("b")).await, Err(StateError::OtherCall));
        assert_eq!(states.open(&state, call("a")).await, Ok(QUESTION));
        let first = asker("a").await;
        first.history().note(Decision::Cancelled);
        first.leave(&states, "a").await;
        assert!(asker("a").await.history().has_failed());
        assert!(!asker("b").await.history().has_failed());
        let second = asker("a").await;
        second.history().note(Decision::Declined);
        second.leave(&states, "a").await;
        assert!(!asker("a").await.history().has_failed());
    }
}
