//! Response bodies before they become types: the envelope `{"data": …, "job": …}`, and what counts as a
//! complete response.
//!
//! Source: contract sections 1 (transport) and 2 (jobs); gap G7.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::idempotency::ClaimedKey;
use super::types::tolerance::{self, Items};
use super::types::{Job, Model, Page, Preview, Sample};

/// A response that holds data, a job to wait for, or both.
#[derive(Debug, Deserialize)]
pub struct Response<T> {
    /// The requested object, if it was ready in time. An update may be confirmed without it.
    #[serde(default = "Option::default")]
    pub data: Option<T>,
    /// The job that does or did the work.
    #[serde(default, deserialize_with = "tolerance::optional")]
    pub job: Option<Job>,
    /// Idempotency key of the request. Its outcome stays unknown while a call waits for the job.
    #[serde(skip)]
    pub(crate) key: Option<ClaimedKey>,
}

/// Accepts a response that holds data, or a job that can be polled or has ended.
pub(super) fn validate<T: ResponseData>(
    response: Response<T>,
) -> Result<Response<T>, &'static str> {
    let may_be_empty = response.job.is_none() && T::MAY_BE_EMPTY;
    let data = response.data.filter(|data| may_be_empty || !data.is_empty());
    let response = Response { data, ..response };
    match (&response.data, &response.job) {
        (Some(_), _) => Ok(response),
        (None, Some(job)) if job.has_ended() || job.handle().is_some() => Ok(response),
        (None, Some(_)) => Err("its job has no type and id to poll"),
        (None, None) => Err("it holds neither data nor a job"),
    }
}

/// A type that responses hold under `data`.
pub(super) trait ResponseData {
    /// Whether an empty value is a complete response when there is no job.
    const MAY_BE_EMPTY: bool = false;

    /// Whether the value carries no information, as `{}` in place of a model.
    fn is_empty(&self) -> bool;
}

impl ResponseData for Sample {
    // A null list reads as an empty one.
    const MAY_BE_EMPTY: bool = true;

    fn is_empty(&self) -> bool {
        self.records.is_none()
    }
}

impl ResponseData for Model {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl ResponseData for Preview {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Model(model) if model.is_empty())
    }
}

/// The complete body of a 2xx response.
pub(super) struct Body {
    pub(super) status: u16,
    pub(super) bytes: Vec<u8>,
    pub(super) content_type: Option<String>,
}

impl Body {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.trim_ascii().is_empty()
    }
}

/// A response that must have `data`, even if it is null.
#[derive(Deserialize)]
pub(super) struct Envelope<T> {
    #[serde(deserialize_with = "Option::deserialize", bound = "T: Deserialize<'de>")]
    pub(super) data: Option<T>,
}

/// A response with one page of a list. `data` must be present; null reads as an empty list.
#[derive(Deserialize)]
pub(super) struct PageEnvelope<T> {
    #[serde(deserialize_with = "Option::deserialize", bound = "T: Deserialize<'de>")]
    data: Option<Items<T>>,
    pagination: Option<Pagination>,
}

#[derive(Deserialize)]
struct Pagination {
    next_page_token: Option<String>,
}

impl<T> From<PageEnvelope<T>> for Page<T> {
    fn from(envelope: PageEnvelope<T>) -> Self {
        let token = envelope.pagination.and_then(|pagination| pagination.next_page_token);
        Self {
            items: envelope.data.map(|Items(items)| items).unwrap_or_default(),
            next_page_token: token.filter(|token| !token.is_empty()),
        }
    }
}

/// The job in the body of a deletion, which may hold `data` and `job` and nothing else (gap G6).
pub(super) fn deletion_job(mut body: Map<String, Value>) -> Result<Option<Job>, &'static str> {
    if body.keys().any(|key| !["data", "job"].contains(&key.as_str())) {
        return Err("it holds other properties than data and job");
    }
    let job = body.shift_remove("job").unwrap_or_default();
    let job: Option<Job> = serde_json::from_value(job).map_err(|_| "its job cannot be read")?;
    if job.as_ref().is_some_and(|job| !job.has_ended() && job.handle().is_none()) {
        return Err("its job has no type and id to poll");
    }
    Ok(job)
}
