//! What the headers of a first response say about the service, for those who look for the cause of a problem.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap};

/// The header of the API version, of requests and responses.
pub(super) const VERSION_HEADER: &str = "X-Polytomic-Version";

/// What the headers of a response say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceFacts {
    /// The API version of the response; none if the header is missing.
    pub(crate) version: Option<String>,
    /// How far the clocks of this machine and the service are apart; none without a date.
    pub(crate) clock_difference: Option<Duration>,
}

impl ServiceFacts {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        let date = text(DATE.as_str()).and_then(|date| httpdate::parse_http_date(&date).ok());
        let now = SystemTime::now();
        let clock_difference =
            date.map(|date| now.duration_since(date).unwrap_or_else(|earlier| earlier.duration()));
        Self { version: text(VERSION_HEADER), clock_difference }
    }
}
