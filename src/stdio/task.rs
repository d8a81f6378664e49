//! Runs the loop of a server as a task.

use std::future::Future;
use std::panic::resume_unwind;

/// Runs a future as a task, and waits for its output.
///
/// A runtime of one thread wakes its tasks without the kernel, but the future that it blocks on through an eventfd: a write and
/// two polls for each call (tokio 1.53, measured).
pub(crate) async fn run_as_task<F>(future: F) -> F::Output
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    match tokio::spawn(future).await {
        Ok(output) => output,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // Only the end of the runtime cancels it, and this future with it.
            Err(_) => std::future::pending().await,
        },
    }
}
