//! Writes the records of a model to the table of the target, as the mode of the sync says, in one transaction. Blocking.

use rusqlite::types::Value;
use rusqlite::{
    Connection, ErrorCode, Statement, Transaction, TransactionBehavior, params_from_iter,
};

use crate::sandbox::executions::execution::Counts;
use crate::sandbox::executions::plan::{Key, Output, Plan};
use crate::sandbox::executions::table::{TemporaryIndexes, prepare, quoted, target_error};
use crate::sandbox::http::error::ApiError;
use crate::sandbox::sources::Stream;

/// How many errors of records are kept; all are counted.
/// An endless query must not fill the disk.
const MAX_RECORDS: u64 = 10_000_000;
const MAX_KEPT_ERRORS: usize = 20;

/// What an execution has done.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) counts: Counts,
    /// The first errors of records.
    pub(super) errors: Vec<String>,
    /// Lines for the log.
    pub(super) log: Vec<String>,
}

/// Writes every row of the source. `may_commit` decides, after the last one, whether it counts.
///
/// # Errors
/// If the source cannot be read, the target cannot be written, or the commit is refused; then the target is as it was.
pub(super) fn write(
    connection: &mut Connection,
    table: &str,
    plan: &Plan,
    stream: &mut Stream<'_>,
    is_test: bool,
    may_commit: impl FnOnce() -> Result<(), ApiError>,
) -> Result<Report, ApiError> {
    let to_api_error = |error: rusqlite::Error| target_error(&error);
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(to_api_error)?;
    let mut report = Report { log: prepare(&tx, table, plan)?, ..Report::default() };
    if plan.mode == "replace" {
        let deleted = tx.execute(&format!("DELETE FROM {}", quoted(table)), []);
        report.counts.delete += deleted.map_err(to_api_error)? as u64;
    }
    let key = plan
        .key
        .as_ref()
        .filter(|_| !matches!(plan.mode.as_str(), "replace" | "append" | "snapshot"));
    let indexes = key.map(|key| TemporaryIndexes::create(&tx, table, key)).transpose()?;
    {
        let mut statements = Statements::prepare(&tx, table, plan, key).map_err(to_api_error)?;
        while let Some(mut row) = stream.next_row()? {
            if !plan.prepare(&mut row) {
                continue;
            }
            report.counts.total += 1;
            if report.counts.total > MAX_RECORDS {
                return Err(ApiError::invalid(format!(
                    "The model has more than {MAX_RECORDS} records, which is more than the sandbox writes."
                )));
            }
            if let Err(error) = statements.write(&plan.mode, &row, &mut report.counts) {
                let number = report.counts.total;
                let reason = match error {
                    RecordError::NoIdentity => "it has no value for its identity".to_owned(),
                    RecordError::Sqlite(error)
                        if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) =>
                    {
                        error.to_string()
                    }
                    RecordError::Sqlite(error) => return Err(target_error(&error)),
                };
                report.counts.error += 1;
                if report.errors.len() < MAX_KEPT_ERRORS {
                    report.errors.push(format!("Record {number} was not written: {reason}."));
                }
            }
        }
    }
    if let Some(indexes) = indexes {
        indexes.drop(&tx)?;
    }
    may_commit()?;
    if is_test {
        report.log.push("This was a test: the target is as it was.".to_owned());
        tx.rollback().map_err(to_api_error)?;
    } else {
        tx.commit().map_err(to_api_error)?;
    }
    Ok(report)
}

enum RecordError {
    NoIdentity,
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for RecordError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// A way to find the rows of a record.
struct Lookup<'a> {
    /// The indexes of its values among those of the key.
    parts: Vec<usize>,
    exists: Statement<'a>,
    update: Option<Statement<'a>>,
    delete: Statement<'a>,
}

struct Statements<'a> {
    key: Option<&'a Key>,
    lookups: Vec<Lookup<'a>>,
    insert: Statement<'a>,
    inserted: Vec<&'a Output>,
    updated: Vec<&'a Output>,
}

impl<'a> Statements<'a> {
    fn prepare(
        tx: &'a Transaction<'_>,
        table: &str,
        plan: &'a Plan,
        key: Option<&'a Key>,
    ) -> rusqlite::Result<Self> {
        let table = quoted(table);
        let inserted: Vec<&Output> = plan.outputs.iter().filter(|o| o.on_insert).collect();
        let updated: Vec<&Output> = plan.outputs.iter().filter(|o| o.on_update).collect();
        let columns: Vec<String> = inserted.iter().map(|output| quoted(&output.column)).collect();
        let values = vec!["?"; columns.len()].join(", ");
        let insert = match columns.is_empty() {
            true => tx.prepare(&format!("INSERT INTO {table} DEFAULT VALUES"))?,
            false => tx.prepare(&format!(
                "INSERT INTO {table} ({}) VALUES ({values})",
                columns.join(", ")
            ))?,
        };
        let key_columns: Vec<String> =
            key.map(|key| key.columns().map(quoted).collect()).unwrap_or_default();
        let all: Vec<usize> = (0..key_columns.len()).collect();
        let groups: Vec<Vec<usize>> = match key {
            Some(key) if key.needs_all => vec![all],
            _ => all.into_iter().map(|index| vec![index]).collect(),
        };
        let mut lookups = Vec::new();
        for parts in groups {
            let equal = |index: &usize| Some(format!("{} = ?", key_columns.get(*index)?));
            let condition = parts.iter().filter_map(equal).collect::<Vec<_>>().join(" AND ");
            let list = |operator: &str| -> Vec<String> {
                updated
                    .iter()
                    .map(|output| format!("{} {operator} ?", quoted(&output.column)))
                    .collect()
            };
            // The values twice: rows that have them already are left alone.
            let update = match updated.is_empty() {
                true => None,
                false => Some(tx.prepare(&format!(
                    "UPDATE {table} SET {} WHERE {condition} AND ({})",
                    list("=").join(", "),
                    list("IS NOT").join(" OR ")
                ))?),
            };
            lookups.push(Lookup {
                parts,
                exists: tx.prepare(&format!("SELECT 1 FROM {table} WHERE {condition} LIMIT 1"))?,
                update,
                delete: tx.prepare(&format!("DELETE FROM {table} WHERE {condition}"))?,
            });
        }
        Ok(Self { key, lookups, insert, inserted, updated })
    }

    /// Writes a record, and counts what was done.
    fn write(&mut self, mode: &str, row: &[Value], counts: &mut Counts) -> Result<(), RecordError> {
        let Some(key) = self.key else {
            return self.insert(row, counts);
        };
        let values: Vec<&Value> = key.values(row).collect();
        let mut has_identity = false;
        for lookup in &mut self.lookups {
            let values: Vec<&Value> =
                lookup.parts.iter().filter_map(|index| values.get(*index).copied()).collect();
            if values.contains(&&Value::Null) {
                continue;
            }
            has_identity = true;
            if mode == "remove" {
                let deleted = lookup.delete.execute(params_from_iter(values))?;
                counts.delete += deleted as u64;
                if deleted > 0 {
                    return Ok(());
                }
            } else if lookup.exists.exists(params_from_iter(&values))? {
                if mode != "create"
                    && let Some(update) = &mut lookup.update
                {
                    let new: Vec<&Value> = self.updated.iter().map(|o| o.value(row)).collect();
                    let parameters = new.iter().chain(&values).chain(&new);
                    counts.update += update.execute(params_from_iter(parameters))? as u64;
                }
                return Ok(());
            }
        }
        if !has_identity {
            return Err(RecordError::NoIdentity);
        }
        match mode {
            "create" | "updateOrCreate" => self.insert(row, counts),
            _ => Ok(()),
        }
    }

    fn insert(&mut self, row: &[Value], counts: &mut Counts) -> Result<(), RecordError> {
        self.insert.execute(params_from_iter(self.inserted.iter().map(|o| o.value(row))))?;
        counts.insert += 1;
        Ok(())
    }
}
