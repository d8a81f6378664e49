//! What the sandbox received, for tests and for the page. It has neither keys nor values of queries and bodies.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::{HeaderMap, Method, Uri};
use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::sandbox::accounts::{Caller, Keys};

/// Only the newest are kept.
const MAX_ENTRIES: usize = 1_000;
const MAX_TEXT_CHARACTERS: usize = 300;
/// How many changes a slow page may be behind.
const MAX_PENDING_EVENTS: usize = 256;

/// A request, as far as it has come.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Entry {
    number: u64,
    /// The `X-Request-Id` of the response.
    request_id: String,
    /// When it came, by the clock of the machine.
    time: String,
    operation: Option<&'static str>,
    method: String,
    path: String,
    /// `None` without a response: in flight, reset, or the client left.
    status: Option<u16>,
    /// `None` while it is in flight.
    duration_ms: Option<f64>,
    idempotency_key: Option<String>,
    role: Option<&'static str>,
    /// What differs from the contract.
    differences: Vec<String>,
    /// The fault rules that were applied.
    faults: Vec<String>,
}

/// The newest requests.
pub(in crate::sandbox) struct RequestLog {
    entries: Mutex<Entries>,
    changes: broadcast::Sender<Value>,
}

#[derive(Default)]
struct Entries {
    last: u64,
    newest: VecDeque<Entry>,
}

/// A request in flight. Dropping it ends the request without a response.
pub(in crate::sandbox) struct LoggedRequest<'a> {
    log: &'a RequestLog,
    number: u64,
    started: Instant,
    status: Option<u16>,
}

impl RequestLog {
    pub(super) fn new() -> Self {
        Self { entries: Mutex::default(), changes: broadcast::Sender::new(MAX_PENDING_EVENTS) }
    }

    /// Logs a request that has just come.
    pub(in crate::sandbox) fn begin(
        &self,
        request_id: &str,
        (method, uri, headers): (&Method, &Uri, &HeaderMap),
        operation: Option<&'static str>,
        keys: &Keys,
    ) -> LoggedRequest<'_> {
        let key = headers.get("idempotency-key");
        let key = key.map(|key| shorten(&keys.redact(&String::from_utf8_lossy(key.as_bytes()))));
        let mut entries = self.lock();
        entries.last += 1;
        let number = entries.last;
        let entry = Entry {
            number,
            request_id: request_id.to_owned(),
            time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            operation,
            method: shorten(method.as_str()),
            path: shorten(&keys.redact(uri.path())),
            status: None,
            duration_ms: None,
            idempotency_key: key,
            role: None,
            differences: Vec::new(),
            faults: Vec::new(),
        };
        self.publish(&entry);
        entries.newest.push_back(entry);
        if entries.newest.len() > MAX_ENTRIES {
            entries.newest.pop_front();
        }
        drop(entries);
        LoggedRequest { log: self, number, started: Instant::now(), status: None }
    }

    /// The requests after the one with this number, oldest first, and the number of the last one.
    pub(super) fn after(&self, number: u64, limit: usize) -> (Vec<Entry>, u64) {
        let entries = self.lock();
        let later = entries.newest.iter().filter(|entry| entry.number > number);
        let page: Vec<Entry> = later.take(limit).cloned().collect();
        let last = page.last().map_or(number, |entry| entry.number);
        (page, last)
    }

    /// Number of the newest request.
    pub(super) fn last(&self) -> u64 {
        self.lock().last
    }

    /// Empties the log; the numbers go on.
    pub(super) fn clear(&self) {
        self.lock().newest.clear();
        let _ = self.changes.send(Value::Null); // Fails if nobody watches.
    }

    /// Every change from now on: an entry as JSON, or null when the log was emptied.
    pub(super) fn changes(&self) -> broadcast::Receiver<Value> {
        self.changes.subscribe()
    }

    fn update(&self, number: u64, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.lock();
        // It is absent if there were many others meanwhile.
        if let Some(entry) = entries.newest.iter_mut().rev().find(|entry| entry.number == number) {
            change(entry);
            self.publish(entry);
        }
    }

    fn publish(&self, entry: &Entry) {
        if self.changes.receiver_count() > 0 {
            let _ = self.changes.send(serde_json::to_value(entry).unwrap_or_default());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoggedRequest<'_> {
    pub(in crate::sandbox) fn set_caller(&self, caller: Caller) {
        self.log.update(self.number, |entry| entry.role = Some(caller.role_name()));
    }

    pub(in crate::sandbox) fn set_differences(&self, differences: Vec<String>) {
        if !differences.is_empty() {
            self.log.update(self.number, |entry| entry.differences = differences);
        }
    }

    pub(super) fn set_faults(&self, rules: &[String]) {
        self.log.update(self.number, |entry| entry.faults = rules.to_vec());
    }

    /// Ends the request with a response.
    pub(in crate::sandbox) fn finish(mut self, status: u16) {
        self.status = Some(status);
    }
}

impl Drop for LoggedRequest<'_> {
    fn drop(&mut self) {
        let microseconds = self.started.elapsed().as_micros();
        #[allow(clippy::cast_precision_loss, reason = "exact for centuries")]
        let duration_ms = microseconds as f64 / 1_000.0;
        self.log.update(self.number, |entry| {
            entry.status = self.status;
            entry.duration_ms = Some(duration_ms);
        });
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARACTERS).collect()
}
