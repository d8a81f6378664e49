//! Trying again: which failures are worth it, how long to pause, and when it has been enough.
//!
//! A POST is sent again only with its key, and only while nothing was sent or its outcome is unknown,
//! since the API keeps the first outcome of a key, errors included. A DELETE is sent again only when the
//! connection broke.
//!
//! Source: contract sections 1.3 (idempotency) and 1.5 (limits and retries); gap G4. The bucket is as the
//! AWS SDKs keep theirs, so that retries never pile up while a service is down.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use backon::ExponentialBuilder;
use reqwest::Method;
use tokio::time::Instant;

use super::Error;
use super::exchange::{LEAST_FOR_A_WRITE, Request};

/// The most tries of one request.
const TRIES: usize = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest `Retry-After` that is waited for where the caller has no deadline, as the SDKs do.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The longest pauses between tries; what is waited is a random part of each.
pub(super) fn pauses() -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_factor(2.0)
        .with_max_times(TRIES - 1)
}

/// Which failures of a request are worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Those that its method allows.
    Usual,
    /// The same, except those that a job would get around.
    UnlessSlow,
    /// None: the caller comes back by itself.
    Never,
}

/// How the tries of one request went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// How often it was tried.
    pub count: u32,
    /// Whether an earlier try of a change may have been carried out.
    pub unsure: bool,
    /// Whether it was given up because too many calls fail at present.
    pub held_back: bool,
    /// Whether the API answered 408 twice in a row for a key: it keeps the first outcome of a key, so that
    /// nothing else is to be expected of this one.
    pub replayed: bool,
    /// Whether a 408 came before.
    pub(super) timed_out: bool,
}

impl Tries {
    /// Whether, and after which pause, a failed request is tried again.
    pub(super) fn next(
        &mut self,
        request: &Request,
        error: &Error,
        pause: Option<Duration>,
        deadline: Option<Instant>,
        bucket: &Bucket,
    ) -> Option<Duration> {
        self.count += 1;
        let timed_out = error.http_status() == Some(408) && request.method == Method::POST;
        self.replayed = timed_out && self.timed_out;
        self.timed_out = timed_out;
        if self.replayed || !is_worth_it(request, error) {
            return None;
        }
        let pause = pause?.mul_f64(fastrand::f64());
        let pause = error.retry_after().map_or(pause, |asked| asked.max(pause));
        let now = Instant::now();
        let mut end = deadline.unwrap_or(now + LONGEST_WAIT);
        if request.operation.writes {
            // Later it would not be sent.
            end = end.checked_sub(LEAST_FOR_A_WRITE).unwrap_or(now);
        }
        if now.checked_add(pause).is_none_or(|then| then >= end) {
            return None;
        }
        if !bucket.take(error) {
            self.held_back = true;
            return None;
        }
        self.unsure |= request.operation.writes && error.outcome_is_unknown();
        Some(pause)
    }
}

fn is_worth_it(request: &Request, error: &Error) -> bool {
    let passes = match request.retry {
        Retry::Never => return false,
        Retry::UnlessSlow if error.is_slow() => return false,
        Retry::Usual | Retry::UnlessSlow => match error {
            // A certificate that is not trusted will not be in a second.
            Error::Transport { .. } => return !error.is_tls(),
            Error::Timeout { sent, .. } => return *sent && request.method != Method::DELETE,
            Error::Status { status, .. } => status,
            _ => return false,
        },
    };
    match request.method {
        Method::GET => matches!(passes, 408 | 429 | 500 | 502..=504),
        Method::PUT => matches!(passes, 408 | 429 | 502..=504),
        // 409: the first request with this key is still running.
        Method::POST => matches!(passes, 408 | 409 | 502 | 504),
        _ => false,
    }
}

/// What all retries of a client are paid from.
#[derive(Debug)]
pub(super) struct Bucket(AtomicU32);

impl Bucket {
    const FULL: u32 = 500;
    const RETRY: u32 = 5;
    const AFTER_TIMEOUT: u32 = 10;

    /// Pays for a retry after `error`; false where there is not enough left.
    fn take(&self, error: &Error) -> bool {
        let price = match error {
            Error::Timeout { .. } => Self::AFTER_TIMEOUT,
            _ => Self::RETRY,
        };
        let take = |left: u32| left.checked_sub(price);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// A success gives one back.
    pub(super) fn give(&self) {
        let give = |left: u32| (left < Self::FULL).then_some(left + 1);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
    }
}

impl Default for Bucket {
    fn default() -> Self {
        Self(AtomicU32::new(Self::FULL))
    }
}

/// `Retry-After`: seconds, or a date; nonsense counts as absent.
pub(super) fn read_retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds are for ever.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let then = httpdate::parse_http_date(value).ok()?;
    Some(then.duration_since(SystemTime::now()).unwrap_or_default())
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
            assert_eq!(read_retry_after(value).map(|d| d.as_secs()), expected, "{value:?}");
        }
        let soon = SystemTime::now() + Duration::from_secs(30);
        let read = read_retry_after(&httpdate::fmt_http_date(soon)).unwrap();
        assert!((28..=30).contains(&read.as_secs()), "{read:?}");
    }

    #[test]
    fn the_bucket_pays_for_a_hundred_retries_and_fills_by_successes() {
        let bucket = Bucket::default();
        let error = Error::PathPart { part: String::new() };
        let paid = (0..200).filter(|_| bucket.take(&error)).count();
        assert_eq!(paid, 100);
        (0..4).for_each(|_| bucket.give());
        assert!(!bucket.take(&error));
        bucket.give();
        assert!(bucket.take(&error));
        (0..1_000).for_each(|_| bucket.give());
        assert_eq!((0..200).filter(|_| bucket.take(&error)).count(), 100);
    }
}
