//! Objects in a bucket of Amazon S3, or of a store that speaks its protocol.
//!
//! One client with one pool of connections serves every call of a storage. Every call has a deadline and is tried up
//! to three times; bodies pass through in pieces, in both directions, and are read again from their temporary file
//! when a request has to be repeated. What other stores understand differently is not used: no conditional requests,
//! no `aws-chunked` bodies, and checksums only where the configuration asks for them. Only `symbold verify` lists.
//!
//! `client` connects, `object` translates headers, `upload` stores, `inventory` lists and sets aside, `address` says
//! where clients can fetch an object themselves, and `error` tells absence from failure and puts failures into words.

mod address;
mod body;
mod bucket;
mod client;
mod config;
mod error;
mod inventory;
mod object;
mod upload;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;

use self::address::Addresses;
use self::bucket::Bucket;
use super::error::StorageError;
use super::fetched::{Fetched, ObjectBytes};
use super::inventory::{Inventory, Listed, Listing, SetAside};
use super::object::{Address, ObjectInfo, ObjectMeta};
use super::payload::Payload;
use super::traits::{ObjectSource, Storage};
use crate::background::Background;

pub use config::{Access, RequestConfig, S3Config};

/// A bucket that holds objects. Clones share the connections.
#[derive(Clone, Debug)]
pub struct S3Storage {
    bucket: Bucket,
    location: Arc<str>,
    addresses: Arc<Addresses>,
    /// The runtime that opened the storage. Fetches run there, since a connection belongs to the runtime on which it
    /// was made, and the runtimes that read bodies come and go.
    background: Background,
}

impl S3Storage {
    /// Connects to the bucket of the configuration, with credentials of the usual chain: the environment, a profile,
    /// a web identity, the container, the machine.
    ///
    /// # Errors
    /// There are no credentials, or the bucket cannot be used; the message names the setting to look at.
    pub async fn open(config: &S3Config) -> Result<Self, StorageError> {
        let sdk_config = client::load(config).await?;
        Self::connect(config, &sdk_config).await
    }

    async fn connect(config: &S3Config, sdk_config: &SdkConfig) -> Result<Self, StorageError> {
        let client = client::new(config, sdk_config);
        let location = match config.endpoint.trim_end_matches('/') {
            "" => config.bucket.clone(),
            endpoint => format!("{endpoint}/{}", config.bucket),
        };
        let storage = Self {
            addresses: Arc::new(Addresses::new(config, &client).await?),
            bucket: Bucket {
                client,
                name: config.bucket.as_str().into(),
                requests: config.requests.clone(),
            },
            location: location.into(),
            background: Background::current(),
        };
        storage.check_at_start().await?;
        Ok(storage)
    }

    /// Checks the bucket, and finds out what is wrong with it.
    async fn check_at_start(&self) -> Result<(), StorageError> {
        let Err(failure) = self
            .bucket
            .client
            .head_bucket()
            .bucket(&*self.bucket.name)
            .send()
            .await
        else {
            return Ok(());
        };
        // The answer to HEAD has no body that could say why: ask once more in a way that has one.
        let list = self
            .bucket
            .client
            .list_objects_v2()
            .bucket(&*self.bucket.name);
        let Err(reason) = list.max_keys(1).send().await else {
            return Err(error::unavailable(&self.bucket.name, "check", &failure));
        };
        Err(error::unusable(&self.bucket.name, &failure, &reason))
    }
}

#[async_trait]
impl ObjectSource for S3Storage {
    fn name(&self) -> &str {
        &self.bucket.name
    }

    fn location(&self) -> &str {
        &self.location
    }

    async fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StorageError> {
        let request = self
            .bucket
            .client
            .head_object()
            .bucket(&*self.bucket.name)
            .key(path);
        match request.send().await {
            Ok(answer) => object::info(&self.bucket.name, &(&answer).into()).map(Some),
            Err(failure) if error::is_absent(&failure) => Ok(None),
            Err(failure) => Err(error::unavailable(&self.bucket.name, "head", &failure)),
        }
    }

    async fn fetch(
        &self,
        path: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Fetched>, StorageError> {
        let request = self
            .bucket
            .client
            .get_object()
            .bucket(&*self.bucket.name)
            .key(path);
        let request = request.set_range(range.as_ref().and_then(object::range_header));
        let answer = self.background.run(request.send()).await;
        let answer =
            answer.map_err(|panic| error::failed(&self.bucket.name, &panic.to_string()))?;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) if error::is_absent_for_sure(&failure) => return Ok(None),
            Err(failure) if range.is_some() && error::is_out_of_range(&failure) => {
                return Ok(self.head(path).await?.map(object::nothing_of));
            }
            Err(failure) => return Err(error::unavailable(&self.bucket.name, "fetch", &failure)),
        };
        let (info, range) = object::part(&self.bucket.name, &answer)?;
        let stream = body::read(
            Arc::clone(&self.bucket.name),
            answer.body,
            range.end - range.start,
        );
        Ok(Some(Fetched {
            info,
            range,
            bytes: ObjectBytes::Stream(stream),
        }))
    }

    async fn address(&self, path: &str) -> Result<Option<Address>, StorageError> {
        self.addresses
            .address(&self.bucket.client, &self.bucket.name, path)
            .await
    }

    async fn check(&self) -> Result<(), StorageError> {
        let asked = self
            .bucket
            .client
            .head_bucket()
            .bucket(&*self.bucket.name)
            .send()
            .await;
        asked
            .map(drop)
            .map_err(|failure| error::unavailable(&self.bucket.name, "check", &failure))
    }
}

#[async_trait]
impl Storage for S3Storage {
    async fn put(
        &self,
        path: &str,
        payload: Payload,
        meta: ObjectMeta,
    ) -> Result<(), StorageError> {
        if payload.len() > self.bucket.requests.parts_from.as_u64() {
            self.bucket.put_in_parts(path, &payload, &meta).await
        } else {
            self.bucket.put_whole(path, &payload, &meta).await
        }
    }

    /// What a store shows, it keeps.
    async fn make_durable(&self, _path: &str) -> Result<(), StorageError> {
        Ok(())
    }

    async fn delete(&self, path: &str) -> Result<(), StorageError> {
        self.bucket.delete(path).await
    }
}

#[async_trait]
impl Inventory for S3Storage {
    fn list(&self, folder: &str) -> Listing {
        self.bucket.list(folder)
    }

    async fn set_aside(&self, listed: &Listed) -> Result<SetAside, StorageError> {
        self.bucket.set_aside(listed).await
    }
}
