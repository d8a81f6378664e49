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

/// What the log says about a fetch.
#[derive(Debug, PartialEq)]
enum Notice {
    Outage(String),
    End,
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
            let notice = lock(&state).record(result);
            let issuer = source.issuer().as_str();
            match notice {
                Some(Notice::Outage(text)) => tracing::warn!("the OAuth issuer {issuer}: {text}"),
                Some(Notice::End) => {
                    tracing::info!("the OAuth issuer {issuer}: its keys can be fetched again");
                }
                None => {}
            }
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

    /// Records the result of a fetch. An outage is reported once, and so is its end.
    fn record(&mut self, result: Result<KeySet, String>) -> Option<Notice> {
        let now = Instant::now();
        self.last_attempt = Some(now);
        let had_failed = std::mem::replace(&mut self.has_failed, result.is_err());
        match result {
            Ok(keys) => {
                self.keys = Some(FetchedKeys { keys: Arc::new(keys), at: now });
                had_failed.then_some(Notice::End)
            }
            Err(_) if had_failed => None,
            Err(problem) => {
                let consequence = match self.usable() {
                    Some(_) => "the known ones are used until they are an hour old",
                    None => "no token is accepted until they can be fetched",
                };
                let text = format!("its keys cannot be fetched: {problem}; {consequence}");
                Some(Notice::Outage(text))
            }
        }
    }
}

fn has_passed(since: Option<Instant>, interval: Duration) -> bool {
    since.is_none_or(|since| since.elapsed() >= interval)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_outage_and_its_end_are_reported_once() {
        const KEYS: &[u8] = br#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]}"#;
        let mut state = State::default();
        let failed = || Err("it is on fire".to_owned());
        let outage = |consequence: &str| {
            let text = format!("its keys cannot be fetched: it is on fire; {consequence}");
            Some(Notice::Outage(text))
        };
        let refused = "no token is accepted until they can be fetched";
        assert_eq!(state.record(failed()), outage(refused));
        assert_eq!(state.record(failed()), None);
        assert_eq!(state.record(Ok(KeySet::parse(KEYS).unwrap())), Some(Notice::End));
        assert_eq!(state.record(Ok(KeySet::parse(KEYS).unwrap())), None);
        let known = "the known ones are used until they are an hour old";
        assert_eq!(state.record(failed()), outage(known));
        assert_eq!(state.record(failed()), None);
    }
}
