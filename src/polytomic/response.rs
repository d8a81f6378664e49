//! Response bodies before they become types: the envelope `{"data": …, "job": …}`, and what counts as a
//! complete response.
//!
//! Source: contract sections 1 (transport) and 2 (jobs); gap G7.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::error_body::is_set;
use super::exact_numbers::unmarked;
use super::idempotency::ClaimedKey;
use super::types::tolerance::{self, Items};
use super::types::{Job, Model, Page, Preview, Sample};

/// A response that holds data, a job to wait for, or both.
#[derive(Debug)]
pub struct Response<T> {
    /// The requested object, if it was ready in time. An update may be confirmed without it.
    pub data: Option<T>,
    /// The job that does or did the work.
    pub job: Option<Job>,
    /// Idempotency key of the request. Its outcome stays unknown while a call waits for the job.
    pub(crate) key: Option<ClaimedKey>,
}

/// The body of such a response.
#[derive(Deserialize)]
pub(super) struct DataOrJob<T> {
    #[serde(default = "Option::default")]
    data: Option<T>,
    #[serde(default, deserialize_with = "tolerance::optional")]
    job: Option<Job>,
    error: Option<Value>,
    errors: Option<Value>,
}

/// Accepts a response that holds data, or a job that can be polled or has ended.
pub(super) fn validate<T: ResponseData>(body: DataOrJob<T>) -> Result<Response<T>, &'static str> {
    reject_error(body.error.as_ref(), body.errors.as_ref())?;
    let may_be_empty = body.job.is_none() && T::MAY_BE_EMPTY;
    let data = body.data.filter(|data| may_be_empty || !data.is_empty());
    let response = Response { data, job: body.job, key: None };
    match (&response.data, &response.job) {
        (Some(_), _) => Ok(response),
        (None, Some(job)) if job.has_ended() || job.handle().is_some() => Ok(response),
        (None, Some(_)) => Err("its job has no type and id to poll"),
        (None, None) => Err("it holds neither data nor a job"),
    }
}

/// The same for a model that was written: one without an id is none, whatever else is there.
pub(super) fn validate_written(body: DataOrJob<Model>) -> Result<Response<Model>, &'static str> {
    let data = body.data.filter(|model| model.id.as_ref().is_some_and(|id| !id.is_empty()));
    validate(DataOrJob { data, ..body })
}

/// Fails if there is an error beside the data, which may then be a part of what was requested.
fn reject_error(error: Option<&Value>, errors: Option<&Value>) -> Result<(), &'static str> {
    let has_error = is_set(error) || is_set(errors);
    if has_error { Err("it holds an error beside its data") } else { Ok(()) }
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
    pub(super) request_id: Option<String>,
    pub(super) retry_after: Option<Duration>,
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
    data: Option<T>,
    error: Option<Value>,
    errors: Option<Value>,
}

impl<T> Envelope<T> {
    pub(super) fn into_data(self) -> Result<Option<T>, &'static str> {
        reject_error(self.error.as_ref(), self.errors.as_ref())?;
        Ok(self.data)
    }
}

/// A response with one page of a list. `data` must be present; null reads as an empty list.
#[derive(Deserialize)]
pub(super) struct PageEnvelope<T> {
    #[serde(deserialize_with = "Option::deserialize", bound = "T: Deserialize<'de>")]
    data: Option<Items<T>>,
    #[serde(default, deserialize_with = "pagination")]
    pagination: Option<Pagination>,
    error: Option<Value>,
    errors: Option<Value>,
}

#[derive(Deserialize)]
struct Pagination {
    next_page_token: Option<String>,
}

/// With tolerance, what is empty stands for no next page, and a token may be a number.
fn pagination<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Pagination>, D::Error> {
    if !tolerance::is_on() {
        return Option::deserialize(deserializer);
    }
    let is_nothing = |value: &Value| !is_set(Some(value)) || *value == 0;
    let next_page_token = match Value::deserialize(deserializer)? {
        Value::Object(mut pagination) => {
            match pagination.shift_remove("next_page_token").unwrap_or_default() {
                Value::String(token) => Some(unmarked(&token).to_owned()),
                Value::Number(token) => Some(token.to_string()),
                token if is_nothing(&token) => None,
                _ => return Err(D::Error::custom("the token of the next page is no text")),
            }
        }
        pagination if is_nothing(&pagination) => None,
        _ => return Err(D::Error::custom("the pagination is no object")),
    };
    Ok(Some(Pagination { next_page_token }))
}

impl<T> PageEnvelope<T> {
    pub(super) fn into_page(self) -> Result<Page<T>, &'static str> {
        reject_error(self.error.as_ref(), self.errors.as_ref())?;
        let token = self.pagination.and_then(|pagination| pagination.next_page_token);
        Ok(Page {
            items: self.data.map(|Items(items)| items).unwrap_or_default(),
            next_page_token: token.filter(|token| !token.is_empty()),
        })
    }
}

/// The job in the body of a deletion, which may hold `data` and `job` and nothing else (gap G6).
pub(super) fn deletion_job(mut body: Map<String, Value>) -> Result<Option<Job>, &'static str> {
    if body.keys().any(|key| !["data", "job"].contains(&key.as_str())) {
        return Err("it holds other properties than data and job");
    }
    if body.get("data").and_then(|data| data.get("deleted")) == Some(&Value::Bool(false)) {
        return Err("it says that nothing was deleted");
    }
    let job = body.shift_remove("job").unwrap_or_default();
    let job: Option<Job> = serde_json::from_value(job).map_err(|_| "its job cannot be read")?;
    if job.as_ref().is_some_and(|job| !job.has_ended() && job.handle().is_none()) {
        return Err("its job has no type and id to poll");
    }
    Ok(job)
}
