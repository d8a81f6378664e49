//! The log on stderr. It never contains arguments, records, bodies or keys.
//!
//! Other crates log errors only, whatever the level: rmcp logs complete requests, and HTTP libraries print headers.

use std::io::IsTerminal;

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log, and sends panics to it.
pub(crate) fn start(level: LevelFilter) {
    let is_enabled = move |metadata: &Metadata<'_>| {
        let is_ours = metadata.target().starts_with(env!("CARGO_CRATE_NAME"));
        *metadata.level() <= if is_ours { level } else { level.min(LevelFilter::ERROR) }
    };
    // The hint lets tracing skip everything below the level, ours or another crate's: spans cost time.
    let filter = filter_fn(is_enabled).with_max_level_hint(level);
    let stderr = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && !no_color())
        // It would report on stderr that stderr failed, and panic.
        .log_internal_errors(false)
        .with_filter(filter);
    let _ = tracing_subscriber::registry().with(stderr).try_init();
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(message, location, "panic");
    }));
}

#[expect(clippy::disallowed_methods, reason = "a convention of terminals, not a setting")]
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
