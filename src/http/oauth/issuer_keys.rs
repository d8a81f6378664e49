//! The cache of an issuer's keys. Tokens with known keys never wait for the issuer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::discovery::KeySource;
use super::key_set::KeySet;
use super::token_error::TokenError;

/// Older keys are fetched again, in the background.
const REFRESH_AGE: Duration = Duration::from_secs(10 * 60);
/// Older keys are not used: the issuer may have withdrawn them.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);
/// Between two fetches for keys that are not known: anybody can name one.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(30);
/// Between two attempts to refresh keys that can still be used.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);
/// Between two attempts while no token can be validated.
const OUTAGE_INTERVAL: Duration = Duration::from_secs(2);

/// The keys of an issuer, fetched when they are needed.
pub(super) struct IssuerKeys {
    source: Arc<KeySource>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    keys: Option<FetchedKeys>,
    /// When a fetch was last started or ended.
    last_attempt: Option<Instant>,
    /// When a fetch for an unknown key was last started.
    last_unknown_key: Option<Instant>,
    has_failed: bool,
    /// Closed when the fetch has ended.
    in_flight: Option<watch::Receiver<()>>,
}

struct FetchedKeys {
    keys: Arc<KeySet>,
    at: Instant,
}

impl IssuerKeys {
    pub(super) fn new(source: KeySource) -> Self {
        Self { source: Arc::new(source), state: Arc::default() }
    }

    pub(super) fn issuer(&self) -> &str {
        self.source.issuer().as_str()
    }

    /// The keys as known, without waiting; none if there are none or they are too old.
    pub(super) fn known(&self) -> Option<Arc<KeySet>> {
        let mut state = lock(&self.state);
        let (keys, age) = state.usable()?;
        if age > REFRESH_AGE && has_passed(state.last_attempt, REFRESH_INTERVAL) {
            self.start_fetch(&mut state);
        }
        Some(keys)
    }

    /// The keys after a fetch, if another one is due. All callers wait for the same one.
    ///
    /// # Errors
    /// [`TokenError::IssuerUnreachable`] if there are no keys.
    pub(super) async fn fetched(&self) -> Result<Arc<KeySet>, TokenError> {
        if let Some(mut in_flight) = self.fetch_if_due() {
            // Nothing is ever sent: it ends when the sender is dropped.
            let _ = in_flight.changed().await;
        }
        let usable = lock(&self.state).usable();
        usable.map(|(keys, _)| keys).ok_or(TokenError::IssuerUnreachable)
    }

    fn fetch_if_due(&self) -> Option<watch::Receiver<()>> {
        let mut state = lock(&self.state);
        if let Some(in_flight) = state.in_flight() {
            return Some(in_flight);
        }
        if state.usable().is_none() {
            return has_passed(state.last_attempt, OUTAGE_INTERVAL)
                .then(|| self.start_fetch(&mut state));
        }
        has_passed(state.last_unknown_key, UNKNOWN_KEY_INTERVAL).then(|| {
            state.last_unknown_key = Some(Instant::now());
            self.start_fetch(&mut state)
        })
    }

    /// Starts a fetch, which goes on when those who wait for it have gone; or joins the one in flight.
    fn start_fetch(&self, state: &mut State) -> watch::Receiver<()> {
        if let Some(in_flight) = state.in_flight() {
            return in_flight;
        }
        let (ended, in_flight) = watch::channel(());
        state.in_flight = Some(in_flight.clone());
        state.last_attempt = Some(Instant::now());
        let (source, state) = (self.source.clone(), self.state.clone());
        tokio::spawn(async move {
            let result = source.fetch().await;
            lock(&state).record(result, source.issuer().as_str());
            drop(ended);
        });
        in_flight
    }
}

impl State {
    /// The keys and their age, unless they are too old.
    fn usable(&self) -> Option<(Arc<KeySet>, Duration)> {
        let fetched = self.keys.as_ref()?;
        let age = fetched.at.elapsed();
        (age <= MAX_AGE).then(|| (fetched.keys.clone(), age))
    }

    fn in_flight(&self) -> Option<watch::Receiver<()>> {
        // It is closed once the fetch has ended, even by a panic.
        self.in_flight.clone().filter(|in_flight| in_flight.has_changed().is_ok())
    }

    fn record(&mut self, result: Result<KeySet, String>, issuer: &str) {
        let now = Instant::now();
        self.last_attempt = Some(now);
        match result {
            Ok(keys) => {
                self.keys = Some(FetchedKeys { keys: Arc::new(keys), at: now });
                if std::mem::take(&mut self.has_failed) {
                    tracing::info!("the keys of the OAuth issuer {issuer} can be fetched again");
                }
            }
            // Once for each outage.
            Err(problem) if !std::mem::replace(&mut self.has_failed, true) => {
                let consequence = match self.usable() {
                    Some(_) => "the known keys are used for up to an hour",
                    None => "calls are refused until it can be reached",
                };
                tracing::warn!(
                    "the keys of the OAuth issuer {issuer} cannot be fetched: {problem}; {consequence}"
                );
            }
            Err(problem) => tracing::debug!("the keys of {issuer} cannot be fetched: {problem}"),
        }
    }
}

fn has_passed(since: Option<Instant>, interval: Duration) -> bool {
    since.is_none_or(|since| since.elapsed() >= interval)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
