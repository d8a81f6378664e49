//! The log on stderr. It never contains arguments, records, bodies or keys, and never waits for stderr to be read.
//!
//! Other crates log errors only, whatever the level: rmcp logs complete requests, and HTTP libraries print headers.
//! A warning that repeats is logged once in a while, and counted: a client may cause any number of them.

use std::fmt::Debug;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::stderr;

/// How long a warning is counted, and not logged, after it was logged.
const REPEAT_INTERVAL: Duration = Duration::from_secs(60);

static REPEATS: Mutex<Repeats> = Mutex::new(Repeats { warnings: Vec::new() });

/// Starts the log, and sends panics to it.
pub(crate) fn start(level: LevelFilter) {
    let is_enabled = move |metadata: &Metadata<'_>| {
        let is_ours = metadata.target().starts_with(env!("CARGO_CRATE_NAME"));
        *metadata.level() <= if is_ours { level } else { level.min(LevelFilter::ERROR) }
    };
    // The hint lets tracing skip everything below the level, ours or another crate's: spans cost time.
    let filter = filter_fn(is_enabled).with_max_level_hint(level);
    let layer = tracing_subscriber::fmt::layer()
        .event_format(WithoutRepeats(Format::default()))
        .with_writer(|| stderr::LogWriter)
        .with_ansi(std::io::stderr().is_terminal() && !no_color())
        // It would report on stderr that stderr failed, and panic.
        .log_internal_errors(false)
        .with_filter(filter);
    let _ = tracing_subscriber::registry().with(layer).try_init();
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(message, location, "panic");
    }));
}

/// Ends the log: reports the warnings that were counted, and waits for stderr if it is read.
pub(crate) fn finish() {
    let reports: Vec<String> = repeats().warnings.iter_mut().filter_map(Warning::report).collect();
    for report in reports {
        stderr::print(&report);
    }
    stderr::flush();
}

#[expect(clippy::disallowed_methods, reason = "a convention of terminals, not a setting")]
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// The usual format; nothing for a repeated warning. A filter of the layer cannot leave events out by their
/// fields: with a cached interest, tracing-subscriber 0.3.23 fails an assertion.
struct WithoutRepeats(Format);

impl<S, N> FormatEvent<S, N> for WithoutRepeats
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        cx: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        if *event.metadata().level() == Level::WARN {
            let mut message = Message::default();
            event.record(&mut message);
            if !repeats().admit(event.metadata().target(), message.0, Instant::now()) {
                return Ok(());
            }
        }
        self.0.format_event(cx, writer, event)
    }
}

/// The message of an event, which is constant; what differs is in its other fields.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// The kinds of warnings so far.
struct Repeats {
    warnings: Vec<Warning>,
}

/// The warnings with one message of one module.
struct Warning {
    module: &'static str,
    message: String,
    logged: Instant,
    left_out: u64,
}

fn repeats() -> MutexGuard<'static, Repeats> {
    REPEATS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Repeats {
    /// Whether a warning is logged; otherwise it is counted.
    fn admit(&mut self, module: &'static str, message: String, now: Instant) -> bool {
        let is_same = |w: &&mut Warning| w.module == module && w.message == message;
        let Some(warning) = self.warnings.iter_mut().find(is_same) else {
            self.warnings.push(Warning { module, message, logged: now, left_out: 0 });
            return true;
        };
        if now.duration_since(warning.logged) < REPEAT_INTERVAL {
            warning.left_out += 1;
            return false;
        }
        warning.logged = now;
        if let Some(report) = warning.report() {
            stderr::print(&report);
        }
        true
    }
}

impl Warning {
    /// How many were left out since the last one that was logged.
    fn report(&mut self) -> Option<String> {
        let count = std::mem::take(&mut self.left_out);
        let message = &self.message;
        (count > 0).then(|| {
            format!(
                "polytomic-mcp: the warning \"{message}\" repeated; repeats not logged: {count}"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_warning_is_logged_once_a_minute_and_counted() {
        let mut repeats = Repeats { warnings: Vec::new() };
        let start = Instant::now();
        let mut admitted = |message: &str, seconds| {
            repeats.admit("module", message.to_owned(), start + Duration::from_secs(seconds))
        };
        assert!(admitted("a", 0) && !admitted("a", 0) && !admitted("a", 59));
        assert!(admitted("b", 59), "another message is another warning");
        assert!(admitted("a", 60) && !admitted("a", 119));
        assert!(repeats.admit("other module", "a".to_owned(), start));
        let reports: Vec<_> = repeats.warnings.iter_mut().filter_map(Warning::report).collect();
        assert_eq!(reports, ["polytomic-mcp: the warning \"a\" repeated; repeats not logged: 1"]);
        assert_eq!(repeats.warnings.iter_mut().find_map(Warning::report), None);
    }
}
