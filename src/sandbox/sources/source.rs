//! Reads the business data within a time limit, with a limited number of concurrent statements.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::sources::catalog::Catalog;
use crate::sandbox::sources::interrupt::{Interrupt, InterruptOnDrop};
use crate::sandbox::sources::reader::{self, Selection, Table};

/// How many rows are read to infer types and examples.
pub(in crate::sandbox) const INSPECTED_ROWS: usize = 100;

/// Every statement occupies a thread.
const MAX_CONCURRENT_READS: usize = 4;
/// Fewer than all permits, since a background job may hold one for a minute.
const MAX_BACKGROUND_READS: usize = 2;

/// When a read must stop: at its deadline, or when its client disconnects.
#[derive(Debug)]
pub(in crate::sandbox) struct ReadLimit {
    timeout: Duration,
    deadline: Instant,
    disconnected: CancellationToken,
    is_background: bool,
}

impl ReadLimit {
    /// For a request whose client waits, until `disconnected` is cancelled.
    pub(in crate::sandbox) fn synchronous(
        timeout: Duration,
        disconnected: CancellationToken,
    ) -> Self {
        Self { timeout, deadline: Instant::now() + timeout, disconnected, is_background: false }
    }

    /// For a background job.
    pub(in crate::sandbox) fn background(timeout: Duration) -> Self {
        let disconnected = CancellationToken::new();
        Self { timeout, deadline: Instant::now() + timeout, disconnected, is_background: true }
    }

    fn timeout_error(&self) -> ApiError {
        let seconds = self.timeout.as_secs();
        if self.is_background {
            ApiError::timed_out(format!("The query was stopped after {seconds} s."))
        } else {
            ApiError::timed_out(format!(
                "The query was stopped after {seconds} s; retry with async=true to run it longer, \
                 as a background job."
            ))
        }
    }
}

/// The in-memory database with the business data.
#[derive(Debug)]
pub(in crate::sandbox) struct Source {
    uri: Arc<str>,
    catalog: Arc<Catalog>,
    permits: Arc<Semaphore>,
    background_permits: Semaphore,
}

impl Source {
    pub(in crate::sandbox) fn new(uri: &str, catalog: Catalog) -> Self {
        Self {
            uri: uri.into(),
            catalog: Arc::new(catalog),
            permits: Arc::new(Semaphore::new(MAX_CONCURRENT_READS)),
            background_permits: Semaphore::new(MAX_BACKGROUND_READS),
        }
    }

    pub(in crate::sandbox) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Reads the columns and at most `max_rows` rows of a selection.
    ///
    /// Cancel-safe: dropping it interrupts the statement.
    ///
    /// # Errors
    /// 400 for an invalid selection, 408 past the deadline, 499 if the client disconnects.
    pub(in crate::sandbox) async fn read(
        &self,
        selection: Selection,
        max_rows: usize,
        limit: &ReadLimit,
    ) -> Result<Table, ApiError> {
        let interrupt = Arc::new(Interrupt::default());
        // However this future ends, the statement ends with it.
        let _interrupt_on_drop = InterruptOnDrop(Arc::clone(&interrupt));
        tokio::select! {
            biased;
            () = limit.disconnected.cancelled() => Err(ApiError::client_disconnected()),
            () = tokio::time::sleep_until(limit.deadline) => Err(limit.timeout_error()),
            table = self.read_with_permit(selection, max_rows, limit, interrupt) => table,
        }
    }

    async fn read_with_permit(
        &self,
        selection: Selection,
        max_rows: usize,
        limit: &ReadLimit,
        interrupt: Arc<Interrupt>,
    ) -> Result<Table, ApiError> {
        let closed = |error| ApiError::internal(&error);
        let _background_permit = match limit.is_background {
            true => Some(self.background_permits.acquire().await.map_err(closed)?),
            false => None,
        };
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(closed)?;
        let (uri, catalog) = (Arc::clone(&self.uri), Arc::clone(&self.catalog));
        let read = move || {
            // Held by the thread, since an interrupted statement may take a moment to end.
            let _permit = permit;
            reader::read(&uri, &catalog, &selection, max_rows, &interrupt)
        };
        tokio::task::spawn_blocking(read).await.map_err(|error| ApiError::internal(&error))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::seed;

    #[tokio::test]
    async fn a_timeout_stops_the_statement_and_releases_its_permit() {
        let (_data, source) = seed::create_database().unwrap();
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
        let all_permits = tokio::time::timeout(
            Duration::from_secs(2),
            source.permits.acquire_many(u32::try_from(MAX_CONCURRENT_READS).unwrap()),
        );
        assert!(all_permits.await.is_ok(), "a statement is still running");
    }
}
