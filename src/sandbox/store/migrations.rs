//! The schema of the database, and how to bring an older one to it.

use rusqlite::Transaction;

/// What leads from each version to the next; version 0 is an empty file.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE IF NOT EXISTS models (
        id TEXT PRIMARY KEY,
        updated_at TEXT NOT NULL,
        body TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS models_newest_first ON models (updated_at DESC, id);
    CREATE TABLE IF NOT EXISTS syncs (
        id TEXT PRIMARY KEY,
        updated_at TEXT NOT NULL,
        active INTEGER NOT NULL,
        mode TEXT NOT NULL,
        target_connection_id TEXT NOT NULL,
        body TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS syncs_newest_first ON syncs (updated_at DESC, id);
    CREATE TABLE IF NOT EXISTS jobs (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        type TEXT NOT NULL,
        status TEXT NOT NULL,
        error TEXT,
        result TEXT
    );
    CREATE TABLE IF NOT EXISTS idempotency (
        key TEXT PRIMARY KEY,
        claimed_at INTEGER NOT NULL,
        status INTEGER,
        body BLOB
    );
    ",
    // Version 1 knew one organization and one process.
    "
    ALTER TABLE models ADD COLUMN organization_id TEXT NOT NULL DEFAULT '7d1c1f6e-5a0b-4c57-9f0e-2b8f6d3a9c41';
    ALTER TABLE syncs ADD COLUMN organization_id TEXT NOT NULL DEFAULT '7d1c1f6e-5a0b-4c57-9f0e-2b8f6d3a9c41';
    ALTER TABLE jobs ADD COLUMN organization_id TEXT NOT NULL DEFAULT '7d1c1f6e-5a0b-4c57-9f0e-2b8f6d3a9c41';
    ALTER TABLE jobs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
    ALTER TABLE jobs ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX unfinished_jobs ON jobs (owner) WHERE status IN ('created', 'running');
    CREATE TABLE keys (
        organization_id TEXT NOT NULL,
        key TEXT NOT NULL,
        owner TEXT NOT NULL,
        claimed_at INTEGER NOT NULL,
        status INTEGER,
        body BLOB,
        PRIMARY KEY (organization_id, key)
    ) WITHOUT ROWID;
    INSERT INTO keys SELECT '7d1c1f6e-5a0b-4c57-9f0e-2b8f6d3a9c41', key, '', claimed_at, status, body FROM idempotency
        WHERE status IS NOT NULL;
    DROP TABLE idempotency;
    CREATE TABLE connections (
        id TEXT PRIMARY KEY,
        organization_id TEXT NOT NULL,
        created_at TEXT NOT NULL,
        body TEXT NOT NULL
    );
    CREATE TABLE connect_sessions (
        token TEXT PRIMARY KEY,
        organization_id TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        body TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE sync_error_handling (sync_id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE executions (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        organization_id TEXT NOT NULL,
        sync_id TEXT NOT NULL,
        owner TEXT NOT NULL,
        status TEXT NOT NULL,
        is_final INTEGER NOT NULL,
        body TEXT NOT NULL
    );
    CREATE INDEX executions_of_sync ON executions (sync_id, number);
    CREATE INDEX unfinished_executions ON executions (owner) WHERE NOT is_final;
    CREATE TABLE execution_logs (
        number INTEGER PRIMARY KEY,
        execution_id TEXT NOT NULL,
        logged_at TEXT NOT NULL,
        level TEXT NOT NULL,
        message TEXT NOT NULL
    );
    CREATE INDEX logs_of_execution ON execution_logs (execution_id, number);
    CREATE TABLE bulk_syncs (
        id TEXT PRIMARY KEY,
        organization_id TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        active INTEGER NOT NULL,
        body TEXT NOT NULL
    );
    CREATE TABLE settings (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
    ",
];

/// The version of this release.
#[allow(clippy::cast_possible_truncation, reason = "a handful")]
pub(super) const VERSION: u32 = MIGRATIONS.len() as u32;

/// Brings the database from `version` to the current one.
pub(super) fn migrate(transaction: &Transaction<'_>, version: u32) -> rusqlite::Result<()> {
    // The first files of version 1 lack some of its tables.
    let done = if version <= 1 { 0 } else { usize::try_from(version).unwrap_or(usize::MAX) };
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)
}
