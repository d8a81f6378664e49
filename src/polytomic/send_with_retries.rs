//! Makes the attempts at one request: within its time, and with the same idempotency key as long as that can help.
//!
//! `retry` decides what follows a failed attempt, `idempotency` which key a POST carries, `time_limit` how long an
//! attempt may take.

use reqwest::Method;
use tokio::time::Instant;

use super::client::{AttemptListener, CallOptions, Client, FinishedAttempt};
use super::configuration_error::ConfigurationError;
use super::error::Error;
use super::failed_request::{Attempts, EarlierResponse};
use super::idempotency::{ClaimError, ClaimedKey};
use super::request::Request;
use super::response::Body;
use super::retry::{NextAttempt, Retries, can_be_retried_after_timeout, retry_reason};
use super::time_limit::{MIN_TIME_FOR_WRITE, TimeLimit};

/// A request after its last attempt.
struct Sent {
    result: Result<Body, Error>,
    course: Course,
}

/// How the attempts went.
struct Course {
    key: Option<ClaimedKey>,
    attempts: Attempts,
    /// The last response that has a text.
    earlier: Option<EarlierResponse>,
}

impl Course {
    /// The error of the request. The next equal call gets another key, unless what was done is unknown and an attempt with this
    /// one can find out.
    fn failed(self, error: Error) -> Error {
        let Self { key, attempts, earlier } = self;
        let write_key = key.as_ref().and_then(ClaimedKey::for_write);
        let error = error.with_attempts(attempts, write_key, earlier);
        if attempts.replayed || !error.outcome_is_unknown() {
            key.iter().for_each(ClaimedKey::mark_outcome_known);
        }
        error
    }
}

impl Client {
    /// Sends a request, retries it where that is safe, and reads the body of a 2xx response with `read`.
    ///
    /// Cancel-safe: dropping it drops the request in flight, and the next equal call gets its key.
    pub(super) async fn send_with_retries<T>(
        &self,
        request: &Request,
        options: &CallOptions,
        read: impl FnOnce(Body) -> Result<T, Error>,
    ) -> Result<(T, Option<ClaimedKey>), Error> {
        let Sent { result, course } = self.make_attempts(request, options).await?;
        match result.and_then(read) {
            Ok(value) => Ok((value, self.succeeded(course))),
            Err(error) => Err(course.failed(error)),
        }
    }

    /// Makes the attempts. The outer error is one before or between them, which leaves the key as it was claimed.
    async fn make_attempts(&self, request: &Request, options: &CallOptions) -> Result<Sent, Error> {
        let time = TimeLimit::start(self.config.timeout, options.deadline);
        let mut key = self.claim_key(request, options).await?;
        // With an error the key is dropped as it was claimed: an earlier call's may still be needed.
        self.pass_gate(request, options, key.as_ref()).await?;
        let outcome_unknown = key.as_ref().is_some_and(ClaimedKey::outcome_is_unknown);
        let mut retries = Retries::new(request, time, &self.retry_budget, outcome_unknown);
        let mut earlier = None;
        let result = loop {
            let mut started = Instant::now();
            let is_retry = retries.attempts().count > 0;
            let sending =
                self.send_once(request, options, time, key.as_ref(), is_retry, &mut started);
            let error = match sending.await {
                Ok(body) => break Ok(body),
                Err(error) => error,
            };
            let next = retries.after(&error, started.elapsed(), key.as_ref());
            let delay = match next {
                NextAttempt::None => break Err(error),
                NextAttempt::SameKey(delay) | NextAttempt::NewKey(delay) => delay,
            };
            earlier = error.telling_response().or(earlier);
            if let Some(listener) = &options.on_retry {
                (listener.0)(retry_reason(&error));
            }
            if let (NextAttempt::NewKey(_), Some(key)) = (next, &mut key) {
                let replaced = Box::pin(self.keys.replace(request, key)).await;
                retries.key_was_replaced(key);
                if replaced.is_err() || self.pass_gate(request, options, Some(key)).await.is_err() {
                    // The new key may be an earlier call's as well.
                    return Err(error.with_attempts(retries.attempts(), None, earlier));
                }
            }
            // A shutdown ends the delay; the next attempt then finds that nothing may be sent.
            let _ = tokio::time::timeout(delay, options.wait_for_shutdown()).await;
        };
        let course = Course { key, attempts: retries.attempts(), earlier };
        Ok(Sent { result, course })
    }

    /// The key of a request that succeeded.
    fn succeeded(&self, course: Course) -> Option<ClaimedKey> {
        self.retry_budget.deposit();
        course.key.inspect(ClaimedKey::mark_outcome_known)
    }

    /// The idempotency key of a POST. Fails for a write if the state is required and cannot be used.
    async fn claim_key(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<Option<ClaimedKey>, Error> {
        let unavailable = |state| {
            let request = self.failed_request(request);
            Error::StateUnavailable { request, state }
        };
        if request.method != Method::POST {
            if request.operation.writes {
                Box::pin(self.keys.require_state()).await.map_err(unavailable)?;
            }
            return Ok(None);
        }
        let claimed = Box::pin(self.keys.claim(request, options.idempotency_key.as_deref())).await;
        claimed.map(Some).map_err(|error| match error {
            ClaimError::Reused => Error::KeyReused { request: self.failed_request(request) },
            ClaimError::State(state) => unavailable(state),
        })
    }

    /// Lets the caller prepare for a request that writes, or prevent it.
    async fn pass_gate(
        &self,
        request: &Request,
        options: &CallOptions,
        key: Option<&ClaimedKey>,
    ) -> Result<(), ConfigurationError> {
        let Some(gate) = options.before_write.as_ref().filter(|_| request.operation.writes) else {
            return Ok(());
        };
        // A key that the caller passed may be anything.
        let key = key.map(|key| self.config.credential.redact(key.as_str()));
        (gate.0)(key).await
    }

    /// Makes one attempt, and reads the complete body of a 2xx response. `started` is set to when it is not queued any more.
    async fn send_once(
        &self,
        request: &Request,
        options: &CallOptions,
        time: TimeLimit,
        key: Option<&ClaimedKey>,
        is_retry: bool,
        started: &mut Instant,
    ) -> Result<Body, Error> {
        let timeout = |sent| {
            let (request, after) = (self.failed_request(request), time.elapsed());
            Error::Timeout { request, after, sent }
        };
        let abandoned = |shutting_down| Error::Abandoned {
            request: self.failed_request(request),
            shutting_down,
        };
        // Queueing counts against the limit: nobody benefits from a response that comes too late.
        let _permit = tokio::select! {
            biased;
            () = options.wait_for_shutdown() => return Err(abandoned(true)),
            permit = tokio::time::timeout_at(time.queue_end(), self.in_flight.acquire()) => {
                permit.map_err(|_| timeout(false))?
            }
        };
        *started = Instant::now();
        let is_late = |d: Instant| d.saturating_duration_since(Instant::now()) < MIN_TIME_FOR_WRITE;
        if request.operation.writes && options.deadline.is_some_and(is_late) {
            return Err(abandoned(false));
        }
        if let Some(key) = key {
            key.mark_outcome_unknown();
        }
        let mut attempt = ReportedAttempt {
            listener: options.on_attempt.as_ref(),
            finished: FinishedAttempt { status: None, is_retry },
        };
        let end = time.attempt_end(can_be_retried_after_timeout(request));
        let result = tokio::time::timeout_at(end, self.exchange(request, key, end)).await;
        let result = result.unwrap_or_else(|_| Err(timeout(true)));
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = match &result {
            Ok(body) => Some(body.status),
            Err(error) => error.http_status(),
        };
        attempt.finished.status = status;
        drop(attempt);
        let (method, path) = (request.method.as_str(), request.path.as_str());
        tracing::debug!(method, path, status, elapsed_ms, "api request finished");
        result
    }
}

/// Reports an attempt when it is dropped: at its end, or with the call that nobody waits for any more.
struct ReportedAttempt<'a> {
    listener: Option<&'a AttemptListener>,
    finished: FinishedAttempt,
}

impl Drop for ReportedAttempt<'_> {
    fn drop(&mut self) {
        if let Some(listener) = self.listener {
            (listener.0)(self.finished);
        }
    }
}
