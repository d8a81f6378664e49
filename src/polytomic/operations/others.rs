//! The operations on jobs, model syncs and the account.
//!
//! Source: contract sections 1.1 (identity), 2 (jobs) and 7 (dependents).

use super::{get, paged, reading};
use crate::polytomic::error::Subject;
use crate::polytomic::exchange::{Request, path};
use crate::polytomic::types::{Identity, Job, JobId, ModelSync, Page, SyncId};
use crate::polytomic::{CallOptions, Client, Error};

impl Client {
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
        self.data(job(kind, id)?, options).await
    }

    /// One page of model syncs, newest change first; each names the models it reads in `model_ids`.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn list_model_syncs(
        &self,
        limit: Option<u32>,
        page_token: Option<&str>,
        options: &CallOptions,
    ) -> Result<Page<ModelSync>, Error> {
        let operation = reading("list_model_syncs", Subject::Everything);
        self.page(paged(operation, path(&["api", "syncs"])?, limit, page_token), options).await
    }

    /// Reads one model sync.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id.
    pub async fn get_model_sync(
        &self,
        id: SyncId,
        options: &CallOptions,
    ) -> Result<ModelSync, Error> {
        let path = path(&["api", "syncs", &id.to_string()])?;
        self.data(get(reading("get_model_sync", Subject::Sync(id)), path, Vec::new()), options)
            .await
    }

    /// Who the key is and what it may do; the cheapest check of a key.
    ///
    /// # Errors
    /// [`Error::Status`] with 401 for a key that is not known.
    pub async fn get_identity(&self, options: &CallOptions) -> Result<Identity, Error> {
        let operation = reading("get_identity", Subject::Everything);
        self.data(get(operation, path(&["api", "me"])?, Vec::new()), options).await
    }
}

/// The request for a job.
pub(in crate::polytomic) fn job(kind: &str, id: JobId) -> Result<Request, Error> {
    let path = path(&["api", "jobs", kind, &id.to_string()])?;
    Ok(get(reading("get_job", Subject::Job(id)), path, Vec::new()))
}
