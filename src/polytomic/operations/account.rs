//! The identity of the API key.
//!
//! Source: contract section 1.1.

use crate::polytomic::client::{CallOptions, Client};
use crate::polytomic::error::Error;
use crate::polytomic::failed_request::{ApiOperation, Subject};
use crate::polytomic::request::{Request, path};
use crate::polytomic::types::Identity;

impl Client {
    /// Gets the identity and permissions of the API key; the cheapest way to check a key.
    ///
    /// # Errors
    /// [`Error::Status`] with 401 for an unknown key.
    pub async fn get_identity(&self, options: &CallOptions) -> Result<Identity, Error> {
        let operation = ApiOperation::read("get_identity", Subject::NoObject);
        let request = Request::get(operation, path(&["api", "me"])?, Vec::new());
        self.send_for_data(request, options).await
    }
}
