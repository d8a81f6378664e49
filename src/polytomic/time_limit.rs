//! How the time of one operation is divided among its attempts.

use std::time::Duration;

use tokio::time::Instant;

/// A write is not sent with less time than this: it would end with an unknown outcome.
pub(super) const MIN_TIME_FOR_WRITE: Duration = Duration::from_secs(3);
/// A read is not sent again with less time than this: cut off at once, it would hide why the attempts before it failed.
const MIN_TIME_FOR_READ_RETRY: Duration = Duration::from_millis(500);
/// Time that an attempt without response leaves to another one. The first attempt keeps at least the 10 s within which the
/// API responds to a request or turns it into a job.
const TIME_FOR_SECOND_ATTEMPT: Duration = Duration::from_secs(10);
/// With a shorter limit, a request without response is not sent again.
const MIN_LIMIT_FOR_SECOND_ATTEMPT: Duration = Duration::from_secs(15);
/// Share of the time after which a request that is still queued is not sent. What remains is longer than the connect
/// timeout, so that a connection that hangs is reported as such.
const MAX_QUEUE_SHARE: f32 = 0.6;

/// The time of one operation, with all its attempts and the delays between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLimit {
    started: Instant,
    end: Instant,
}

impl TimeLimit {
    /// From now on for `timeout`, but not beyond the deadline of the call.
    pub(super) fn start(timeout: Duration, deadline: Option<Instant>) -> Self {
        let started = Instant::now();
        let remaining = deadline.map(|deadline| deadline.saturating_duration_since(started));
        let limit = remaining.map_or(timeout, |remaining| remaining.min(timeout));
        Self { started, end: started + limit }
    }

    /// The time spent so far; never more than the limit.
    pub(super) fn elapsed(&self) -> Duration {
        Instant::now().min(self.end).duration_since(self.started)
    }

    /// Until when an attempt that begins now may be queued.
    pub(super) fn queue_end(&self) -> Instant {
        let now = Instant::now();
        now + self.end.saturating_duration_since(now).mul_f32(MAX_QUEUE_SHARE)
    }

    /// Until when an attempt that is sent now may take. It leaves time for another one if that `can_be_retried` and it has
    /// as much time itself.
    pub(super) fn attempt_end(&self, can_be_retried: bool) -> Instant {
        let limit = self.end.duration_since(self.started);
        let reserve = TIME_FOR_SECOND_ATTEMPT.min(limit / 3);
        let early_end = self.end.checked_sub(reserve).unwrap_or(self.end);
        let has_time = early_end.saturating_duration_since(Instant::now()) >= reserve;
        let leaves_time = can_be_retried && limit >= MIN_LIMIT_FOR_SECOND_ATTEMPT && has_time;
        if leaves_time { early_end } else { self.end }
    }

    /// Whether a request that is sent again after `delay` has enough time: at least `expected`.
    pub(super) fn allows_retry(&self, writes: bool, delay: Duration, expected: Duration) -> bool {
        let needed = if writes { MIN_TIME_FOR_WRITE } else { MIN_TIME_FOR_READ_RETRY };
        let needed = needed.max(expected);
        let then = Instant::now().checked_add(delay).and_then(|then| then.checked_add(needed));
        then.is_some_and(|then| then < self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn an_attempt_without_response_leaves_time_for_another() {
        // Limit; begin of the attempt; its end.
        for (limit, begin, end) in [
            (5, 0, 5),
            (14, 0, 14),
            (15, 0, 10),
            (15, 10, 15),
            (30, 0, 20),
            (30, 9, 20),
            (30, 11, 30),
            (30, 20, 30),
            (48, 0, 38),
            (600, 0, 590),
        ] {
            let time = TimeLimit::start(limit * SECOND, None);
            tokio::time::advance(begin * SECOND).await;
            let attempt = time.attempt_end(true).duration_since(time.started);
            assert_eq!(attempt, end * SECOND, "{limit} s, from {begin} s on");
            assert_eq!(time.attempt_end(false), time.end, "{limit} s: cannot be retried");
            assert_eq!(time.elapsed(), begin * SECOND);
        }
        let deadline = Instant::now() + 7 * SECOND;
        let time = TimeLimit::start(30 * SECOND, Some(deadline));
        assert_eq!(time.attempt_end(true), deadline);
        tokio::time::advance(9 * SECOND).await;
        assert_eq!((time.elapsed(), time.queue_end()), (7 * SECOND, Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_sent_again_while_that_can_help() {
        let time = TimeLimit::start(10 * SECOND, None);
        let milliseconds = Duration::from_millis;
        for (writes, delay, expected, is_allowed) in [
            (false, milliseconds(9_499), Duration::ZERO, true),
            (false, milliseconds(9_501), Duration::ZERO, false),
            (false, milliseconds(6_999), 3 * SECOND, true),
            (false, milliseconds(7_001), 3 * SECOND, false),
            (true, milliseconds(6_999), SECOND, true),
            (true, milliseconds(7_001), SECOND, false),
            (false, Duration::MAX, Duration::ZERO, false),
        ] {
            let allowed = time.allows_retry(writes, delay, expected);
            assert_eq!(allowed, is_allowed, "{writes} {delay:?} {expected:?}");
        }
    }
}
