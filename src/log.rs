//! The log on stderr: words for people, never arguments, records, bodies or keys.
//!
//! Other crates are heard only where they fail, whatever level is asked for: rmcp logs whole requests, and
//! HTTP libraries print headers.

use std::io::IsTerminal;

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log, and has panics go there.
pub(crate) fn start(level: LevelFilter) {
    let heard = move |metadata: &Metadata<'_>| {
        let own = metadata.target().starts_with(env!("CARGO_CRATE_NAME"));
        *metadata.level() <= if own { level } else { level.min(LevelFilter::ERROR) }
    };
    // With the hint nothing below the level is looked at, ours or another crate's: spans cost.
    let heard = filter_fn(heard).with_max_level_hint(level);
    let stderr = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && !no_color())
        // Told on stderr, which is what has failed: that would be a panic.
        .log_internal_errors(false)
        .with_filter(heard);
    let _ = tracing_subscriber::registry().with(stderr).try_init();
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(message, location, "panic");
    }));
}

#[expect(clippy::disallowed_methods, reason = "no setting of ours: a convention of terminals")]
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
