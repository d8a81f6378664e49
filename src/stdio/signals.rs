//! SIGTERM and SIGINT as a cancellation token.

use tokio_util::sync::CancellationToken;

/// A token that the first SIGTERM or SIGINT cancels. Must be called inside a runtime, which owns the waiting
/// task.
#[cfg(unix)]
pub(crate) fn shutdown_on_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        token.cancel();
    });
    Ok(shutdown)
}

/// The same as on Unix, for Ctrl-C only.
#[cfg(not(unix))]
pub(crate) fn shutdown_on_signal() -> std::io::Result<CancellationToken> {
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            token.cancel();
        }
    });
    Ok(shutdown)
}
