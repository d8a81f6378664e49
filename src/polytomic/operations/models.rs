//! Operations on models.
//!
//! Source: contract section 3.

use serde_json::{Map, Value};

use crate::polytomic::client::{CallOptions, Client};
use crate::polytomic::error::Error;
use crate::polytomic::failed_request::{ApiOperation, Subject};
use crate::polytomic::request::{Request, RetryPolicy, path};
use crate::polytomic::response::{Body, Response, deletion_job, validate_written};
use crate::polytomic::types::{Job, Model, ModelId, NewModel, Page, Preview, Sample};

impl Client {
    /// Creates a model. A slow request, or one with `background`, returns a `createmodel` job.
    ///
    /// ```
    /// # use polytomic_mcp::polytomic::*;
    /// # #[cfg(feature = "sandbox")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = polytomic_mcp::sandbox::Sandbox::start(Default::default())?;
    /// # let url = BaseUrl::parse(sandbox.url(), false)?;
    /// # let client = Client::new(ClientConfig::new(url, Credential::bearer(sandbox.api_key())?))?;
    /// let model: NewModel = serde_json::from_value(serde_json::json!({
    ///     "connection_id": "248df4b7-aa70-47b8-a036-33ac447e668d",
    ///     "name": "Users",
    ///     "configuration": {"table": "public.users"},
    /// }))?;
    /// let response = client.create_model(&model, &CallOptions::default()).await?;
    /// assert_eq!(response.data.and_then(|model| model.name).as_deref(), Some("Users"));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "sandbox"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// [`Error::Status`] with 400 for an invalid configuration, 403, or 404 for an unknown connection.
    pub async fn create_model(
        &self,
        model: &NewModel,
        options: &CallOptions,
    ) -> Result<Response<Model>, Error> {
        let operation = ApiOperation::write("create_model", Subject::Definition).with_async();
        let path = path(&["api", "models"])?;
        let request = Request::post(operation, path, options.async_query(), model);
        self.send_to_write(request, options).await
    }

    /// Resolves the fields a model would have; nothing is stored. A model without a name is sent with a
    /// placeholder, since the API requires a name here and does not use it (gap G11).
    ///
    /// # Errors
    /// As [`Client::create_model`].
    pub async fn preview_model(
        &self,
        model: &NewModel,
        options: &CallOptions,
    ) -> Result<Response<Preview>, Error> {
        let path = path(&["api", "model-preview"])?;
        let operation = ApiOperation::read("preview_model", Subject::Definition).with_async();
        let query = options.async_query();
        let request = if model.name.is_empty() {
            let named = NewModel { name: "Preview".to_owned(), ..model.clone() };
            Request::post(operation, path, query, &named)
        } else {
            Request::post(operation, path, query, model)
        };
        self.send_for_data_or_job(request, options).await
    }

    /// Gets one model.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id.
    pub async fn get_model(
        &self,
        id: ModelId,
        options: &CallOptions,
    ) -> Result<Response<Model>, Error> {
        let path = path(&["api", "models", &id.to_string()])?;
        let operation = ApiOperation::read("get_model", Subject::Model(id)).with_async();
        self.send_for_data_or_job(Request::get(operation, path, options.async_query()), options)
            .await
    }

    /// Lists one page of models, newest change first. The API may ignore `limit` and `page_token` (gap G10).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_models(
        &self,
        limit: Option<u32>,
        page_token: Option<&str>,
        options: &CallOptions,
    ) -> Result<Page<Model>, Error> {
        let operation = ApiOperation::read("list_models", Subject::NoObject);
        let path = path(&["api", "models"])?;
        self.send_for_page(Request::page(operation, path, limit, page_token), options).await
    }

    /// Replaces a model's definition: properties that `definition` leaves out are cleared or set to their
    /// defaults. [`Model::request`] returns the current one. A slow request, or one with `background`, returns
    /// an `updatemodel` job. A response without a body confirms the update, and has neither data nor a job.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id, 400 for an invalid definition.
    pub async fn update_model(
        &self,
        id: ModelId,
        definition: &Map<String, Value>,
        options: &CallOptions,
    ) -> Result<Response<Model>, Error> {
        let path = path(&["api", "models", &id.to_string()])?;
        // A 404 may be about any id of the definition, such as that of the connection.
        let operation = ApiOperation::write("update_model", Subject::Definition).with_async();
        let request = Request::put(operation, path, options.async_query(), definition);
        let updated = self.send_with_retries(&request, options, |body| {
            if body.is_empty() {
                return Ok(Response { data: None, job: None, key: None });
            }
            self.read_and_validate(&request, options, body, validate_written)
        });
        Ok(updated.await?.0)
    }

    /// Deletes a model; syncs that read it break. `async` is not sent. No response body is documented; if there
    /// is one, it may hold a job (gap G6).
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id, 403; [`Error::Decoding`] for a body that is not JSON.
    pub async fn delete_model(
        &self,
        id: ModelId,
        options: &CallOptions,
    ) -> Result<Option<Job>, Error> {
        let operation = ApiOperation::write("delete_model", Subject::Model(id));
        let path = path(&["api", "models", &id.to_string()])?;
        let request = Request::delete(operation, path);
        let read = |body: Body| {
            if body.is_empty() {
                return Ok(None);
            }
            let job = |body: Option<Map<String, Value>>| deletion_job(body.unwrap_or_default());
            self.read_and_validate(&request, options, body, job)
        };
        self.send_to_delete(&request, options, read).await
    }

    /// Samples records of a model. Without `background` the API has 10 s; if that is not enough, the request is
    /// sent once more with it, and the response is a job (gap G5).
    ///
    /// ```
    /// # use polytomic_mcp::polytomic::*;
    /// # #[cfg(feature = "sandbox")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = polytomic_mcp::sandbox::Sandbox::start(Default::default())?;
    /// # let url = BaseUrl::parse(sandbox.url(), false)?;
    /// # let client = Client::new(ClientConfig::new(url, Credential::bearer(sandbox.api_key())?))?;
    /// let model: NewModel = serde_json::from_value(serde_json::json!({
    ///     "connection_id": "248df4b7-aa70-47b8-a036-33ac447e668d",
    ///     "name": "Users",
    ///     "configuration": {"table": "public.users"},
    /// }))?;
    /// let options = CallOptions::default();
    /// let created = client.create_model(&model, &options).await?.data.ok_or("no model")?;
    /// let id = ModelId(created.id.ok_or("no id")?.parse()?);
    /// let background = CallOptions { background: true, ..options };
    /// let job = client.sample_model(id, &background).await?.job.ok_or("no job")?;
    /// let minute = tokio::time::sleep(std::time::Duration::from_secs(60));
    /// let done = client.wait_for_job(job, minute, |_| {}, &CallOptions::default()).await?;
    /// let sample: Sample = done.result.ok_or("no result")?.read()?;
    /// assert_eq!(sample.records.map(|records| records.len()), Some(20));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "sandbox"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id, 400 if the source rejects the query.
    pub async fn sample_model(
        &self,
        id: ModelId,
        options: &CallOptions,
    ) -> Result<Response<Sample>, Error> {
        let path = path(&["api", "models", &id.to_string(), "sample"])?;
        let operation = ApiOperation::read("sample_model", Subject::Model(id)).with_async();
        let request = |query| Request::get(operation, path.clone(), query);
        if !options.background {
            let request = Request { retry: RetryPolicy::UnlessSlow, ..request(Vec::new()) };
            match self.send_for_data_or_job(request, options).await {
                Err(error) if error.is_slow() => {}
                result => return result,
            }
        }
        let options = CallOptions { background: true, ..options.clone() };
        self.send_for_data_or_job(request(options.async_query()), &options).await
    }
}
