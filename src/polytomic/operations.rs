//! One method for each operation of the API.
//!
//! Source: contract sections 3 (models), 4 (sources) and 6 (connections).

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::{Operation, Subject};
use super::exchange::{Request, path};
use super::types::{
    Answer, Connection, ConnectionId, Job, JobId, Model, ModelId, ModelPage, NewModel, Preview,
    Sample, Source,
};
use super::{CallOptions, Client, Error};

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
        let operation = writing("create_model", Subject::Definition);
        let request = post(operation, path(&["api", "models"])?, model, options);
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
        let operation = reading("preview_model", Subject::Definition);
        let request = if model.name.is_empty() {
            let named = NewModel { name: "Preview".to_owned(), ..model.clone() };
            post(operation, path, &named, options)
        } else {
            post(operation, path, model, options)
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
        let operation = reading("get_model", Subject::Model(id));
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
    ) -> Result<ModelPage, Error> {
        #[derive(Deserialize)]
        struct Page {
            // Null is no models; without it this is no answer of the API's.
            #[serde(deserialize_with = "Option::deserialize")]
            data: Option<Vec<Model>>,
            pagination: Option<Pagination>,
        }
        #[derive(Deserialize)]
        struct Pagination {
            next_page_token: Option<String>,
        }
        let limit = limit.map(|n| ("limit".to_owned(), n.to_string()));
        let token = page_token.map(|t| ("page_token".to_owned(), t.to_owned()));
        let operation = reading("list_models", Subject::Everything);
        let query = limit.into_iter().chain(token).collect();
        let request = get(operation, path(&["api", "models"])?, query);
        let page: Page = self.read(&request, options).await?;
        Ok(ModelPage {
            models: page.data.unwrap_or_default(),
            next_page_token: page
                .pagination
                .and_then(|p| p.next_page_token)
                .filter(|token| !token.is_empty()),
        })
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
        let body = self.send(&request, options).await?;
        if body.bytes.trim_ascii().is_empty() {
            return Ok(None);
        }
        let odd = |reason: &str| Error::Decoding {
            endpoint: self.endpoint(&request),
            status: 200,
            reason: reason.to_owned(),
        };
        let mut deleted: Map<String, Value> =
            self.parsed::<Option<_>>(&request, body)?.unwrap_or_default();
        if deleted.keys().any(|key| !["data", "job"].contains(&key.as_str())) {
            return Err(odd("it says something else than data and job"));
        }
        let job = deleted.shift_remove("job").unwrap_or_default();
        let job: Option<Job> =
            serde_json::from_value(job).map_err(|_| odd("its job cannot be read"))?;
        if job.as_ref().is_some_and(|job| !job.has_ended() && job.handle().is_none()) {
            return Err(odd("its job has no type and id that could be asked for"));
        }
        Ok(job)
    }

    /// Reads sample records. Without `background` the API has 10 s for it; with it the answer is a job.
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
        let operation = reading("sample_model", Subject::Model(id));
        self.answer(get(operation, path, background(options)), options).await
    }

    /// Reads a job. `kind` is the job's `type`, e.g. `createmodel`.
    ///
    /// # Errors
    /// [`Error::Status`] with 400 for an unknown type, 404 for an unknown id.
    pub async fn get_job(
        &self,
        kind: &str,
        id: JobId,
        options: &CallOptions,
    ) -> Result<Job, Error> {
        let path = path(&["api", "jobs", kind, &id.to_string()])?;
        let operation = reading("get_job", Subject::Job(id));
        self.data(get(operation, path, Vec::new()), options).await
    }

    /// Lists the connections of the organization; the API does not page them.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn list_connections(&self, options: &CallOptions) -> Result<Vec<Connection>, Error> {
        let operation = reading("list_connections", Subject::Everything);
        let request = get(operation, path(&["api", "connections"])?, Vec::new());
        let connections: Option<Vec<Connection>> = self.data_or_null(&request, options).await?;
        Ok(connections.unwrap_or_default())
    }

    /// What a connection can serve to a model. `configuration`: the choices made so far; values that
    /// are neither text nor lists are sent as JSON text (gap G12 for the spelling).
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown connection, 400 for a choice it does not take.
    pub async fn get_model_source(
        &self,
        id: ConnectionId,
        configuration: &Map<String, Value>,
        options: &CallOptions,
    ) -> Result<Source, Error> {
        let path = path(&["api", "connections", &id.to_string(), "modelsync", "source"])?;
        let mut query = Vec::new();
        for (key, value) in configuration {
            let name = format!("params[{key}]");
            match value {
                Value::Null => {}
                Value::Array(values) => {
                    query.extend(values.iter().map(|v| (name.clone(), plain(v))));
                }
                value => query.push((name, plain(value))),
            }
        }
        let operation = reading("get_model_source", Subject::Connection(id));
        self.data(get(operation, path, query), options).await
    }
}

fn reading(name: &'static str, subject: Subject) -> Operation {
    Operation { name, subject, writes: false }
}

fn writing(name: &'static str, subject: Subject) -> Operation {
    Operation { name, subject, writes: true }
}

fn get(operation: Operation, path: String, query: Vec<(String, String)>) -> Request {
    Request { operation, method: Method::GET, path, query, body: None }
}

fn post(operation: Operation, path: String, model: &NewModel, options: &CallOptions) -> Request {
    let body = json!(model).to_string().into_bytes();
    let query = background(options);
    Request { operation, method: Method::POST, path, query, body: Some(body) }
}

fn background(options: &CallOptions) -> Vec<(String, String)> {
    let asked = options.background.then(|| ("async".to_owned(), "true".to_owned()));
    asked.into_iter().collect()
}

/// Text as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
