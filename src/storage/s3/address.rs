//! URLs from which clients can fetch an object themselves.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use super::config::{Access, S3Config};
use super::error;
use crate::storage::error::StorageError;
use crate::storage::object::Address;

/// Every byte except the unreserved ones (RFC 3986, 2.3) and the slash.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// How addresses of objects are made.
#[derive(Debug)]
pub(super) enum Addresses {
    /// The path is appended to this base URL.
    Public(String),
    /// They are signed, and valid for this long.
    Presigned(Duration),
    /// There are none.
    None,
}

impl Addresses {
    /// Uses the configured public URL, or else the one that the client itself uses.
    pub(super) async fn new(config: &S3Config, client: &Client) -> Result<Self, StorageError> {
        match config.access {
            Access::Proxy => Ok(Self::None),
            Access::Presign => Ok(Self::Presigned(config.requests.presigned_for)),
            Access::Redirect if !config.public_url.is_empty() => {
                let base = config.public_url.trim_end_matches('/');
                Ok(Self::Public(base.to_owned()))
            }
            Access::Redirect => {
                let any =
                    presign(client, &config.bucket, "x", config.requests.presigned_for).await?;
                let address = any.split('?').next().unwrap_or_default();
                Ok(Self::Public(
                    address.strip_suffix("/x").unwrap_or(address).to_owned(),
                ))
            }
        }
    }

    /// The address of the object at a path.
    pub(super) async fn address(
        &self,
        client: &Client,
        bucket: &str,
        path: &str,
    ) -> Result<Option<Address>, StorageError> {
        let address = match self {
            Self::None => return Ok(None),
            Self::Public(base) => Address {
                url: below(base, path),
                good_for: None,
            },
            Self::Presigned(good_for) => Address {
                // Boxed, so that the future of a public URL stays small.
                url: Box::pin(presign(client, bucket, path, *good_for)).await?,
                good_for: Some(*good_for),
            },
        };
        Ok(Some(address))
    }
}

/// Appends a path to a base URL. The capacity is reserved at once, since most paths have nothing to escape.
fn below(base: &str, path: &str) -> String {
    let mut address = String::with_capacity(base.len() + 1 + path.len());
    address.push_str(base);
    address.push('/');
    address.extend(escaped(path));
    address
}

/// A path as it stands in a URL.
pub(super) fn escaped(path: &str) -> PercentEncode<'_> {
    utf8_percent_encode(path, ESCAPED)
}

/// Signs a request for an object. This sends no request, unless the credentials have to be renewed.
async fn presign(
    client: &Client,
    bucket: &str,
    path: &str,
    good_for: Duration,
) -> Result<String, StorageError> {
    let presigning = PresigningConfig::expires_in(good_for)
        .map_err(|failure| error::failed(bucket, &error::cause_chain(&failure)))?;
    let request = client.get_object().bucket(bucket).key(path);
    let signed = request.presigned(presigning).await;
    let signed = signed.map_err(|failure| error::unavailable(bucket, "presign", &failure))?;
    Ok(signed.uri().to_owned())
}
