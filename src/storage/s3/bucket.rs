//! The bucket of a storage, and what requests to it need.

use std::sync::Arc;

use aws_sdk_s3::Client;

use super::config::RequestConfig;
use super::error;
use crate::storage::error::StorageError;

/// A bucket. Clones share the connections.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) name: Arc<str>,
    pub(super) requests: RequestConfig,
}

impl Bucket {
    /// Removes the object at a path, if there is one.
    pub(super) async fn delete(&self, path: &str) -> Result<(), StorageError> {
        let request = self.client.delete_object().bucket(&*self.name).key(path);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(failure) if error::is_absent_for_sure(&failure) => Ok(()),
            Err(failure) => Err(error::unavailable(&self.name, "delete", &failure)),
        }
    }
}
