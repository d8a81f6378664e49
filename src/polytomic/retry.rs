//! Which failures are retried, with which key, how long to wait before the next attempt, and when to stop.
//!
//! A POST is retried only with its idempotency key, and only if nothing was sent or its outcome is unknown,
//! since the API stores the first outcome of a key, errors included. A DELETE is retried only when the
//! connection broke.
//!
//! Source: contract sections 1.3 (idempotency) and 1.5 (limits and retries); gap G4. The retry budget follows
//! the AWS SDKs, so that retries never pile up while the API is down.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use reqwest::Method;

use super::error::Error;
use super::error_body::ErrorBody;
use super::failed_request::Attempts;
use super::idempotency::ClaimedKey;
use super::request::{Request, RetryPolicy};
use super::time_limit::TimeLimit;

const MAX_ATTEMPTS: usize = 8;
const MIN_BACKOFF: Duration = Duration::from_millis(200);
const MAX_BACKOFF: Duration = Duration::from_secs(5);
/// An error that arrives within this time may be the stored one of the idempotency key.
const MAX_TIME_OF_REPLAY: Duration = Duration::from_secs(2);

/// What follows a failed attempt, after a delay.
#[derive(Debug, Clone, Copy)]
pub(super) enum NextAttempt {
    /// Nothing: the request has failed.
    None,
    /// The same request, a POST with the same key.
    SameKey(Duration),
    /// The same request with a new key, since the API has stored an error for this one.
    NewKey(Duration),
}

/// Decides after each failed attempt at a request what comes next.
pub(super) struct Retries<'a> {
    request: &'a Request,
    time: TimeLimit,
    budget: &'a RetryBudget,
    /// Upper bounds of the delays between attempts; the actual delay is a random part of each.
    max_delays: ExponentialBackoff,
    attempts: Attempts,
    /// Status and body of the latest attempt, if the API itself responded with an error.
    previous: Option<(u16, ErrorBody)>,
    key_was_replaced: bool,
}

impl<'a> Retries<'a> {
    /// `outcome_unknown`: whether an earlier call with the same key may have been applied.
    pub(super) fn new(
        request: &'a Request,
        time: TimeLimit,
        budget: &'a RetryBudget,
        outcome_unknown: bool,
    ) -> Self {
        let max_delays = ExponentialBuilder::new()
            .with_min_delay(MIN_BACKOFF)
            .with_max_delay(MAX_BACKOFF)
            .with_factor(2.0)
            .with_max_times(MAX_ATTEMPTS - 1)
            .build();
        let attempts = Attempts { outcome_unknown, ..Attempts::default() };
        let (previous, key_was_replaced) = (None, false);
        Self { request, time, budget, max_delays, attempts, previous, key_was_replaced }
    }

    /// How the attempts went so far.
    pub(super) fn attempts(&self) -> Attempts {
        Attempts { elapsed: self.time.elapsed(), ..self.attempts }
    }

    /// The next attempt goes without a stored error, but maybe with the key of another interrupted call.
    pub(super) fn key_was_replaced(&mut self, key: &ClaimedKey) {
        self.key_was_replaced = true;
        self.previous = None;
        self.attempts.outcome_unknown = key.outcome_is_unknown();
    }

    /// Counts a failed attempt that took `took`, and decides what follows.
    pub(super) fn after(
        &mut self,
        error: &Error,
        took: Duration,
        key: Option<&ClaimedKey>,
    ) -> NextAttempt {
        self.attempts.count += 1;
        let is_replay = self.is_replay(error, took);
        // If the API ran out of time, it would again.
        let with_new_key = is_replay
            && !error.is_slow()
            && !self.key_was_replaced
            && key.is_some_and(ClaimedKey::is_replaceable);
        self.attempts.replayed = is_replay;
        let may_retry = || may_retry(self.request, error, self.attempts.outcome_unknown);
        if !with_new_key && (is_replay || !may_retry()) {
            return NextAttempt::None;
        }
        let Some(max_delay) = self.max_delays.next() else { return NextAttempt::None };
        let delay = max_delay.mul_f64(fastrand::f64());
        let delay = error.retry_after().map_or(delay, |retry_after| retry_after.max(delay));
        // An attempt that runs out of time while it connects would hide that no connection was made.
        let is_unconnected = matches!(error, Error::Connection { sent: false, .. });
        let expected = if is_unconnected { took } else { Duration::ZERO };
        if !self.time.allows_retry(self.request.operation.writes, delay, expected) {
            return NextAttempt::None;
        }
        // The API is well, and busy with the first request.
        if !(is_still_running(self.request, error) || self.budget.withdraw(error)) {
            self.attempts.budget_exhausted = true;
            return NextAttempt::None;
        }
        if with_new_key {
            return NextAttempt::NewKey(delay);
        }
        self.attempts.outcome_unknown |=
            self.request.operation.writes && error.attempt_outcome_is_unknown();
        NextAttempt::SameKey(delay)
    }

    /// Whether an error is the one that the API has stored for the key of an earlier request. Unless it is about the
    /// request itself, only its second arrival in a row shows that: the first may be of the moment, from before the
    /// API looks at the key.
    fn is_replay(&mut self, error: &Error, took: Duration) -> bool {
        let previous = self.previous.take();
        let Error::Status { status, body, .. } = error else { return false };
        if self.request.method != Method::POST || !body.is_api_error {
            return false;
        }
        let is_repeated = previous.is_some_and(|(s, b)| s == *status && b == **body);
        self.previous = Some((*status, ErrorBody::clone(body)));
        let may_be_stored =
            *status == 408 || (self.attempts.outcome_unknown && error.may_be_stored());
        took < MAX_TIME_OF_REPLAY && may_be_stored && (is_repeated || error.rejects_request())
    }
}

/// Whether a request without response is sent again.
pub(super) fn can_be_retried_after_timeout(request: &Request) -> bool {
    request.retry != RetryPolicy::Never && request.method != Method::DELETE
}

/// `outcome_unknown`: whether an earlier attempt at a write may have been applied.
fn may_retry(request: &Request, error: &Error, outcome_unknown: bool) -> bool {
    let status = match request.retry {
        RetryPolicy::Never => return false,
        RetryPolicy::UnlessSlow if error.is_slow() => return false,
        RetryPolicy::ByMethod | RetryPolicy::UnlessSlow => match error {
            Error::Connection { .. } => return !error.is_decided(),
            Error::Timeout { sent, .. } => return *sent && can_be_retried_after_timeout(request),
            // Sent again at once, it would meet the same page.
            Error::Status { status: 400..=407 | 410..=499, body, .. }
                if body.is_page && request.method == Method::POST =>
            {
                return false;
            }
            Error::Status { status, .. } => status,
            _ => return false,
        },
    };
    match request.method {
        Method::GET => matches!(status, 408 | 429 | 500 | 502..=504),
        Method::PUT | Method::PATCH => matches!(status, 408 | 429 | 502..=504),
        // Trying again at once helps neither a rejected key nor a rate limit.
        Method::POST if matches!(status, 401 | 403 | 429) => false,
        Method::POST => {
            // Only the same error again shows that it is the outcome of the earlier attempt.
            let decides_nothing = || *status == 503 || error.may_be_stored();
            error.attempt_outcome_is_unknown()
                || (is_still_running(request, error)
                    && (outcome_unknown || !request.operation.has_conflicts))
                || (outcome_unknown && !error.rejects_request() && decides_nothing())
        }
        _ => false,
    }
}

/// Whether the first request with this key is still running.
fn is_still_running(request: &Request, error: &Error) -> bool {
    request.method == Method::POST && error.http_status() == Some(409)
}

/// Why a request is sent again.
pub(super) fn retry_reason(error: &Error) -> &'static str {
    match error {
        Error::Connection { sent: false, .. } => "retrying: no connection",
        Error::Connection { .. } => "retrying: the connection broke",
        Error::Timeout { .. } => "retrying: no response",
        Error::Status { status, .. } => match status {
            408 | 504 => "retrying: the API did not finish in time",
            409 => "retrying: the first request is still running",
            429 => "retrying: rate limit exceeded",
            502 | 503 => "retrying: the API is unavailable",
            _ => "retrying: the API failed",
        },
        _ => "retrying",
    }
}

/// Tokens that pay for the retries of a client and its clones.
#[derive(Debug)]
pub(super) struct RetryBudget(AtomicU32);

impl RetryBudget {
    const CAPACITY: u32 = 500;
    const RETRY_COST: u32 = 5;
    const RETRY_COST_AFTER_TIMEOUT: u32 = 10;

    /// Pays for a retry after `error`; false if too few tokens are left.
    fn withdraw(&self, error: &Error) -> bool {
        let cost = match error {
            Error::Timeout { .. } => Self::RETRY_COST_AFTER_TIMEOUT,
            _ => Self::RETRY_COST,
        };
        let withdraw = |tokens: u32| tokens.checked_sub(cost);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, withdraw).is_ok()
    }

    /// Returns one token for a successful request.
    pub(super) fn deposit(&self) {
        let deposit = |tokens: u32| (tokens < Self::CAPACITY).then_some(tokens + 1);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, deposit);
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self(AtomicU32::new(Self::CAPACITY))
    }
}

/// Parses `Retry-After`: seconds or a date; anything else counts as absent.
pub(crate) fn parse_retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large for u64 means forever.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        for (value, expected) in [
            ("2", Some(2)),
            (" 120 ", Some(120)),
            ("0", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(parse_retry_after(value).map(|d| d.as_secs()), expected, "{value:?}");
        }
        let date = SystemTime::now() + Duration::from_secs(30);
        let parsed = parse_retry_after(&httpdate::fmt_http_date(date)).unwrap();
        assert!((28..=30).contains(&parsed.as_secs()), "{parsed:?}");
    }

    #[test]
    fn the_budget_pays_for_a_hundred_retries_and_refills_with_successes() {
        let budget = RetryBudget::default();
        let error = Error::InvalidPathSegment { segment: String::new() };
        let paid = (0..200).filter(|_| budget.withdraw(&error)).count();
        assert_eq!(paid, 100);
        (0..4).for_each(|_| budget.deposit());
        assert!(!budget.withdraw(&error));
        budget.deposit();
        assert!(budget.withdraw(&error));
        (0..1_000).for_each(|_| budget.deposit());
        assert_eq!((0..200).filter(|_| budget.withdraw(&error)).count(), 100);
    }
}
