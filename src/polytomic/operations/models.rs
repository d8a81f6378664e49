//! The operations on models.
//!
//! Source: contract section 3.

use reqwest::Method;
use serde_json::{Map, Value};

use super::{background, get, or_job, paged, post, reading, writing};
use crate::polytomic::error::Subject;
use crate::polytomic::exchange::{Request, path};
use crate::polytomic::retry::Retry;
use crate::polytomic::types::{Answer, Job, Model, ModelId, NewModel, Page, Preview, Sample};
use crate::polytomic::{CallOptions, Client, Error};

impl Client {
    /// Saves a model. A slow save, or one with `background`, answers with a `createmodel` job.
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
    /// let answer = client.create_model(&model, &CallOptions::default()).await?;
    /// assert_eq!(answer.data.and_then(|model| model.name).as_deref(), Some("Users"));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "sandbox"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// [`Error::Status`] with 400 for a bad configuration, 403, 404 for a connection; others as
    /// [`Error`] says.
    pub async fn create_model(
        &self,
        model: &NewModel,
        options: &CallOptions,
    ) -> Result<Answer<Model>, Error> {
        let operation = or_job(writing("create_model", Subject::Definition));
        let request = post(operation, path(&["api", "models"])?, model, background(options));
        self.answer(request, options).await
    }

    /// Resolves the fields a model would have; nothing is stored. A model without a name gets a
    /// placeholder, since the API demands a name here and does not use it (gap G11).
    ///
    /// # Errors
    /// As [`Client::create_model`].
    pub async fn preview_model(
        &self,
        model: &NewModel,
        options: &CallOptions,
    ) -> Result<Answer<Preview>, Error> {
        let path = path(&["api", "model-preview"])?;
        let operation = or_job(reading("preview_model", Subject::Definition));
        let query = background(options);
        let request = if model.name.is_empty() {
            let named = NewModel { name: "Preview".to_owned(), ..model.clone() };
            post(operation, path, &named, query)
        } else {
            post(operation, path, model, query)
        };
        self.answer(request, options).await
    }

    /// Reads one model.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id.
    pub async fn get_model(
        &self,
        id: ModelId,
        options: &CallOptions,
    ) -> Result<Answer<Model>, Error> {
        let path = path(&["api", "models", &id.to_string()])?;
        let operation = or_job(reading("get_model", Subject::Model(id)));
        self.answer(get(operation, path, background(options)), options).await
    }

    /// One page of models, newest change first. The API may ignore both arguments (gap G10).
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn list_models(
        &self,
        limit: Option<u32>,
        page_token: Option<&str>,
        options: &CallOptions,
    ) -> Result<Page<Model>, Error> {
        let operation = reading("list_models", Subject::Everything);
        self.page(paged(operation, path(&["api", "models"])?, limit, page_token), options).await
    }

    /// Replaces a model's definition: what `definition` leaves out is cleared or set to its default.
    /// [`Model::request`] gives the present one. A slow save, or one with `background`, answers with an
    /// `updatemodel` job.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id, 400 for a bad definition.
    pub async fn update_model(
        &self,
        id: ModelId,
        definition: &Map<String, Value>,
        options: &CallOptions,
    ) -> Result<Answer<Model>, Error> {
        let path = path(&["api", "models", &id.to_string()])?;
        let operation = or_job(writing("update_model", Subject::Model(id)));
        let request = Request {
            method: Method::PUT,
            ..post(operation, path, definition, background(options))
        };
        self.answer(request, options).await
    }

    /// Deletes a model; the syncs that use it break. `async` is not sent, and a body is not documented;
    /// where there is one, it may hold a job (gap G6).
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id, 403; [`Error::Decoding`] for a body that is no JSON.
    pub async fn delete_model(
        &self,
        id: ModelId,
        options: &CallOptions,
    ) -> Result<Option<Job>, Error> {
        let operation = writing("delete_model", Subject::Model(id));
        let path = path(&["api", "models", &id.to_string()])?;
        let request = Request { method: Method::DELETE, ..get(operation, path, Vec::new()) };
        let deleted = self.send(&request, options, |body| {
            if body.bytes.trim_ascii().is_empty() {
                return Ok(None);
            }
            let deleted: Option<Map<String, Value>> = self.parsed(&request, body)?;
            job_of(deleted.unwrap_or_default()).map_err(|reason| Error::Decoding {
                endpoint: self.endpoint(&request),
                status: 200,
                reason: reason.to_owned(),
            })
        });
        match deleted.await {
            // An earlier try has done it, and the connection broke before its answer came.
            Err(Error::Status { status: 404, endpoint, .. }) if endpoint.tries.unsure => Ok(None),
            other => Ok(other?.0),
        }
    }

    /// Reads sample records. Without `background` the API has 10 s for it; where that is not enough, the
    /// same is asked once more with it, and the answer is a job (gap G5).
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
    /// let sample: Sample = serde_json::from_value(done.result.ok_or("no result")?)?;
    /// assert_eq!(sample.records.map(|records| records.len()), Some(20));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "sandbox"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id, 400 where the source refuses.
    pub async fn sample_model(
        &self,
        id: ModelId,
        options: &CallOptions,
    ) -> Result<Answer<Sample>, Error> {
        let path = path(&["api", "models", &id.to_string(), "sample"])?;
        let request =
            |query| get(or_job(reading("sample_model", Subject::Model(id))), path.clone(), query);
        if !options.background {
            let request = Request { retry: Retry::UnlessSlow, ..request(Vec::new()) };
            match self.answer(request, options).await {
                Err(error) if error.is_slow() => {}
                answer => return answer,
            }
        }
        let options = CallOptions { background: true, ..options.clone() };
        self.answer(request(background(&options)), &options).await
    }
}

/// The job in the answer to a deletion, which may say `data` and `job` and nothing else.
fn job_of(mut deleted: Map<String, Value>) -> Result<Option<Job>, &'static str> {
    if deleted.keys().any(|key| !["data", "job"].contains(&key.as_str())) {
        return Err("it says something else than data and job");
    }
    let job = deleted.shift_remove("job").unwrap_or_default();
    let job: Option<Job> = serde_json::from_value(job).map_err(|_| "its job cannot be read")?;
    if job.as_ref().is_some_and(|job| !job.has_ended() && job.handle().is_none()) {
        return Err("its job has no type and id that could be asked for");
    }
    Ok(job)
}
