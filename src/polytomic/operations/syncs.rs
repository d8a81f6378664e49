//! Operations on model syncs.
//!
//! Source: contract section 7 (dependents).

use crate::polytomic::client::{CallOptions, Client};
use crate::polytomic::error::Error;
use crate::polytomic::failed_request::{ApiOperation, Subject};
use crate::polytomic::request::{Request, path};
use crate::polytomic::types::{ModelSync, Page, SyncId};

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
}
