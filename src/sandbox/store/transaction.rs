//! A transaction, with what belongs to it: the time of the sandbox, and who runs it.

use std::ops::Deref;

use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{OptionalExtension, Transaction};

use crate::sandbox::store::owner::Owner;

/// A transaction.
pub(in crate::sandbox) struct Tx<'a> {
    transaction: Transaction<'a>,
    pub(super) owner: &'a Owner,
    now: DateTime<Utc>,
}

impl<'a> Tx<'a> {
    pub(super) fn new(transaction: Transaction<'a>, owner: &'a Owner) -> rusqlite::Result<Self> {
        let offset: Option<i64> = transaction
            .prepare_cached("SELECT value FROM settings WHERE name = 'clock_offset_seconds'")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let offset = chrono::Duration::try_seconds(offset.unwrap_or_default());
        let now = Utc::now();
        let now = offset.and_then(|offset| now.checked_add_signed(offset)).unwrap_or(now);
        Ok(Self { transaction, owner, now })
    }

    /// The time, which the clock of the sandbox may have moved.
    pub(in crate::sandbox) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    pub(super) fn commit(self) -> rusqlite::Result<()> {
        self.transaction.commit()
    }
}

impl<'a> Deref for Tx<'a> {
    type Target = Transaction<'a>;

    fn deref(&self) -> &Self::Target {
        &self.transaction
    }
}

/// A time in the format of the API.
pub(in crate::sandbox) fn format_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
