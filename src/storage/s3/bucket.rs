//! The bucket of a storage, and what requests to it need.

use std::sync::Arc;

use aws_sdk_s3::Client;

use super::config::RequestConfig;

/// A bucket. Clones share the connections.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) name: Arc<str>,
    pub(super) requests: RequestConfig,
}
