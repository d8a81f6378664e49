//! Operations on model syncs, their executions and their targets.
//!
//! Source: contract section 7 (dependents); API reference "Model syncs", 2025-09-18.

use serde_json::{Map, Value};

use crate::polytomic::client::{CallOptions, Client};
use crate::polytomic::error::Error;
use crate::polytomic::failed_request::{ApiOperation, Subject};
use crate::polytomic::polling::Polling;
use crate::polytomic::request::{Request, path};
use crate::polytomic::types::{
    ConnectionId, Execution, ExecutionId, ModelSync, NewModelSync, Page, StartOptions, SyncId,
    Target, TargetObject,
};

impl Client {
    /// Lists one page of model syncs, newest change first; each names the models it reads in `model_ids`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_model_syncs(
        &self,
        limit: Option<u32>,
        page_token: Option<&str>,
        options: &CallOptions,
    ) -> Result<Page<ModelSync>, Error> {
        let operation = ApiOperation::read("list_model_syncs", Subject::NoObject);
        let path = path(&["api", "syncs"])?;
        self.send_for_page(Request::page(operation, path, limit, page_token), options).await
    }

    /// Gets one model sync.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id.
    pub async fn get_model_sync(
        &self,
        id: SyncId,
        options: &CallOptions,
    ) -> Result<ModelSync, Error> {
        let operation = ApiOperation::read("get_model_sync", Subject::Sync(id));
        let path = path(&["api", "syncs", &id.to_string()])?;
        self.send_for_data(Request::get(operation, path, Vec::new()), options).await
    }

    /// Creates a model sync.
    ///
    /// # Errors
    /// [`Error::Status`] with 400 or 422 for an invalid definition, 403, or 404 for an unknown connection or model.
    pub async fn create_model_sync(
        &self,
        sync: &NewModelSync,
        options: &CallOptions,
    ) -> Result<ModelSync, Error> {
        let operation = ApiOperation::write("create_model_sync", Subject::SyncDefinition);
        let request = Request::post(operation, path(&["api", "syncs"])?, Vec::new(), sync);
        self.send_for_data(request, options).await
    }

    /// Replaces a model sync: properties that `definition` leaves out are cleared. [`ModelSync::request`] returns the current one.
    ///
    /// # Errors
    /// As [`Client::create_model_sync`]; [`Error::Status`] with 404 for an unknown id.
    pub async fn update_model_sync(
        &self,
        id: SyncId,
        definition: &Map<String, Value>,
        options: &CallOptions,
    ) -> Result<ModelSync, Error> {
        let operation = ApiOperation::write("update_model_sync", Subject::SyncDefinition);
        let path = path(&["api", "syncs", &id.to_string()])?;
        self.send_for_data(Request::put(operation, path, Vec::new(), definition), options).await
    }

    /// Deletes a model sync; its running execution is cancelled.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id, 403, or 409.
    pub async fn delete_model_sync(&self, id: SyncId, options: &CallOptions) -> Result<(), Error> {
        let operation = ApiOperation::write("delete_model_sync", Subject::Sync(id));
        let path = path(&["api", "syncs", &id.to_string()])?;
        let request = Request::delete(operation, path);
        let accept = |body| self.accept_any(&request, body);
        self.send_to_delete(&request, options, accept).await
    }

    /// Starts an execution of a model sync.
    ///
    /// # Errors
    /// [`Error::Status`] with 409 while one runs, 404 for an unknown id.
    pub async fn start_model_sync(
        &self,
        id: SyncId,
        start: &StartOptions,
        options: &CallOptions,
    ) -> Result<Execution, Error> {
        let operation = ApiOperation::write("start_model_sync", Subject::Sync(id)).with_conflicts();
        let path = path(&["api", "syncs", &id.to_string(), "executions"])?;
        self.send_for_data(Request::post(operation, path, Vec::new(), start), options).await
    }

    /// Asks the running executions of a model sync to stop. They end some time later.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id; 409 if none runs.
    pub async fn cancel_model_sync(&self, id: SyncId, options: &CallOptions) -> Result<(), Error> {
        let operation =
            ApiOperation::write("cancel_model_sync", Subject::Sync(id)).with_conflicts();
        let path = path(&["api", "syncs", &id.to_string(), "cancel"])?;
        let request = Request { body: None, ..Request::post(operation, path, Vec::new(), &()) };
        let accept = |body| self.accept_any(&request, body);
        self.send_with_retries(&request, options, accept).await?;
        Ok(())
    }

    /// Lists one page of the executions of a model sync, the last one first.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id.
    pub async fn list_model_sync_executions(
        &self,
        id: SyncId,
        only_completed: bool,
        page_token: Option<&str>,
        options: &CallOptions,
    ) -> Result<Page<Execution>, Error> {
        let operation = ApiOperation::read("list_model_sync_executions", Subject::Sync(id));
        let path = path(&["api", "syncs", &id.to_string(), "executions"])?;
        let mut request = Request::page(operation, path, None, page_token);
        if only_completed {
            request.query.push(("only_completed".to_owned(), "true".to_owned()));
        }
        self.send_for_page(request, options).await
    }

    /// Gets one execution of a model sync.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id.
    pub async fn get_model_sync_execution(
        &self,
        sync: SyncId,
        id: ExecutionId,
        options: &CallOptions,
    ) -> Result<Execution, Error> {
        self.send_for_data(execution_request(sync, id)?, options).await
    }

    /// Polls an execution until it has ended or `stop_waiting` is ready, and returns its latest state. `on_status` is called with
    /// each state.
    ///
    /// # Errors
    /// As [`Client::get_model_sync_execution`].
    pub async fn wait_for_execution(
        &self,
        sync: SyncId,
        id: ExecutionId,
        mut execution: Execution,
        stop_waiting: impl Future<Output = ()>,
        on_status: impl Fn(&Execution),
        options: &CallOptions,
    ) -> Result<Execution, Error> {
        let mut polling = Polling::new(stop_waiting);
        loop {
            on_status(&execution);
            if execution.has_ended() {
                return Ok(execution);
            }
            let request = || execution_request(sync, id);
            match polling.next(self, request, options).await? {
                Some(latest) => execution = latest,
                None => return Ok(execution),
            }
        }
    }

    /// Lists the objects of a connection that a model sync can write to.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id, 400 if the connection is no target.
    pub async fn list_target_objects(
        &self,
        id: ConnectionId,
        options: &CallOptions,
    ) -> Result<Vec<TargetObject>, Error> {
        let operation = ApiOperation::read("list_target_objects", Subject::Connection(id));
        let path = path(&["api", "connections", &id.to_string(), "modelsync", "targetobjects"])?;
        self.send_for_list(&Request::get(operation, path, Vec::new()), options).await
    }

    /// Gets what an object of a connection accepts.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id, 400 for an unknown object.
    pub async fn get_target_fields(
        &self,
        id: ConnectionId,
        object: &str,
        refresh: bool,
        options: &CallOptions,
    ) -> Result<Target, Error> {
        let operation = ApiOperation::read("get_target_fields", Subject::Target(id));
        let path = path(&["api", "connections", &id.to_string(), "modelsync", "target", "fields"])?;
        let mut query = vec![("target".to_owned(), object.to_owned())];
        if refresh {
            query.push(("refresh".to_owned(), "true".to_owned()));
        }
        self.send_for_data(Request::get(operation, path, query), options).await
    }
}

/// The request for an execution.
fn execution_request(sync: SyncId, id: ExecutionId) -> Result<Request, Error> {
    let operation = ApiOperation::read("get_model_sync_execution", Subject::Execution(id));
    let path = path(&["api", "syncs", &sync.to_string(), "executions", &id.to_string()])?;
    Ok(Request::get(operation, path, Vec::new()))
}
