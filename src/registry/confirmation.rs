//! What is confirmed, and by whom: the policy, a question's possible outcomes, and what a server provides to ask it.
//!
//! `asking` has the rules by which a call goes on.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::question::Question;
use super::words::Words;

/// A question that nobody has decided counts as cancelled after this time.
pub const QUESTION_TIMEOUT: Duration = Duration::from_secs(600);

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

impl Words for ConfirmPolicy {
    const WORDS: &[(&str, Self)] =
        &[("never", Self::Never), ("destructive", Self::Destructive), ("writes", Self::Writes)];
}

impl ConfirmPolicy {
    /// Whether a call with this stake has to be confirmed.
    pub(super) fn requires(self, stake: Stake) -> bool {
        match self {
            Self::Never => false,
            Self::Destructive => stake == Stake::Loss,
            Self::Writes => true,
        }
    }
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
    /// The user agreed in advance, and was not asked.
    InAdvance,
    /// `expected_name` stood for the decision.
    Name,
    /// Nothing had to be confirmed.
    Never,
}

/// What the user has decided about a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The user agreed.
    Accepted,
    /// The user refused.
    Declined,
    /// There is none: the question was cancelled, or the client failed to ask it.
    Cancelled,
    /// The client sent something else.
    Invalid,
}

/// A question that is being asked.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Decision> + Send + 'a>>;

/// Puts a question to the user of one call.
pub trait Asker: Send + Sync {
    /// Asks, and waits until the user has decided. Dropping the future withdraws the question.
    fn ask<'a>(&'a self, question: &'a Question) -> Asking<'a>;

    /// How the client has treated earlier questions.
    fn history(&self) -> &QuestionHistory;

    /// Whether the user has agreed before the call, and is not asked.
    fn has_agreed(&self) -> bool {
        false
    }
}

/// How a client has treated the questions so far. Some declare that they can ask, and never show a question.
#[derive(Debug, Default)]
pub struct QuestionHistory(Mutex<Treatment>);

#[derive(Debug, Default)]
struct Treatment {
    /// The number of decisions so far.
    decisions: u64,
    has_failed: bool,
}

impl QuestionHistory {
    fn treatment(&self) -> MutexGuard<'_, Treatment> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The history of a client of which only is known whether the last question had no decision.
    pub(crate) fn beginning_with(has_failed: bool) -> Self {
        Self(Mutex::new(Treatment { decisions: 0, has_failed }))
    }

    /// Notes what became of a question.
    pub(crate) fn note(&self, decision: Decision) {
        let mut treatment = self.treatment();
        match decision {
            // It does show questions.
            Decision::Accepted | Decision::Declined => {
                treatment.decisions += 1;
                treatment.has_failed = false;
            }
            Decision::Cancelled => treatment.has_failed = true,
            Decision::Invalid => {}
        }
    }

    /// The number of decisions so far, for [`Self::note_silence`] about a question that is asked now.
    pub(crate) fn decisions(&self) -> u64 {
        self.treatment().decisions
    }

    /// Notes that a question got no response at all. It means nothing if another was decided since it was asked: the
    /// client does show questions.
    pub(crate) fn note_silence(&self, decisions_before: u64) {
        let mut treatment = self.treatment();
        treatment.has_failed |= treatment.decisions == decisions_before;
    }

    /// Whether the last question had no decision.
    pub(crate) fn has_failed(&self) -> bool {
        self.treatment().has_failed
    }
}

/// What a call needs to be confirmed, and how it was.
#[derive(Default)]
pub(super) struct Confirming {
    pub(super) policy: ConfirmPolicy,
    pub(super) asker: Option<Arc<dyn Asker>>,
    thinking: Mutex<Thinking>,
    /// Notified when a question has ended.
    pub(super) question_ended: Notify,
}

/// The time that a person thinks, which does not count.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Thinking {
    /// In all questions that have ended.
    pub(super) total: Duration,
    /// Since when a question is open.
    pub(super) since: Option<Instant>,
}

impl Confirming {
    pub(super) fn new(policy: ConfirmPolicy, asker: Option<Arc<dyn Asker>>) -> Self {
        Self { policy, asker, ..Self::default() }
    }

    pub(super) fn thinking(&self) -> Thinking {
        *self.thinking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A question is asked from now on.
    pub(super) fn begin_question(&self) {
        let mut thinking = self.thinking.lock().unwrap_or_else(PoisonError::into_inner);
        thinking.since = Some(Instant::now());
    }

    /// The question has ended.
    pub(super) fn end_question(&self) {
        let mut thinking = self.thinking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = thinking.since.take() {
            thinking.total += since.elapsed();
        }
        drop(thinking);
        self.question_ended.notify_one();
    }
}
