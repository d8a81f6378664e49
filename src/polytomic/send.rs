//! Sends requests and reads their responses as types: data, a job, a page of a list.
//!
//! `send_with_retries` makes the attempts, `exchange` one HTTP exchange.
//!
//! Source: contract sections 1 (transport) and 2 (jobs).

use serde::de::{DeserializeOwned, IgnoredAny};

use super::client::{CallOptions, Client};
use super::error::Error;
use super::error_body::ErrorBody;
use super::failed_request::{Attempts, FailedRequest, Subject};
use super::idempotency::ClaimedKey;
use super::lenient_json::repair;
use super::reading::{Unreadable, read};
use super::request::Request;
use super::response::{
    Body, Envelope, PageEnvelope, Response, ResponseData, validate, validate_written,
};
use super::types::tolerance::Items;
use super::types::{Model, Page};

impl Client {
    /// Sends a request whose response holds data, a job, or both.
    pub(super) async fn send_for_data_or_job<T: DeserializeOwned + ResponseData>(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<Response<T>, Error> {
        let response = self.send_and_validate(&request, options, validate::<T>);
        let (response, key) = response.await?;
        Ok(Response { key, ..response })
    }

    /// Sends a request that writes a model. Its response holds the model, a job, or both.
    pub(super) async fn send_to_write(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<Response<Model>, Error> {
        let response = self.send_and_validate(&request, options, validate_written);
        let (response, key) = response.await?;
        Ok(Response { key, ..response })
    }

    /// Sends a request whose response must hold data.
    pub(super) async fn send_for_data<T: DeserializeOwned>(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<T, Error> {
        let data = |body: Envelope<T>| body.into_data()?.ok_or("it holds no data");
        Ok(self.send_and_validate(&request, options, data).await?.0)
    }

    /// Sends a request whose response holds a list, or null for an empty one.
    pub(super) async fn send_for_list<T: DeserializeOwned>(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<Vec<T>, Error> {
        let items: Option<Items<T>> = self.send_for_data_or_null(request, options).await?;
        Ok(items.map(|Items(items)| items).unwrap_or_default())
    }

    /// Sends a request whose response may hold null as its data.
    pub(super) async fn send_for_data_or_null<T: DeserializeOwned>(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<Option<T>, Error> {
        Ok(self.send_and_validate(request, options, Envelope::into_data).await?.0)
    }

    /// Sends a request for one page of a list.
    pub(super) async fn send_for_page<T: DeserializeOwned>(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<Page<T>, Error> {
        Ok(self.send_and_validate(&request, options, PageEnvelope::into_page).await?.0)
    }

    /// Sends a request whose response has no envelope.
    pub(super) async fn send_without_envelope<T: DeserializeOwned>(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<T, Error> {
        Ok(self.send_and_validate(request, options, Ok).await?.0)
    }

    /// Sends a request that deletes an object.
    pub(super) async fn send_to_delete<T: Default>(
        &self,
        request: &Request,
        options: &CallOptions,
        read: impl FnOnce(Body) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.send_with_retries(request, options, read).await {
            // An earlier attempt deleted it, and the connection broke before the response arrived.
            Err(Error::Status { status: 404, request, body, .. })
                if request.attempts.outcome_unknown
                    && body.is_api_error
                    && body.success_status.is_none() =>
            {
                Ok(T::default())
            }
            result => Ok(result?.0),
        }
    }

    /// Sends a request, reads its response, and lets `validate` accept or reject it.
    async fn send_and_validate<T: DeserializeOwned, U>(
        &self,
        request: &Request,
        options: &CallOptions,
        validate: impl FnOnce(T) -> Result<U, &'static str>,
    ) -> Result<(U, Option<ClaimedKey>), Error> {
        let read = |body| self.read_and_validate(request, options, body, validate);
        self.send_with_retries(request, options, read).await
    }

    /// Reads the body of a 2xx response, and lets `validate` accept or reject what it holds.
    pub(super) fn read_and_validate<T: DeserializeOwned, U>(
        &self,
        request: &Request,
        options: &CallOptions,
        body: Body,
        validate: impl FnOnce(T) -> Result<U, &'static str>,
    ) -> Result<U, Error> {
        let is_unusual = ErrorBody::may_be_in(&body.bytes);
        if is_unusual {
            self.reject_error_body(request, &body)?;
        }
        let Body { status, bytes, content_type, .. } = body;
        let credential = &self.config.credential;
        let unusual = is_unusual.then(|| bytes.clone());
        let rejected = |reason: String, body: ErrorBody| {
            let (request, body) = (self.failed_request(request), Box::new(body));
            Error::Decoding { request, status, reason, body }
        };
        // serde would read a list as the properties of an object.
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Err(rejected(
                "it is a list and not an object".to_owned(),
                ErrorBody::default(),
            ));
        }
        let value =
            read::<T>(bytes, credential, options.repairs.as_ref()).map_err(|unreadable| {
                let text = &unreadable.text;
                let body = ErrorBody::of_success(status, text, content_type.clone(), credential);
                let reason = reason(&unreadable, content_type, body.is_page);
                rejected(credential.redact(&reason), body)
            })?;
        validate(value).map_err(|reason| {
            // Without data, it may say why.
            let body = unusual.map(|bytes| ErrorBody::of_success(status, &bytes, None, credential));
            rejected(reason.into(), body.unwrap_or_default())
        })
    }

    /// Fails if the body of a 2xx response is an error.
    fn reject_error_body(&self, request: &Request, body: &Body) -> Result<(), Error> {
        let has_job_as_data = matches!(request.operation.subject, Subject::Job(_));
        let (status, bytes) = (body.status, &body.bytes);
        let error = ErrorBody::in_success(status, bytes, has_job_as_data, &self.config.credential);
        let Some((status, error)) = error else { return Ok(()) };
        let (request, request_id) = (self.failed_request(request), body.request_id.clone());
        let (retry_after, body) = (body.retry_after, Box::new(error));
        Err(Error::Status { request, status, body, request_id, retry_after })
    }

    /// Fails if the body of a 2xx response is a page, a text other than "ok", an error or `false`, and accepts any other.
    pub(super) fn accept_any(&self, request: &Request, body: Body) -> Result<(), Error> {
        self.reject_error_body(request, &body)?;
        if body.is_empty() {
            return Ok(());
        }
        let Body { status, bytes, content_type, request_id, retry_after } = body;
        let request = self.failed_request(request);
        if bytes.trim_ascii() == b"false" {
            let body = ErrorBody { success_status: Some(status), ..ErrorBody::default() };
            let body = Box::new(body);
            return Err(Error::Status { request, status, body, request_id, retry_after });
        }
        let is_json = serde_json::from_slice::<IgnoredAny>(&bytes).is_ok();
        if is_json || repair(&bytes).is_some() || bytes.trim_ascii().eq_ignore_ascii_case(b"ok") {
            return Ok(());
        }
        let body = ErrorBody::of_success(status, &bytes, content_type, &self.config.credential);
        let reason = if body.is_page { PAGE } else { "its body is not JSON" };
        Err(Error::Decoding { request, status, reason: reason.to_owned(), body: Box::new(body) })
    }

    pub(super) fn failed_request(&self, request: &Request) -> Box<FailedRequest> {
        Box::new(FailedRequest {
            operation: request.operation,
            method: request.method.clone(),
            base_url: self.config.base_url.clone(),
            path: request.path.clone(),
            attempts: Attempts::default(),
            idempotency_key: None,
            key_source: self.config.credential.source().to_owned(),
            key_defect: self.config.credential.defect(),
            organization_source: self.config.credential.organization_source().map(str::to_owned),
            earlier: None,
        })
    }
}

const PAGE: &str = "its body is a page and not JSON";

/// Why a body cannot be read, without what it holds.
fn reason(unreadable: &Unreadable, content_type: Option<String>, is_page: bool) -> String {
    let Unreadable { error, text } = unreadable;
    let is_json = content_type.as_deref().is_none_or(|kind| kind.contains("json"));
    if text.trim_ascii().is_empty() {
        "its body is empty".to_owned()
    } else if is_page {
        PAGE.to_owned()
    } else if !error.is_data() && is_json {
        format!("its JSON cannot be parsed: {error}")
    } else if !error.is_data() {
        format!("its body is not JSON but {}", content_type.unwrap_or_default())
    } else {
        without_value(&unreadable.message())
    }
}

/// A serde message without the value it quotes, which may be a secret.
fn without_value(message: &str) -> String {
    match (message.find(" \""), message.rfind("\", expected")) {
        (Some(from), Some(to)) if from < to => {
            let (before, after) = (message.get(..from), message.get(to + 1..));
            format!("{}{}", before.unwrap_or_default(), after.unwrap_or_default())
        }
        _ => message.to_owned(),
    }
}
