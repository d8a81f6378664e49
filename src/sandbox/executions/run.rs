//! Runs an execution in the background, until it has ended, is cancelled through any process, or takes too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use uuid::Uuid;

use crate::sandbox::connections::connection::Connection;
use crate::sandbox::executions::execution::Status;
use crate::sandbox::executions::plan::{Plan, only_model, table_name};
use crate::sandbox::executions::table;
use crate::sandbox::executions::writer::{self, Report};
use crate::sandbox::http::error::ApiError;
use crate::sandbox::models::model::Model;
use crate::sandbox::sources::{ReadLimit, TARGET};
use crate::sandbox::state::AppState;
use crate::sandbox::store::{self, Tx, format_time};
use crate::sandbox::syncs::sync::ModelSync;

const TIMEOUT: Duration = Duration::from_secs(600);
/// How often the store is asked whether to go on: the request to cancel may come to another process.
const CANCEL_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// How an execution ended.
enum Ending {
    Completed(Report),
    Canceled,
    Failed(ApiError),
}

/// Runs an execution that has been stored.
pub(super) async fn run(app: Arc<AppState>, id: Uuid) {
    // In its own task: a panic must not leave the execution running forever.
    let work = app.tasks.spawn(start(Arc::clone(&app), id));
    let ending = match work.await {
        Ok(Ok(ending)) => ending,
        Ok(Err(error)) => Ending::Failed(error),
        Err(error) => Ending::Failed(ApiError::internal(&error)),
    };
    let finish = move |tx: &Tx<'_>| {
        let Some(mut execution) = store::executions::unchecked(tx, id)? else {
            return Ok(());
        };
        execution.completed_at = Some(format_time(tx.now()));
        match ending {
            Ending::Completed(report) => {
                execution.status = Status::Completed;
                execution.counts = report.counts;
                for line in report.log {
                    store::executions::log(tx, id, "info", &line)?;
                }
                for error in &report.errors {
                    store::executions::log(tx, id, "error", error)?;
                }
                execution.errors = report.errors;
                let counts = execution.counts;
                let line = format!(
                    "Completed: {} records, of which {} were inserted, {} updated, {} deleted and {} not written.",
                    counts.total, counts.insert, counts.update, counts.delete, counts.error
                );
                store::executions::log(tx, id, "info", &line)?;
            }
            Ending::Canceled => {
                execution.status = Status::Canceled;
                let line = "Canceled; nothing was written.";
                store::executions::log(tx, id, "info", line)?;
            }
            Ending::Failed(error) => {
                execution.status = Status::Failed;
                execution.errors.push(error.message().to_owned());
                store::executions::log(tx, id, "error", error.message())?;
            }
        }
        store::executions::update(tx, &execution)
    };
    // An error is logged already, and a broken store cannot record it for the caller.
    let _ = app.store.write(finish).await;
}

/// What an execution works with.
struct Inputs {
    model: Model,
    source: Connection,
    target: Connection,
}

async fn start(app: Arc<AppState>, id: Uuid) -> Result<Ending, ApiError> {
    let begin = move |tx: &Tx<'_>| {
        let created = store::executions::unchecked(tx, id)?
            .filter(|execution| execution.status == Status::Created);
        let Some(mut execution) = created else {
            return Ok(None);
        };
        let sync = store::syncs::find(tx, execution.organization_id, execution.sync_id)?;
        let Some(sync) = sync else {
            return Ok(None);
        };
        execution.status = Status::Running;
        execution.started_at = Some(format_time(tx.now()));
        store::executions::update(tx, &execution)?;
        let inputs = inputs(tx, &sync);
        if let Ok(Inputs { model, source, target }) = &inputs {
            let line = format!(
                "Reading model \"{}\" from connection \"{}\" and writing to \"{}\", mode {}.",
                model.name, source.name, target.name, sync.mode
            );
            store::executions::log(tx, id, "info", &line)?;
        }
        Ok(Some((execution, sync, inputs)))
    };
    let Some((execution, sync, inputs)) = app.store.write(begin).await? else {
        return Ok(Ending::Canceled);
    };
    let Inputs { model, source, target } = inputs?;

    let source = app.sources.open(&source)?;
    let uri = app.sources.writable(&target)?;
    let is_own = target.setting("path") == Some(TARGET);
    let selection = model.configuration.selection()?;
    let table = table_name(&sync)?;
    // The first one to set it decides: the thread to commit, or this task to stop it.
    let is_decided = Arc::new(AtomicBool::new(false));
    let decided = Arc::clone(&is_decided);
    // The deadline is kept below, where it cannot pass during a commit.
    let limit = ReadLimit::background(TIMEOUT * 10);
    let work = source.stream(selection, &limit, move |stream| {
        let plan = Plan::new(&sync, &model, stream.columns(), &execution.options)?;
        let mut connection = table::open(&uri, is_own)?;
        let is_test = execution.options.test.unwrap_or_default();
        writer::write(&mut connection, &table, &plan, stream, is_test, || {
            match decided.swap(true, Ordering::AcqRel) {
                true => Err(ApiError::client_disconnected()),
                false => Ok(()),
            }
        })
    });
    let mut work = std::pin::pin!(work);
    let deadline = tokio::time::Instant::now() + TIMEOUT;
    loop {
        tokio::select! {
            biased;
            result = &mut work => return result.map(Ending::Completed),
            () = tokio::time::sleep(CANCEL_CHECK_INTERVAL) => {}
        }
        let status = app.store.read(move |tx| store::executions::status(tx, id)).await;
        // A store that cannot be read says nothing; the work goes on.
        let is_cancelled = status.is_ok_and(|status| status != Some(Status::Running));
        let is_late = tokio::time::Instant::now() >= deadline;
        if (is_cancelled || is_late) && !is_decided.swap(true, Ordering::AcqRel) {
            // Dropping the work interrupts it, and its transaction ends with it.
            return if is_cancelled {
                Ok(Ending::Canceled)
            } else {
                let seconds = TIMEOUT.as_secs();
                Err(ApiError::invalid(format!("The execution was stopped after {seconds} s.")))
            };
        }
    }
}

/// Finds the model and the connections of a sync, which may be gone since it was saved.
fn inputs(tx: &Tx<'_>, sync: &ModelSync) -> Result<Inputs, ApiError> {
    let organization_id = sync.organization_id;
    let model_id = only_model(sync)?;
    let model = store::models::find(tx, organization_id, model_id)?.ok_or_else(|| {
        ApiError::invalid(format!("Model {model_id} of this sync does not exist; it was deleted."))
    })?;
    let connection = |id, role: &str| {
        store::connections::find(tx, organization_id, id)?.ok_or_else(|| {
            ApiError::invalid(format!("Connection {id}, the {role} of this sync, does not exist."))
        })
    };
    let source = connection(model.connection_id, "source")?;
    let target = connection(sync.target.connection_id.unwrap_or_default(), "target")?;
    Ok(Inputs { model, source, target })
}
