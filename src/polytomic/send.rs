//! Sends requests and reads their responses as types: data, a job, a page of a list.
//!
//! `send_with_retries` makes the attempts, `exchange` one HTTP exchange.
//!
//! Source: contract sections 1 (transport) and 2 (jobs).

use serde::de::DeserializeOwned;

use super::client::{CallOptions, Client};
use super::error::Error;
use super::exact_numbers::{mark_and_replace, may_need_marks};
use super::failed_request::{Attempts, FailedRequest};
use super::idempotency::ClaimedKey;
use super::request::Request;
use super::response::{Body, Envelope, PageEnvelope, Response, ResponseData, validate};
use super::types::Page;

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

    /// Sends a request whose response must hold data.
    pub(super) async fn send_for_data<T: DeserializeOwned>(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<T, Error> {
        let data = |Envelope { data }| data.ok_or("it holds no data");
        Ok(self.send_and_validate(&request, options, data).await?.0)
    }

    /// Sends a request whose response may hold null as its data.
    pub(super) async fn send_for_data_or_null<T: DeserializeOwned>(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<Option<T>, Error> {
        let data = |envelope: Envelope<T>| Ok(envelope.data);
        Ok(self.send_and_validate(request, options, data).await?.0)
    }

    /// Sends a request for one page of a list.
    pub(super) async fn send_for_page<T: DeserializeOwned>(
        &self,
        request: Request,
        options: &CallOptions,
    ) -> Result<Page<T>, Error> {
        let page: PageEnvelope<T> = self.send_without_envelope(&request, options).await?;
        Ok(page.into())
    }

    /// Sends a request whose response has no envelope.
    pub(super) async fn send_without_envelope<T: DeserializeOwned>(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<T, Error> {
        Ok(self.send_and_validate(request, options, Ok).await?.0)
    }

    /// Sends a request, reads its response, and lets `validate` accept or reject it.
    async fn send_and_validate<T: DeserializeOwned, U>(
        &self,
        request: &Request,
        options: &CallOptions,
        validate: impl FnOnce(T) -> Result<U, &'static str>,
    ) -> Result<(U, Option<ClaimedKey>), Error> {
        self.send_with_retries(request, options, |body| {
            let status = body.status;
            validate(self.parse(request, body)?).map_err(|reason| Error::Decoding {
                request: self.failed_request(request),
                status,
                reason: reason.into(),
            })
        })
        .await
    }

    pub(super) fn failed_request(&self, request: &Request) -> Box<FailedRequest> {
        Box::new(FailedRequest {
            operation: request.operation,
            method: request.method.clone(),
            base_url: self.config.base_url.clone(),
            path: request.path.clone(),
            attempts: Attempts::default(),
            idempotency_key: None,
            key_defect: self.config.credential.defect(),
        })
    }

    /// Reads a body as JSON, with the credential taken out of it and its numbers marked.
    pub(super) fn parse<T: DeserializeOwned>(
        &self,
        request: &Request,
        body: Body,
    ) -> Result<T, Error> {
        let credential = &self.config.credential;
        let Body { status, mut bytes, content_type } = body;
        let may_have_secret = credential.may_be_in(&bytes);
        let redact =
            |string: &str| may_have_secret.then(|| credential.redact_string(string)).flatten();
        let json = std::str::from_utf8(&bytes).ok();
        let json = json.filter(|json| may_have_secret || may_need_marks(json));
        if let Some(json) = json.and_then(|json| mark_and_replace(json, redact)) {
            bytes = json.into_bytes();
        }
        let parsed = match std::str::from_utf8(&bytes) {
            // Faster, since the strings are not validated one by one.
            Ok(json) => serde_json::from_str(json),
            Err(_) => serde_json::from_slice(&bytes),
        };
        parsed.map_err(|error| {
            let is_json = content_type.as_deref().is_none_or(|kind| kind.contains("json"));
            let reason = if bytes.trim_ascii().is_empty() {
                "its body is empty".to_owned()
            } else if !error.is_data() && is_json {
                format!("its JSON cannot be parsed: {error}")
            } else if !error.is_data() {
                format!("its body is not JSON but {}", content_type.unwrap_or_default())
            } else {
                // Parsed a second time to find the path of the error; only the failure pays for it.
                let mut json = serde_json::Deserializer::from_slice(&bytes);
                let result = serde_path_to_error::deserialize::<_, T>(&mut json);
                let message =
                    result.err().map_or_else(|| error.to_string(), |error| error.to_string());
                without_value(&message)
            };
            Error::Decoding {
                request: self.failed_request(request),
                status,
                reason: credential.redact(&reason),
            }
        })
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
