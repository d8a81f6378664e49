//! Asks the user of `call` at the terminal, or takes `--yes` instead.

use std::io::IsTerminal;
use std::sync::Arc;

use super::spinner::Spinner;
use crate::cli::plain_text::plain_lines;
use crate::registry::{Asker, Asking, Decision, Question, QuestionHistory};
use crate::stderr;

/// Asks the user at the terminal, unless `--yes` has decided. Nobody is asked without either.
pub(super) fn asker(is_confirmed: bool, spinner: &Arc<Spinner>) -> Option<Arc<dyn Asker>> {
    let has_terminal = || std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let history = QuestionHistory::default();
    if is_confirmed {
        return Some(Arc::new(Confirmed { history }));
    }
    let spinner = Arc::clone(spinner);
    has_terminal().then(|| Arc::new(Terminal { spinner, history }) as _)
}

struct Confirmed {
    history: QuestionHistory,
}

impl Asker for Confirmed {
    fn ask<'a>(&'a self, _: &'a Question) -> Asking<'a> {
        Box::pin(async { Decision::Accepted })
    }

    fn history(&self) -> &QuestionHistory {
        &self.history
    }

    fn has_agreed(&self) -> bool {
        true
    }
}

struct Terminal {
    spinner: Arc<Spinner>,
    history: QuestionHistory,
}

impl Asker for Terminal {
    fn ask<'a>(&'a self, question: &'a Question) -> Asking<'a> {
        Box::pin(async move {
            self.spinner.pause();
            stderr::print(&plain_lines(&question.text));
            stderr::print("Type y to confirm, anything else to stop:");
            stderr::flush();
            let line = tokio::task::spawn_blocking(|| {
                let mut line = String::new();
                std::io::stdin().read_line(&mut line).map(|bytes| (bytes, line))
            });
            let decision = match line.await {
                Ok(Ok((1.., line))) => match line.trim().to_ascii_lowercase().as_str() {
                    "y" | "yes" => Decision::Accepted,
                    _ => Decision::Declined,
                },
                // The end of the input, or an error.
                _ => Decision::Cancelled,
            };
            self.spinner.resume();
            decision
        })
    }

    fn history(&self) -> &QuestionHistory {
        &self.history
    }
}
