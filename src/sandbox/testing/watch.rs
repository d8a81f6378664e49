//! What the page shows: the objects of the sandbox, and the requests as they come, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::sandbox::accounts::ORGANIZATION;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::state::{AppState, HandlerResult, SharedState};
use crate::sandbox::store::administration;

/// How often the objects are read: other processes may change them, and jobs do.
const STATE_INTERVAL: Duration = Duration::from_millis(500);
/// How many requests a new page begins with.
const MAX_FIRST_REQUESTS: u64 = 200;

/// `GET /sandbox/state`
pub(super) async fn state(State(app): SharedState) -> HandlerResult {
    Ok(Json(json!({ "data": read_state(&app).await? })))
}

async fn read_state(app: &AppState) -> Result<Value, ApiError> {
    let read = |tx: &crate::sandbox::store::Tx<'_>| {
        let overview = administration::overview(tx, ORGANIZATION.id)?;
        Ok((overview, administration::clock_offset(tx)?))
    };
    let (mut state, offset) = app.store.read(read).await?;
    if let Some(state) = state.as_object_mut() {
        state.insert("faults".to_owned(), app.testing.faults.list().into());
        state.insert("clock_offset_seconds".to_owned(), offset.into());
    }
    Ok(state)
}

/// A page that watches.
struct Watcher {
    app: Arc<AppState>,
    changes: Receiver<Value>,
    ticks: Interval,
    /// Whether the log has to be sent as a whole.
    is_behind: bool,
    last_state: Value,
}

/// `GET /sandbox/events`: `requests` with the newest ones at first, then `request` for each change of one, and `state`
/// whenever it is another.
pub(super) async fn events(
    State(app): SharedState,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut ticks = interval(STATE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let changes = app.testing.log.changes();
    let watcher = Watcher { app, changes, ticks, is_behind: true, last_state: Value::Null };
    let events = stream::unfold(watcher, |mut watcher| async {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    });
    Sse::new(events).keep_alive(KeepAlive::new())
}

impl Watcher {
    /// The next event; `None` when the sandbox stops.
    async fn next(&mut self) -> Option<Event> {
        if self.is_behind {
            self.is_behind = false;
            let log = &self.app.testing.log;
            let (requests, _) =
                log.after(log.last().saturating_sub(MAX_FIRST_REQUESTS), usize::MAX);
            return event("requests", &requests);
        }
        loop {
            tokio::select! {
                biased;
                () = self.app.testing.stopping.cancelled() => return None,
                change = self.changes.recv() => match change {
                    Ok(request) if !request.is_null() => return event("request", &request),
                    Ok(_) | Err(RecvError::Lagged(_)) => {
                        self.is_behind = true;
                        return Some(Event::default().comment("behind"));
                    }
                    Err(RecvError::Closed) => return None,
                },
                _ = self.ticks.tick() => {
                    // On error, already logged, the next tick may succeed.
                    if let Ok(state) = read_state(&self.app).await
                        && state != self.last_state
                    {
                        let event = event("state", &state);
                        self.last_state = state;
                        return event;
                    }
                }
            }
        }
    }
}

fn event(name: &str, data: &impl Serialize) -> Option<Event> {
    let data = serde_json::to_string(data).ok()?;
    Some(Event::default().event(name).data(data))
}
