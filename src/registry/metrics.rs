//! What the calls of a registry did, as numbers for Prometheus. They belong to one registry; nothing is global.
//!
//! Labels have few values: the names of tools, codes of errors and classes of HTTP statuses, and nothing that a caller or the
//! API has sent.

use std::sync::Arc;
use std::time::SystemTime;

use prometheus::{
    Encoder, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    TextEncoder,
};
use tokio::time::Instant;

use super::error::ErrorCode;
use crate::polytomic::{AttemptListener, FinishedAttempt};

/// Bounds in seconds: from a validation error to the longest wait for a job.
const DURATIONS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 120.0, 620.0];

const NO_RESPONSE: &str = "no_response";

/// The outcomes of attempts.
const ATTEMPTS: &[&str] = &["2xx", "3xx", "4xx", "5xx", NO_RESPONSE, "other"];

/// The numbers of one registry.
pub(super) struct Metrics {
    registry: prometheus::Registry,
    calls: IntCounterVec,
    durations: HistogramVec,
    in_flight: IntGauge,
    on_attempt: AttemptListener,
}

impl Metrics {
    /// All of them at 0.
    ///
    /// # Errors
    /// If two have the same name, or one has an invalid name.
    pub(super) fn new() -> prometheus::Result<Arc<Self>> {
        let registry = prometheus::Registry::new();
        let calls = IntCounterVec::new(
            Opts::new(
                "polytomic_mcp_calls_total",
                "Calls by tool and outcome: ok, or the error's code",
            ),
            &["tool", "outcome"],
        )?;
        let durations =
            HistogramOpts::new("polytomic_mcp_call_duration_seconds", "Durations of calls");
        let durations = HistogramVec::new(durations.buckets(DURATIONS.to_vec()), &["tool"])?;
        let in_flight =
            IntGauge::new("polytomic_mcp_calls_in_flight", "Calls that have not ended")?;
        let attempts = IntCounterVec::new(
            Opts::new(
                "polytomic_mcp_api_attempts_total",
                "HTTP requests to the API by class of their status, or no_response without a complete response",
            ),
            &["outcome"],
        )?;
        let retries = IntCounter::new(
            "polytomic_mcp_api_retries_total",
            "HTTP requests to the API that repeat one, as far as they were sent",
        )?;
        let started = Gauge::new(
            "process_start_time_seconds",
            "When the process started, in seconds since 1970",
        )?;
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        started.set(since_1970.unwrap_or_default().as_secs_f64());
        let info = Opts::new("polytomic_mcp_info", "Version of the server");
        let info = IntGauge::with_opts(info.const_label("version", env!("CARGO_PKG_VERSION")))?;
        info.set(1);
        registry.register(Box::new(calls.clone()))?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        registry.register(Box::new(attempts.clone()))?;
        registry.register(Box::new(retries.clone()))?;
        registry.register(Box::new(started))?;
        registry.register(Box::new(info))?;
        for outcome in ATTEMPTS {
            attempts.with_label_values(&[outcome]);
        }
        let on_attempt = AttemptListener(Arc::new(move |attempt: FinishedAttempt| {
            attempts.with_label_values(&[class(attempt.status)]).inc();
            if attempt.is_retry {
                retries.inc();
            }
        }));
        Ok(Arc::new(Self { registry, calls, durations, in_flight, on_attempt }))
    }

    /// Counts the attempts of a call.
    pub(super) fn on_attempt(&self) -> AttemptListener {
        self.on_attempt.clone()
    }

    /// Begins to measure a call.
    pub(super) fn start(self: &Arc<Self>, tool: &'static str) -> MeasuredCall {
        self.in_flight.inc();
        MeasuredCall {
            metrics: Arc::clone(self),
            tool,
            started: Instant::now(),
            outcome: ErrorCode::Cancelled.as_str(),
        }
    }

    /// All numbers in Prometheus' text format.
    pub(super) fn text(&self) -> String {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics not written");
        }
        String::from_utf8(text).unwrap_or_default()
    }
}

fn class(status: Option<u16>) -> &'static str {
    match status {
        None => NO_RESPONSE,
        Some(200..300) => "2xx",
        Some(300..400) => "3xx",
        Some(400..500) => "4xx",
        Some(500..600) => "5xx",
        Some(_) => "other",
    }
}

/// A call, counted when it is dropped. Without an outcome it was cancelled: its caller has gone.
pub(super) struct MeasuredCall {
    metrics: Arc<Metrics>,
    tool: &'static str,
    started: Instant,
    outcome: &'static str,
}

impl MeasuredCall {
    /// Ends the call. `error`: the code, if it failed.
    pub(super) fn finish(mut self, error: Option<ErrorCode>) {
        self.outcome = error.map_or("ok", ErrorCode::as_str);
    }
}

impl Drop for MeasuredCall {
    fn drop(&mut self) {
        let Metrics { calls, durations, in_flight, .. } = self.metrics.as_ref();
        in_flight.dec();
        calls.with_label_values(&[self.tool, self.outcome]).inc();
        durations.with_label_values(&[self.tool]).observe(self.started.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_one_of_six_classes() {
        for (status, expected) in [
            (None, "no_response"),
            (Some(200), "2xx"),
            (Some(204), "2xx"),
            (Some(301), "3xx"),
            (Some(404), "4xx"),
            (Some(599), "5xx"),
            (Some(199), "other"),
            (Some(600), "other"),
        ] {
            assert_eq!(class(status), expected, "{status:?}");
            assert!(ATTEMPTS.contains(&class(status)));
        }
    }
}
