//! The client: credentials, connections, deadlines, repeats.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, ProvideCredentials, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};

use super::config::{RequestConfig, S3Config};
use super::error;
use crate::storage::error::StorageError;

/// How often a request is tried.
const ATTEMPTS: u32 = 3;

/// The longest wait before the second try; it doubles for the third.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// How long an idle connection is kept. Amazon closes its side after about 20 seconds, and a request that is sent at
/// that moment fails with a reset.
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

/// How many idle connections are kept.
const IDLE_CONNECTIONS: usize = 64;

/// The region with which requests are signed for stores that have none.
const ANY_REGION: &str = "us-east-1";

/// Finds region and credentials where Amazon's tools look for them.
pub(super) async fn load(config: &S3Config) -> Result<SdkConfig, StorageError> {
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client())
        .region(region(config));
    let sdk_config = loader.load().await;
    if sdk_config.region().is_none() {
        let reason = "no region was found: set storage.region, or the variable AWS_REGION";
        return Err(error::unopened(&config.bucket, reason));
    }
    if let Some(provider) = sdk_config.credentials_provider()
        && let Err(failure) = provider.provide_credentials().await
    {
        let reason = format!(
            "no credentials were found: set the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or provide \
             a profile, a web identity or a role of the container or the machine ({})",
            error::cause_chain(&failure)
        );
        return Err(error::unopened(&config.bucket, &reason));
    }
    Ok(sdk_config)
}

/// The region from the setting, or else from the environment or the profile. Only Amazon's own store needs the right
/// one, so only there the machine's metadata service is asked too.
fn region(config: &S3Config) -> RegionProviderChain {
    if !config.region.is_empty() {
        return RegionProviderChain::first_try(Region::new(config.region.clone()));
    }
    if config.endpoint.is_empty() {
        return RegionProviderChain::default_provider();
    }
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .or_else(Region::from_static(ANY_REGION))
}

pub(super) fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .pool_idle_timeout(IDLE_CONNECTION)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// Makes the client of a storage; its deadlines are those of lookups.
pub(super) fn new(config: &S3Config, sdk_config: &SdkConfig) -> Client {
    let settings = &config.requests;
    // There is no read timeout: it would run while a body is still being sent, and a second value of it would mean
    // a second pool of connections. The attempt's deadline covers the same wait.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.connect)
        .operation_attempt_timeout(settings.lookup_attempt)
        .operation_timeout(settings.lookup);
    let stalls = StalledStreamProtectionConfig::enabled().grace_period(settings.stall);
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF);
    let mut builder = Builder::from(sdk_config)
        .timeout_config(timeouts.build())
        .retry_config(retries)
        .stalled_stream_protection(stalls.build())
        // Checksums of the client's own come as trailers of `aws-chunked` bodies, which other stores refuse, or keep
        // as a content coding.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if !config.endpoint.is_empty() {
        builder = builder
            .endpoint_url(config.endpoint.as_str())
            .force_path_style(true);
    }
    Client::from_conf(builder.build())
}

/// The deadlines of a request that sends so many bytes: each attempt gets the time that the slowest store we accept
/// needs, and a second one fits in.
pub(super) fn deadlines_of_put(settings: &RequestConfig, length: u64) -> Builder {
    let sending = Duration::from_secs(length / settings.put_rate.as_u64().max(1));
    let attempt = settings.put + sending;
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(attempt)
        .operation_timeout(attempt * 2);
    aws_sdk_s3::Config::builder().timeout_config(timeouts.build())
}
