//! A client of the object store beside the one under test; the benchmarks use it, too.

use aws_sdk_s3::Client;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// A client with the credentials of the environment.
pub(crate) async fn client(endpoint: &str) -> Client {
    let http_client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let loader =
        aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12()).http_client(http_client);
    let config = aws_sdk_s3::config::Builder::from(&loader.load().await)
        .endpoint_url(endpoint)
        .force_path_style(true);
    Client::from_conf(config.build())
}
