//! Reading within a limit: of time, and of statements at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::sandbox::error::ApiError;
use crate::sandbox::sources::catalog::Catalog;
use crate::sandbox::sources::interrupt::{Interrupt, InterruptOnDrop};
use crate::sandbox::sources::reader::{self, Selection, Table};

/// How many rows are looked at for types and examples.
pub(in crate::sandbox) const INSPECTED_ROWS: usize = 100;

/// Statements at once: each takes a thread, and the machine has other work.
const AT_ONCE: usize = 4;
/// Of these, how many may belong to background jobs, which can hold their place for a minute.
const IN_BACKGROUND: usize = 2;

/// When reading has to end.
#[derive(Debug)]
pub(in crate::sandbox) struct ReadLimit {
    time: Duration,
    deadline: Instant,
    gone: CancellationToken,
    background: bool,
}

impl ReadLimit {
    /// For a call that somebody waits for, until `gone` is cancelled.
    pub(in crate::sandbox) fn waiting(time: Duration, gone: CancellationToken) -> Self {
        Self { time, deadline: Instant::now() + time, gone, background: false }
    }

    /// For a job.
    pub(in crate::sandbox) fn background(time: Duration) -> Self {
        let gone = CancellationToken::new();
        Self { time, deadline: Instant::now() + time, gone, background: true }
    }

    fn passed(&self) -> ApiError {
        let seconds = self.time.as_secs();
        if self.background {
            ApiError::timed_out(format!("Reading took more than {seconds} s and was stopped."))
        } else {
            ApiError::timed_out(format!(
                "Reading took more than {seconds} s and was stopped; with async=true it may take \
                 longer, and the answer is a job."
            ))
        }
    }
}

/// The memory database with the business data.
#[derive(Debug)]
pub(in crate::sandbox) struct Source {
    uri: Arc<str>,
    catalog: Arc<Catalog>,
    places: Arc<Semaphore>,
    background: Semaphore,
}

impl Source {
    pub(in crate::sandbox) fn new(uri: &str, catalog: Catalog) -> Self {
        Self {
            uri: uri.into(),
            catalog: Arc::new(catalog),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            background: Semaphore::new(IN_BACKGROUND),
        }
    }

    pub(in crate::sandbox) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The columns of a selection and at most `rows` of its rows.
    ///
    /// Cancel-safe: dropping it interrupts the statement.
    ///
    /// # Errors
    /// 400 for what cannot be read, 408 past the limit, and the client's leaving.
    pub(in crate::sandbox) async fn read(
        &self,
        selection: Selection,
        rows: usize,
        limit: &ReadLimit,
    ) -> Result<Table, ApiError> {
        let stop = Arc::new(Interrupt::default());
        // Whatever ends this future, the statement ends with it.
        let _stopped = InterruptOnDrop(Arc::clone(&stop));
        tokio::select! {
            biased;
            () = limit.gone.cancelled() => Err(ApiError::client_left()),
            () = tokio::time::sleep_until(limit.deadline) => Err(limit.passed()),
            table = self.read_in_place(selection, rows, limit, stop) => table,
        }
    }

    async fn read_in_place(
        &self,
        selection: Selection,
        rows: usize,
        limit: &ReadLimit,
        stop: Arc<Interrupt>,
    ) -> Result<Table, ApiError> {
        let closed = |error| ApiError::internal(&error);
        let _background = match limit.background {
            true => Some(self.background.acquire().await.map_err(closed)?),
            false => None,
        };
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(closed)?;
        let (uri, catalog) = (Arc::clone(&self.uri), Arc::clone(&self.catalog));
        let read = move || {
            // The place belongs to the thread: an interrupted statement may need a moment more.
            let _place = place;
            reader::read(&uri, &catalog, &selection, rows, &stop)
        };
        tokio::task::spawn_blocking(read).await.map_err(|error| ApiError::internal(&error))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::seed;

    #[tokio::test]
    async fn a_passed_limit_stops_the_statement_and_frees_its_place() {
        let (_data, source) = seed::make().unwrap();
        let endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
                       SELECT count(*) FROM c";
        let short = Duration::from_millis(50);
        for round in 0..2 * AT_ONCE {
            let limit = match round % 2 {
                0 => ReadLimit::background(short),
                _ => ReadLimit::waiting(short, CancellationToken::new()),
            };
            let started = Instant::now();
            let read = source.read(Selection::Query(endless.to_owned()), 1, &limit).await;
            let message = read.unwrap_err().message().to_owned();
            assert!(message.contains("was stopped"), "{message}");
            assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        }
        let free = tokio::time::timeout(
            Duration::from_secs(2),
            source.places.acquire_many(u32::try_from(AT_ONCE).unwrap()),
        );
        assert!(free.await.is_ok(), "a statement went on");
    }
}
