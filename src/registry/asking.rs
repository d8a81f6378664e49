//! Asks the user before a call goes on: whether it has to be confirmed, who can be asked, and what follows.
//!
//! A tool calls [`Context::confirm`] after all its other checks, right before the write. The server provides an
//! [`Asker`] if its client can show a question; `expected_name` takes its place only where the client cannot, or has
//! left an earlier question open. Whatever is not a clear yes writes nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::confirmation::{Asker, Confirmation, Decision, QUESTION_TIMEOUT, Stake, Thinking};
use super::context::Context;
use super::error::{ErrorCode, MAX_DETAIL_CHARACTERS, ToolError};
use super::question::Question;
use super::redaction;

/// What a call reports while the user thinks, and afterwards.
const WAITING: &str = "waiting for the user's confirmation";
const RUNNING: &str = "the call is running";

/// A kind of object that tools change, as errors name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObjectKind {
    /// A noun, e.g. `model`.
    pub(crate) noun: &'static str,
    /// The tool that gets one.
    pub(crate) get: &'static str,
    /// The tool that lists them, by name as well.
    pub(crate) list: &'static str,
}

/// Models.
pub(crate) const MODEL: ObjectKind =
    ObjectKind { noun: "model", get: "get_model", list: "list_models" };
/// Model syncs.
pub(crate) const SYNC: ObjectKind =
    ObjectKind { noun: "sync", get: "get_model_sync", list: "list_model_syncs" };

/// What a call is about, for the error of a call that is not confirmed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// A stored object, whose name `expected_name` repeats if it was passed. Otherwise the call has failed before.
    Stored { kind: ObjectKind, name: Option<&'a str>, is_expected: bool },
    /// An object that is not there yet.
    New(ObjectKind),
}

impl Subject<'_> {
    fn is_named(self) -> bool {
        matches!(self, Self::Stored { is_expected: true, .. })
    }
}

impl Context {
    /// Whether a call with this stake has to be confirmed.
    pub(crate) fn requires_confirmation(&self, stake: Stake) -> bool {
        self.confirming.policy.requires(stake)
    }

    /// What asks the user; none if nobody can be asked, or `expected_name` is enough.
    fn asker(&self, subject: Subject<'_>) -> Option<&dyn Asker> {
        let is_named = subject.is_named();
        self.confirming.asker.as_deref().filter(|asker| !(is_named && asker.history().has_failed()))
    }

    /// Has the user confirm what the call is about to do, if that is required. `unchanged`: a sentence that nothing was
    /// done. `question` is only run if the user is going to be asked, and may make requests. Returns the question that they
    /// agreed to, if they were asked.
    ///
    /// # Errors
    /// `cancelled` if the user refuses, `confirmation_required` if nobody has decided.
    pub(crate) async fn confirm(
        &self,
        stake: Stake,
        subject: Subject<'_>,
        unchanged: &str,
        question: impl AsyncFnOnce() -> Question,
    ) -> Result<Option<Question>, ToolError> {
        let (confirmation, agreed) = match self.asker(subject) {
            _ if !self.requires_confirmation(stake) => (Confirmation::Never, None),
            Some(asker) if asker.has_agreed() => (Confirmation::InAdvance, None),
            Some(asker) => {
                let question = question().await;
                match self.ask(asker, &question).await {
                    Decision::Accepted => (Confirmation::Asked, Some(question)),
                    Decision::Declined => return Err(declined(unchanged)),
                    Decision::Cancelled => return Err(required(NO_DECISION, subject, unchanged)),
                    Decision::Invalid => return Err(invalid_response(unchanged)),
                }
            }
            None if subject.is_named() => (Confirmation::Name, None),
            None => return Err(required(CANNOT_ASK, subject, unchanged)),
        };
        if let Some(record) = &self.audited {
            record.note_confirmation(confirmation);
        }
        Ok(agreed)
    }

    async fn ask(&self, asker: &dyn Asker, question: &Question) -> Decision {
        let report = |status| {
            if let Some(progress) = &self.progress {
                progress(status);
            }
        };
        let decisions_before = asker.history().decisions();
        self.confirming.begin_question();
        self.note_question(true);
        report(WAITING);
        let decision = tokio::select! {
            biased;
            () = self.options.wait_for_shutdown() => Decision::Cancelled,
            decision = asker.ask(question) => {
                asker.history().note(decision);
                decision
            }
            () = tokio::time::sleep(QUESTION_TIMEOUT) => {
                asker.history().note_silence(decisions_before);
                Decision::Cancelled
            }
        };
        report(RUNNING);
        self.confirming.end_question();
        self.note_question(false);
        decision
    }

    fn note_question(&self, is_open: bool) {
        if let Some(record) = &self.audited {
            record.note_question(is_open);
        }
    }

    /// Waits until the deadline has passed by `grace`, or forever without one. A question moves the deadline.
    pub(super) async fn deadline_passed(&self, grace: Duration) {
        while let Some(deadline) = self.options.deadline {
            let Thinking { total, since } = self.confirming.thinking();
            let end = deadline + grace + total;
            if since.is_some() {
                self.confirming.question_ended.notified().await;
            } else if end <= Instant::now() {
                return;
            } else {
                tokio::time::sleep_until(end).await;
            }
        }
        std::future::pending::<()>().await;
    }
}

const CANNOT_ASK: &str =
    "The user has to confirm this call, and this client cannot ask them: nobody was asked.";
const NO_DECISION: &str = "The user has to confirm this call, and the question ended without a response from them: it was \
    cancelled, or this client did not show it.";

fn required(reason: &str, subject: Subject<'_>, unchanged: &str) -> ToolError {
    let message = format!("{reason} {unchanged}");
    let error = |hint: String| ToolError::new(ErrorCode::ConfirmationRequired, message, hint);
    match subject {
        Subject::New(ObjectKind { noun, .. }) => error(format!(
            "Ask the user: the server creates {noun}s without a confirmation if it is started with `--confirm \
             destructive`."
        )),
        Subject::Stored { kind, name: Some(name), .. } if can_be_expected(name) => error(format!(
            "Ask the user in the conversation. If they agree, call again with `expected_name`, which has to be the \
             {}'s present name, in details.name.",
            kind.noun
        ))
        .with_detail("name", Some(name)),
        Subject::Stored { kind, .. } => error(format!(
            "Ask the user: the {} has no name that `expected_name` can repeat, so that this has to be done in \
             Polytomic, or with a server started with `--confirm never`.",
            kind.noun
        )),
    }
}

/// Whether a caller can repeat a name that it reads in `details`: it is neither empty, nor truncated or masked there.
fn can_be_expected(name: &str) -> bool {
    (1..=MAX_DETAIL_CHARACTERS).contains(&name.chars().count())
        && redaction::mask_text(name) == name
}

fn declined(unchanged: &str) -> ToolError {
    ToolError::new(
        ErrorCode::Cancelled,
        format!("The user was asked, and declined. {unchanged}"),
        "Do not repeat the call unless the user asks for it.",
    )
}

fn invalid_response(unchanged: &str) -> ToolError {
    ToolError::new(
        ErrorCode::ConfirmationRequired,
        format!(
            "The user has to confirm this call, and the client's response to the question is invalid: expected `confirm` \
             true or false. {unchanged}"
        ),
        "Call again, which asks the user again. If this client cannot show the question, ask the user to start the server with \
         `--confirm never`.",
    )
}

/// Fails if an object has another name than a call expects, whatever has to be confirmed.
///
/// # Errors
/// `conflict`, with the present name in `details`.
pub(crate) fn check_expected_name(
    kind: ObjectKind,
    name: Option<&str>,
    expected: &str,
    unchanged: &str,
) -> Result<(), ToolError> {
    if name == Some(expected) {
        return Ok(());
    }
    let ObjectKind { noun, get, list } = kind;
    Err(ToolError::new(
        ErrorCode::Conflict,
        format!("The {noun}'s name differs from `expected_name`. {unchanged}"),
        format!("Call {get} to check the {noun}. {list} with `name_contains` finds others."),
    )
    .with_detail("argument", Some("expected_name"))
    .with_detail("name", name))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::registry::confirmation::{Asking, QuestionHistory};
    use crate::registry::test_tools::registry;
    use crate::registry::{CallSignals, Effect, Entry, Operation};

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Args {
        /// Whether the name was passed, e.g. `true`.
        #[serde(default)]
        is_expected: bool,
        /// Seconds of work afterwards, e.g. `5`.
        #[serde(default)]
        work: u64,
        /// How often it asks, e.g. `2`.
        questions: u64,
    }

    #[derive(Serialize, JsonSchema)]
    struct Output {
        name: bool,
    }

    struct Deletes;
    impl Operation for Deletes {
        const NAME: &'static str = "deletes";
        const TITLE: &'static str = "Deletes";
        const DESCRIPTION: &'static str = "Deletes.";
        const EFFECT: Effect = Effect::Destructive;
        type Args = Args;
        type Output = Output;
        async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
            let subject =
                Subject::Stored { kind: MODEL, name: Some("Users"), is_expected: args.is_expected };
            let mut agreed = None;
            for _ in 0..args.questions {
                let question = async || Question::about_arguments("Delete?".to_owned());
                agreed = cx.confirm(Stake::Loss, subject, "Nothing.", question).await?;
            }
            let deadline = cx.call_options().deadline.unwrap();
            assert!(deadline > Instant::now() + Duration::from_secs(47));
            tokio::time::sleep(Duration::from_secs(args.work)).await;
            Ok(Output { name: agreed.is_none() })
        }
    }

    /// Decides after some seconds, or never.
    #[derive(Default)]
    struct Person {
        decision: Option<(u64, Decision)>,
        history: QuestionHistory,
    }

    impl Asker for Person {
        fn ask<'a>(&'a self, _: &'a Question) -> Asking<'a> {
            Box::pin(async move {
                let Some((seconds, decision)) = self.decision else {
                    return std::future::pending().await;
                };
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                decision
            })
        }

        fn history(&self) -> &QuestionHistory {
            &self.history
        }
    }

    /// Calls the tool; whether the name was enough, or the code of the error.
    async fn call(person: &Arc<Person>, is_expected: bool, work: u64) -> Result<bool, ErrorCode> {
        call_with(person, json!({"is_expected": is_expected, "work": work, "questions": 1})).await
    }

    async fn call_with(person: &Arc<Person>, arguments: Value) -> Result<bool, ErrorCode> {
        static TOOLS: &[Entry] = &[Entry::of::<Deletes>()];
        let registry = registry(TOOLS);
        let asker: Arc<dyn Asker> = Arc::clone(person) as _;
        let signals = CallSignals { asker: Some(asker), ..CallSignals::default() };
        let arguments: Map<_, _> = arguments.as_object().cloned().unwrap();
        let tool = registry.tool("deletes").ok().unwrap();
        let result = registry.call(tool, arguments, signals).await;
        result.map(|text| text.get().contains("true")).map_err(|error| error.code)
    }

    fn person(seconds: u64, decision: Decision) -> Arc<Person> {
        Arc::new(Person { decision: Some((seconds, decision)), ..Person::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_a_person_thinks_does_not_count() {
        for (thinking, work, expected, seconds) in [
            (0, 47, Ok(false), 47),
            (0, 60, Err(ErrorCode::Timeout), 49),
            // The deadline passes while the question is open.
            (300, 47, Ok(false), 347),
            (300, 60, Err(ErrorCode::Timeout), 349),
            // Decided before the deadline.
            (40, 47, Ok(false), 87),
            (40, 60, Err(ErrorCode::Timeout), 89),
            (599, 47, Ok(false), 646),
        ] {
            let started = Instant::now();
            let result = call(&person(thinking, Decision::Accepted), false, work).await;
            assert_eq!(result, expected, "{thinking} s, then {work} s");
            assert_eq!(started.elapsed().as_secs(), seconds, "{thinking} s, then {work} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_each_question_does_not_count() {
        for (thinking, work, expected, seconds) in [
            (300, 47, Ok(false), 647),
            (300, 60, Err(ErrorCode::Timeout), 649),
            (40, 47, Ok(false), 127),
            (40, 60, Err(ErrorCode::Timeout), 129),
        ] {
            let started = Instant::now();
            let arguments = json!({"work": work, "questions": 2});
            let result = call_with(&person(thinking, Decision::Accepted), arguments).await;
            assert_eq!(result, expected, "{thinking} s, then {work} s");
            assert_eq!(started.elapsed().as_secs(), seconds, "{thinking} s, then {work} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_without_a_response_counts_as_cancelled_after_ten_minutes() {
        let person = Arc::<Person>::default();
        let started = Instant::now();
        let result = call(&person, true, 0).await;
        assert_eq!(result, Err(ErrorCode::ConfirmationRequired));
        assert_eq!(started.elapsed().as_secs(), 600);
        // The name is enough now, and without it the next call asks again.
        let started = Instant::now();
        assert_eq!(call(&person, true, 0).await, Ok(true));
        assert_eq!(started.elapsed().as_secs(), 0);
        assert_eq!(call(&person, false, 0).await, Err(ErrorCode::ConfirmationRequired));
        assert_eq!(started.elapsed().as_secs(), 600);
    }

    #[tokio::test(start_paused = true)]
    async fn the_name_is_enough_after_a_failure_only() {
        for (decision, first, second) in [
            (Decision::Accepted, Ok(false), Ok(false)),
            (Decision::Declined, Err(ErrorCode::Cancelled), Err(ErrorCode::Cancelled)),
            (Decision::Cancelled, Err(ErrorCode::ConfirmationRequired), Ok(true)),
            (
                Decision::Invalid,
                Err(ErrorCode::ConfirmationRequired),
                Err(ErrorCode::ConfirmationRequired),
            ),
        ] {
            let person = person(1, decision);
            assert_eq!(call(&person, true, 0).await, first, "{decision:?}");
            assert_eq!(call(&person, true, 0).await, second, "{decision:?}");
        }
    }
}
