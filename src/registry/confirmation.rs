//! Asks the user before something is lost: which calls need it, what the answers mean, and what stands for an answer
//! where nobody can be asked.
//!
//! A tool calls [`Context::confirm`] after all its other checks, right before the write. The server provides an
//! [`Asker`] if its client can show a question; `expected_name` stands for the answer only where the client cannot, or
//! has shown before that it does not. Whatever is not a clear yes writes nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::context::Context;
use super::error::{ErrorCode, ToolError};
use crate::polytomic::CallOptions;

/// A question without an answer counts as cancelled after this time.
pub const QUESTION_TIMEOUT: Duration = Duration::from_secs(600);

/// What a call reports while it waits for an answer.
const WAITING: &str = "waiting for the user's confirmation";
const ANSWERED: &str = "the call is running";

/// Which calls the user has to confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ConfirmPolicy {
    /// None.
    Never,
    /// Those that lose something: deletes, and updates that clear or drop a property.
    #[default]
    Destructive,
    /// All that write.
    Writes,
}

/// What a call is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stake {
    /// Add or change something.
    Change,
    /// Lose something.
    Loss,
}

/// How a call was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// The user was asked, and agreed.
    Asked,
    /// `expected_name` stood for the answer.
    Name,
    /// Nothing had to be confirmed.
    Never,
}

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The user agreed.
    Accepted,
    /// The user refused.
    Declined,
    /// There is no answer: the question was cancelled, or the client failed to ask it.
    Cancelled,
    /// The client sent something that is not an answer to the question.
    Invalid,
}

/// A question that is being asked.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// Puts a question to the user of one call.
pub trait Asker: Send + Sync {
    /// Asks and waits for the answer. Dropping the future withdraws the question.
    fn ask<'a>(&'a self, question: &'a str) -> Asking<'a>;

    /// How the client has treated earlier questions.
    fn record(&self) -> &AnswerRecord;
}

/// How a client has treated the questions so far. Some declare that they can ask, and never show a question.
#[derive(Debug, Default)]
pub struct AnswerRecord(AtomicU8);

impl AnswerRecord {
    const CANCELLED: u8 = 1;
    const SILENT: u8 = 2;

    /// Notes what became of a question.
    pub(crate) fn note(&self, answer: Answer) {
        match answer {
            // It does show questions.
            Answer::Accepted | Answer::Declined => self.0.store(0, Ordering::Relaxed),
            Answer::Cancelled => {
                self.0.fetch_max(Self::CANCELLED, Ordering::Relaxed);
            }
            Answer::Invalid => {}
        }
    }

    /// Notes that a question got no response at all.
    pub(crate) fn note_silence(&self) {
        self.0.store(Self::SILENT, Ordering::Relaxed);
    }

    /// Whether the last question that was settled had no answer.
    fn has_failed(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Whether the client has not even responded, so that asking again would only take time.
    fn is_silent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::SILENT
    }
}

/// What a call needs to be confirmed, and how it was.
#[derive(Default)]
pub(super) struct Confirming {
    pub(super) policy: ConfirmPolicy,
    pub(super) asker: Option<Arc<dyn Asker>>,
    applied: OnceLock<Confirmation>,
    is_asking: AtomicBool,
    answered: Notify,
    /// The options of the call's requests after an answer: the time that a person thinks does not count.
    options_after_answer: OnceLock<CallOptions>,
}

impl Confirming {
    pub(super) fn new(policy: ConfirmPolicy, asker: Option<Arc<dyn Asker>>) -> Self {
        Self { policy, asker, ..Self::default() }
    }

    pub(super) fn options_after_answer(&self) -> Option<&CallOptions> {
        self.options_after_answer.get()
    }
}

/// What a call is about, for the error of a call that is not confirmed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// A stored model, whose name `expected_name` repeats if it was passed. Otherwise the call has failed before.
    Model { name: Option<&'a str>, is_expected: bool },
    /// A model that is not there yet.
    NewModel,
}

impl Subject<'_> {
    fn is_named(self) -> bool {
        matches!(self, Self::Model { is_expected: true, .. })
    }
}

impl Context {
    /// Whether a call with this stake has to be confirmed.
    pub(crate) fn requires_confirmation(&self, stake: Stake) -> bool {
        match self.confirming.policy {
            ConfirmPolicy::Never => false,
            ConfirmPolicy::Destructive => stake == Stake::Loss,
            ConfirmPolicy::Writes => true,
        }
    }

    /// Whether the user is going to be asked, so that the question is worth the requests that it needs.
    pub(crate) fn asks_user(&self, stake: Stake, subject: Subject<'_>) -> bool {
        self.requires_confirmation(stake) && self.asker(subject).is_some()
    }

    /// Whoever asks the user; nobody if `expected_name` is all there is.
    fn asker(&self, subject: Subject<'_>) -> Option<&dyn Asker> {
        self.confirming.asker.as_deref().filter(|asker| {
            let record = asker.record();
            !record.is_silent() && !(record.has_failed() && subject.is_named())
        })
    }

    /// How the call was confirmed: that nothing had to be, if it did not come so far.
    #[allow(dead_code, reason = "for the audit log")]
    pub(crate) fn confirmation(&self) -> Confirmation {
        self.confirming.applied.get().copied().unwrap_or(Confirmation::Never)
    }

    /// Has the user confirm what the call is about to do, if that is required. `unchanged`: a sentence that nothing was
    /// done.
    ///
    /// # Errors
    /// `cancelled` if the user refuses, `confirmation_required` without an answer.
    pub(crate) async fn confirm(
        &self,
        stake: Stake,
        question: &str,
        subject: Subject<'_>,
        unchanged: &str,
    ) -> Result<Confirmation, ToolError> {
        let applied = if !self.requires_confirmation(stake) {
            Confirmation::Never
        } else if let Some(asker) = self.asker(subject) {
            match self.ask(asker, question).await {
                Answer::Accepted => Confirmation::Asked,
                Answer::Declined => return Err(declined(unchanged)),
                Answer::Cancelled => return Err(required(NO_ANSWER, subject, unchanged)),
                Answer::Invalid => return Err(invalid_answer(unchanged)),
            }
        } else if subject.is_named() {
            Confirmation::Name
        } else if self.confirming.asker.is_some() {
            return Err(required(NOT_SHOWN, subject, unchanged));
        } else {
            return Err(required(CANNOT_ASK, subject, unchanged));
        };
        Ok(*self.confirming.applied.get_or_init(|| applied))
    }

    async fn ask(&self, asker: &dyn Asker, question: &str) -> Answer {
        let report = |status| {
            if let Some(progress) = &self.progress {
                progress(status);
            }
        };
        let asked_at = Instant::now();
        self.confirming.is_asking.store(true, Ordering::Release);
        report(WAITING);
        let answer = tokio::select! {
            biased;
            () = self.options.wait_for_shutdown() => Answer::Cancelled,
            answer = asker.ask(question) => {
                asker.record().note(answer);
                answer
            }
            () = tokio::time::sleep(QUESTION_TIMEOUT) => {
                asker.record().note_silence();
                Answer::Cancelled
            }
        };
        report(ANSWERED);
        let deadline = self.options.deadline.map(|deadline| deadline + asked_at.elapsed());
        let options = CallOptions { deadline, ..self.options.clone() };
        self.confirming.options_after_answer.get_or_init(|| options);
        self.confirming.is_asking.store(false, Ordering::Release);
        self.confirming.answered.notify_one();
        answer
    }

    /// Waits until the deadline has passed by `grace`, or forever without one. A question moves the deadline.
    pub(super) async fn deadline_passed(&self, grace: Duration) {
        while let Some(deadline) = self.call_options().deadline {
            tokio::time::sleep_until(deadline + grace).await;
            if self.confirming.is_asking.load(Ordering::Acquire) {
                self.confirming.answered.notified().await;
            } else if self.call_options().deadline == Some(deadline) {
                return;
            }
        }
        std::future::pending().await
    }
}

const CANNOT_ASK: &str =
    "The user has to confirm this call, and this client cannot ask them: nobody was asked.";
const NOT_SHOWN: &str = "The user has to confirm this call, and this client has left an earlier question without any \
    response: nobody was asked again.";
const NO_ANSWER: &str = "The user has to confirm this call, and the question ended without an answer: it was cancelled, \
    or this client did not show it.";

fn required(reason: &str, subject: Subject<'_>, unchanged: &str) -> ToolError {
    let message = format!("{reason} {unchanged}");
    let error = |hint| ToolError::new(ErrorCode::ConfirmationRequired, message, hint);
    match subject {
        Subject::NewModel => error(
            "Ask the user: the server creates models without a confirmation if it is started with `--confirm \
             destructive`.",
        ),
        Subject::Model { name: Some(name), .. } if can_be_expected(name) => error(
            "Ask the user in the conversation. If they agree, call again with `expected_name`, which has to be the \
             model's present name, in details.name.",
        )
        .with_detail("name", Some(name)),
        Subject::Model { .. } => error(
            "Ask the user: the model has no name that `expected_name` can repeat, so that this has to be done in \
             Polytomic, or with a server started with `--confirm never`.",
        ),
    }
}

/// Whether a name is a value that `expected_name` takes.
fn can_be_expected(name: &str) -> bool {
    (1..=255).contains(&name.chars().count())
}

fn declined(unchanged: &str) -> ToolError {
    ToolError::new(
        ErrorCode::Cancelled,
        format!("The user was asked, and declined. {unchanged}"),
        "Do not repeat the call unless the user asks for it.",
    )
}

fn invalid_answer(unchanged: &str) -> ToolError {
    ToolError::new(
        ErrorCode::ConfirmationRequired,
        format!(
            "The user has to confirm this call, and the client's answer to the question is invalid: expected `confirm` \
             true or false. {unchanged}"
        ),
        "Call again, which asks the user again. If this client cannot answer, ask the user to start the server with \
         `--confirm never`.",
    )
}

/// Fails if a model has another name than a call expects, whatever has to be confirmed.
///
/// # Errors
/// `conflict`, with the present name in `details`.
pub(crate) fn check_expected_name(
    name: Option<&str>,
    expected: &str,
    unchanged: &str,
) -> Result<(), ToolError> {
    if name == Some(expected) {
        return Ok(());
    }
    Err(ToolError::new(
        ErrorCode::Conflict,
        format!("The model's name differs from `expected_name`. {unchanged}"),
        "Call get_model to check the model; list_models with `name_contains` finds others.",
    )
    .with_detail("argument", Some("expected_name"))
    .with_detail("name", name))
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::{Map, json};

    use super::*;
    use crate::polytomic::{BaseUrl, ClientConfig, Credential};
    use crate::registry::{CallSignals, Catalog, Effect, Entry, Operation, Registry};

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Args {
        /// Whether the name was passed, e.g. `true`.
        #[serde(default)]
        is_expected: bool,
        /// Seconds of work after the answer, e.g. `5`.
        #[serde(default)]
        work: u64,
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
            let subject = Subject::Model { name: Some("Users"), is_expected: args.is_expected };
            let confirmation = cx.confirm(Stake::Loss, "Delete?", subject, "Nothing.").await?;
            assert_eq!(confirmation, cx.confirmation());
            tokio::time::sleep(Duration::from_secs(args.work)).await;
            Ok(Output { name: confirmation == Confirmation::Name })
        }
    }

    const TOOLS: Catalog = Catalog { toolsets: &[&[Entry::of::<Deletes>()]], instructions: "" };

    /// Answers after some seconds; never without an answer.
    #[derive(Default)]
    struct Person {
        answer: Option<(u64, Answer)>,
        record: AnswerRecord,
    }

    impl Asker for Person {
        fn ask<'a>(&'a self, _: &'a str) -> Asking<'a> {
            Box::pin(async move {
                let Some((seconds, answer)) = self.answer else {
                    return std::future::pending().await;
                };
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                answer
            })
        }

        fn record(&self) -> &AnswerRecord {
            &self.record
        }
    }

    /// Calls the tool; whether the name stood for the answer, or the code of the error.
    async fn call(person: &Arc<Person>, is_expected: bool, work: u64) -> Result<bool, ErrorCode> {
        let url = BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
        let config = ClientConfig::new(url, Credential::bearer("key").unwrap());
        let registry = Registry::new(TOOLS, Ok(config));
        let asker: Arc<dyn Asker> = Arc::clone(person) as _;
        let signals = CallSignals { asker: Some(asker), ..CallSignals::default() };
        let arguments = json!({"is_expected": is_expected, "work": work});
        let arguments: Map<_, _> = arguments.as_object().cloned().unwrap();
        let tool = registry.tool("deletes").unwrap();
        let result = registry.call(tool, arguments, signals).await;
        result.map(|text| text.get().contains("true")).map_err(|error| error.code)
    }

    fn person(seconds: u64, answer: Answer) -> Arc<Person> {
        Arc::new(Person { answer: Some((seconds, answer)), ..Person::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_a_person_thinks_does_not_count() {
        for (thinking, work, expected, seconds) in [
            (0, 47, Ok(false), 47),
            (0, 60, Err(ErrorCode::Timeout), 49),
            // The deadline passes while the question is open.
            (300, 47, Ok(false), 347),
            (300, 60, Err(ErrorCode::Timeout), 349),
            // The answer comes before the deadline.
            (40, 47, Ok(false), 87),
            (40, 60, Err(ErrorCode::Timeout), 89),
            (599, 47, Ok(false), 646),
        ] {
            let started = Instant::now();
            let result = call(&person(thinking, Answer::Accepted), false, work).await;
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
        // Nobody is asked again; the name is the second way.
        let started = Instant::now();
        assert_eq!(call(&person, false, 0).await, Err(ErrorCode::ConfirmationRequired));
        assert_eq!(call(&person, true, 0).await, Ok(true));
        assert_eq!(started.elapsed().as_secs(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_name_stands_for_an_answer_after_a_failure_only() {
        for (answer, first, second) in [
            (Answer::Accepted, Ok(false), Ok(false)),
            (Answer::Declined, Err(ErrorCode::Cancelled), Err(ErrorCode::Cancelled)),
            (Answer::Cancelled, Err(ErrorCode::ConfirmationRequired), Ok(true)),
            (
                Answer::Invalid,
                Err(ErrorCode::ConfirmationRequired),
                Err(ErrorCode::ConfirmationRequired),
            ),
        ] {
            let person = person(1, answer);
            assert_eq!(call(&person, true, 0).await, first, "{answer:?}");
            assert_eq!(call(&person, true, 0).await, second, "{answer:?}");
        }
    }
}
