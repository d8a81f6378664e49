//! Which failures are retried, how long to wait before the next attempt, and when to stop.
//!
//! A POST is retried only with its idempotency key, and only if nothing was sent or its outcome is unknown,
//! since the API stores the first outcome of a key, errors included. A DELETE is retried only when the
//! connection broke.
//!
//! Source: contract sections 1.3 (idempotency) and 1.5 (limits and retries); gap G4. The retry budget follows
//! the AWS SDKs, so that retries never pile up while the API is down.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use backon::ExponentialBuilder;
use reqwest::Method;
use tokio::time::Instant;

use super::error::Error;
use super::failed_request::Attempts;
use super::request::{Request, RetryPolicy};

const MAX_ATTEMPTS: usize = 8;
const MIN_BACKOFF: Duration = Duration::from_millis(200);
const MAX_BACKOFF: Duration = Duration::from_secs(5);
/// Longest `Retry-After` that is waited for when the caller has no deadline, as in the official SDKs.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
/// A write is not sent with less time than this: it would end with an unknown outcome.
pub(super) const MIN_TIME_FOR_WRITE: Duration = Duration::from_secs(3);

/// Upper bounds of the delays between attempts; the actual delay is a random part of each.
pub(super) fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(MIN_BACKOFF)
        .with_max_delay(MAX_BACKOFF)
        .with_factor(2.0)
        .with_max_times(MAX_ATTEMPTS - 1)
}

impl Attempts {
    /// Counts a failed attempt. Returns the delay before the next one, or none if there is none.
    pub(super) fn next_delay(
        &mut self,
        request: &Request,
        error: &Error,
        delay: Option<Duration>,
        deadline: Option<Instant>,
        budget: &RetryBudget,
    ) -> Option<Duration> {
        self.count += 1;
        let timed_out = error.http_status() == Some(408) && request.method == Method::POST;
        self.replayed = timed_out && self.timed_out;
        self.timed_out = timed_out;
        if self.replayed || !is_retryable(request, error) {
            return None;
        }
        let delay = delay?.mul_f64(fastrand::f64());
        let delay = error.retry_after().map_or(delay, |retry_after| retry_after.max(delay));
        let now = Instant::now();
        let mut end = deadline.unwrap_or(now + MAX_RETRY_AFTER);
        if request.operation.writes {
            end = end.checked_sub(MIN_TIME_FOR_WRITE).unwrap_or(now);
        }
        if now.checked_add(delay).is_none_or(|then| then >= end) {
            return None;
        }
        if !budget.withdraw(error) {
            self.budget_exhausted = true;
            return None;
        }
        self.outcome_unknown |= request.operation.writes && error.outcome_is_unknown();
        Some(delay)
    }
}

fn is_retryable(request: &Request, error: &Error) -> bool {
    let status = match request.retry {
        RetryPolicy::Never => return false,
        RetryPolicy::UnlessSlow if error.is_slow() => return false,
        RetryPolicy::ByMethod | RetryPolicy::UnlessSlow => match error {
            // A certificate that is not trusted now will not be trusted in a second.
            Error::Transport { .. } => return !error.is_tls(),
            Error::Timeout { sent, .. } => return *sent && request.method != Method::DELETE,
            Error::Status { status, .. } => status,
            _ => return false,
        },
    };
    match request.method {
        Method::GET => matches!(status, 408 | 429 | 500 | 502..=504),
        Method::PUT => matches!(status, 408 | 429 | 502..=504),
        // 409: the first request with this key is still running.
        Method::POST => matches!(status, 408 | 409 | 502 | 504),
        _ => false,
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
