//! Runs what reads a source: within a time limit, a limited number at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::sources::interrupt::{Interrupt, InterruptOnDrop};

/// Every statement occupies a thread.
const MAX_CONCURRENT_READS: usize = 4;
/// Fewer than all permits, since a background job may hold one for a minute.
const MAX_BACKGROUND_READS: usize = 2;

/// How long an interrupted thread may keep the permit of another one. Only a step that cannot be interrupted takes so long.
const INTERRUPT_GRACE: Duration = Duration::from_secs(1);
/// Threads that may go on without a permit.
const MAX_ABANDONED_THREADS: usize = 8;

/// When a read must stop: at its deadline, or when its client disconnects.
#[derive(Debug)]
pub(in crate::sandbox) struct ReadLimit {
    timeout: Duration,
    deadline: Instant,
    disconnected: CancellationToken,
    kind: Kind,
}

/// What a read that takes too long can be replaced by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// By a background job.
    Synchronous,
    /// It is one.
    Background,
    /// The operation has none.
    WithoutJob,
}

impl ReadLimit {
    /// For a request whose client waits, until `disconnected` is cancelled.
    pub(in crate::sandbox) fn synchronous(
        timeout: Duration,
        disconnected: CancellationToken,
    ) -> Self {
        Self { timeout, deadline: Instant::now() + timeout, disconnected, kind: Kind::Synchronous }
    }

    /// For a request of an operation that cannot become a job.
    pub(in crate::sandbox) fn without_job(timeout: Duration) -> Self {
        let kind = Kind::WithoutJob;
        Self { kind, ..Self::synchronous(timeout, CancellationToken::new()) }
    }

    /// For a background job.
    pub(in crate::sandbox) fn background(timeout: Duration) -> Self {
        Self { kind: Kind::Background, ..Self::without_job(timeout) }
    }

    /// How long a server may work on it: a little longer, so that the error is that of the sandbox.
    #[cfg(feature = "postgres")]
    pub(super) fn server_timeout(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()) + INTERRUPT_GRACE
    }

    fn timeout_error(&self) -> ApiError {
        let seconds = self.timeout.as_secs();
        let advice = match self.kind {
            Kind::Synchronous => "; retry with async=true to run it longer, as a background job",
            Kind::Background | Kind::WithoutJob => "",
        };
        ApiError::invalid(format!("The query was stopped after {seconds} s{advice}."))
    }
}

/// The threads that read.
#[derive(Debug)]
pub(super) struct Readers {
    permits: Arc<Semaphore>,
    background_permits: Semaphore,
    abandoned: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(MAX_CONCURRENT_READS)),
            background_permits: Semaphore::new(MAX_BACKGROUND_READS),
            abandoned: Arc::new(Semaphore::new(MAX_ABANDONED_THREADS)),
        }
    }

    /// Waits for what reads elsewhere than on a thread.
    ///
    /// # Errors
    /// As those of `run`.
    #[cfg(feature = "postgres")]
    pub(super) async fn wait<T>(
        &self,
        limit: &ReadLimit,
        read: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        tokio::select! {
            biased;
            () = limit.disconnected.cancelled() => Err(ApiError::client_disconnected()),
            () = tokio::time::sleep_until(limit.deadline) => Err(limit.timeout_error()),
            result = read => result,
        }
    }

    /// Runs `read` on a thread.
    ///
    /// Cancel-safe: dropping it interrupts the statement.
    ///
    /// # Errors
    /// That of `read`; 400 past the deadline, 499 if the client disconnects, 503 if too many threads do not stop.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        limit: &ReadLimit,
        read: impl FnOnce(&Arc<Interrupt>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let interrupt = Arc::new(Interrupt::default());
        // However this future ends, the statement ends with it.
        let _interrupt_on_drop = InterruptOnDrop(Arc::clone(&interrupt));
        tokio::select! {
            biased;
            () = limit.disconnected.cancelled() => Err(ApiError::client_disconnected()),
            () = tokio::time::sleep_until(limit.deadline) => Err(limit.timeout_error()),
            result = self.run_with_permit(limit, interrupt, read) => result,
        }
    }

    async fn run_with_permit<T: Send + 'static>(
        &self,
        limit: &ReadLimit,
        interrupt: Arc<Interrupt>,
        read: impl FnOnce(&Arc<Interrupt>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let closed = |error| ApiError::internal(&error);
        let _background_permit = match limit.kind {
            Kind::Background => Some(self.background_permits.acquire().await.map_err(closed)?),
            Kind::Synchronous | Kind::WithoutJob => None,
        };
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if self.abandoned.available_permits() == 0 => {
                return Err(ApiError::unavailable(format!(
                    "{MAX_ABANDONED_THREADS} queries that were stopped have not ended yet; retry later, and restart the \
                     sandbox if that does not help."
                )));
            }
            Err(_) => Arc::clone(&self.permits).acquire_owned().await.map_err(closed)?,
        };
        let (sender, result) = oneshot::channel();
        let of_thread = Arc::clone(&interrupt);
        let thread = tokio::task::spawn_blocking(move || {
            // Fails if nobody waits for it any more.
            let _ = sender.send(read(&of_thread));
        });
        tokio::spawn(release(permit, thread, interrupt, Arc::clone(&self.abandoned)));
        result.await.map_err(|_| ApiError::internal(&"a reader panicked"))?
    }
}

/// Gives the permit back when the thread has ended, or a moment after its interrupt if others may take its place.
async fn release(
    permit: OwnedSemaphorePermit,
    mut thread: JoinHandle<()>,
    interrupt: Arc<Interrupt>,
    abandoned: Arc<Semaphore>,
) {
    let abandon = async {
        interrupt.requested().await;
        tokio::time::sleep(INTERRUPT_GRACE).await;
        abandoned.acquire_owned().await
    };
    let _slot = tokio::select! {
        biased;
        _ = &mut thread => return,
        slot = abandon => slot,
    };
    drop(permit);
    tracing::warn!("a query that was stopped has not ended yet; its reader is replaced");
    // Ends with the statement; a panic has been reported to the request already.
    let _ = thread.await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::seed;
    use crate::sandbox::sources::reader::Selection;
    use crate::sandbox::sources::source::Source;

    #[tokio::test]
    async fn a_timeout_stops_the_statement_and_releases_its_permit() {
        let data = seed::create_shop(seed::SeedData::Small).unwrap();
        let source = Source::fixed(data.schemas(), Arc::new(Readers::new())).unwrap();
        let endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
                       SELECT count(*) FROM c";
        let short = Duration::from_millis(50);
        for round in 0..2 * MAX_CONCURRENT_READS {
            let limit = match round % 2 {
                0 => ReadLimit::background(short),
                _ => ReadLimit::synchronous(short, CancellationToken::new()),
            };
            let started = Instant::now();
            let result = source.read(Selection::Query(endless.to_owned()), 1, &limit).await;
            let message = result.unwrap_err().message().to_owned();
            assert!(message.contains("was stopped"), "{message}");
            assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        }
        wait_for_all_permits(&source.readers).await;
    }

    #[tokio::test]
    async fn a_reader_that_does_not_stop_is_replaced_until_there_are_too_many() {
        let readers = Readers::new();
        // Each ends when its sender is dropped.
        let mut running = Vec::new();
        let batches = MAX_ABANDONED_THREADS / MAX_CONCURRENT_READS;
        for batch in 0..=batches {
            let stuck = (0..MAX_CONCURRENT_READS).map(|_| {
                let (hold, held) = std::sync::mpsc::channel::<()>();
                running.push(hold);
                let readers = &readers;
                async move {
                    let limit = ReadLimit::without_job(Duration::from_millis(50));
                    readers.run(&limit, move |_| Ok(held.recv().is_ok())).await
                }
            });
            for result in futures_util::future::join_all(stuck).await {
                let error = result.unwrap_err();
                assert!(error.message().contains("was stopped after 0 s."), "{error:?}");
            }
            if batch < batches {
                wait_for_all_permits(&readers).await;
            }
        }
        let limit = ReadLimit::without_job(Duration::from_secs(10));
        let error = readers.run(&limit, |_| Ok(())).await.unwrap_err();
        assert!(error.message().contains("8 queries that were stopped"), "{error:?}");
        drop(running);
        wait_for_all_permits(&readers).await;
    }

    async fn wait_for_all_permits(readers: &Readers) {
        let all = u32::try_from(MAX_CONCURRENT_READS).unwrap();
        let permits = readers.permits.acquire_many(all);
        let permits = tokio::time::timeout(Duration::from_secs(10), permits).await;
        assert!(permits.is_ok(), "a reader is still occupied");
    }
}
