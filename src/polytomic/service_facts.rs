//! What the headers of the first responses say about the service, for those who look for the cause of a problem.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap};

/// The header of the API version, of requests and responses.
pub(super) const VERSION_HEADER: &str = "X-Polytomic-Version";

/// What the headers of responses say, each as in the first response that says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServiceFacts {
    /// The API version; none if no response had the header.
    pub(crate) version: Option<String>,
    /// How far the clocks of this machine and the service are apart; none without a date.
    pub(crate) clock_difference: Option<Duration>,
}

impl ServiceFacts {
    /// Adds what the headers of a further response say and was not known.
    pub(super) fn complete(&mut self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let clock_difference = || {
            let date = httpdate::parse_http_date(text(DATE.as_str())?).ok()?;
            let now = SystemTime::now();
            Some(now.duration_since(date).unwrap_or_else(|earlier| earlier.duration()))
        };
        self.version = self.version.take().or_else(|| text(VERSION_HEADER).map(str::to_owned));
        self.clock_difference = self.clock_difference.or_else(clock_difference);
    }
}
