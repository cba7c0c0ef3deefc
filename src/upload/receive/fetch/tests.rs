//! Which addresses are taken, and where names may lead.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::*;
use crate::upload::receive::PaceLimits;

fn fetcher() -> Fetcher {
    let domains = vec![
        "queue.example.com".to_owned(),
        "8.8.8.8".to_owned(),
        "127.0.0.1".to_owned(),
    ];
    Fetcher::new(FetchConfig {
        domains,
        ..FetchConfig::default()
    })
    .unwrap()
}

fn refusal(url: &str) -> &'static str {
    fetcher()
        .config
        .check(url)
        .map_or_else(|error| error.code(), |_| "")
}

#[test]
fn addresses_are_checked_in_teckens_order() {
    for (url, code) in [
        ("https://queue.example.com/a.zip", ""),
        ("https://QUEUE.example.com./a.zip", ""),
        ("https://queue.example.com:443/a.zip?x#y", ""),
        ("https://8.8.8.8/a.zip", ""),
        ("nonsense", "url_invalid"),
        ("", "url_invalid"),
        ("data:text/plain,x", "url_invalid"),
        ("https://./a.zip", "url_invalid"),
        ("http://queue.example.com/a.zip", "url_insecure"),
        ("ftp://queue.example.com/a.zip", "url_insecure"),
        ("file://queue.example.com/a.zip", "url_insecure"),
        ("https://queue.example.com.evil.example/a.zip", "url_domain"),
        ("https://evil.queue.example.com/a.zip", "url_domain"),
        (
            "https://queue.example.com:x@169.254.169.254/a.zip",
            "url_domain",
        ),
        ("https://queue.example.com@evil.example/a.zip", "url_domain"),
        ("https://user@queue.example.com/a.zip", "url_domain"),
        (
            "https://evil.example#@queue.example.com/a.zip",
            "url_domain",
        ),
        (
            "https://evil.example\\@queue.example.com/a.zip",
            "url_domain",
        ),
        ("https://queue.example.com:22/a.zip", "url_domain"),
        ("https://2130706433/a.zip", "url_restricted"),
        ("https://0x7f.1/a.zip", "url_restricted"),
        ("https://[::1]/a.zip", "url_domain"),
    ] {
        assert_eq!(refusal(url), code, "{url}");
    }
}

#[test]
fn without_domains_nothing_is_fetched() {
    let fetcher = Fetcher::new(FetchConfig::default()).unwrap();
    assert_eq!(
        fetcher
            .config
            .check("https://queue.example.com/a.zip")
            .unwrap_err()
            .code(),
        "url_disabled"
    );
}

#[test]
fn queries_are_not_shown_and_names_are_decoded() {
    let url = Url::parse("https://queue.example.com/x/a%20b.zip?signature=secret#y").unwrap();
    assert_eq!(shown(&url), "https://queue.example.com/x/a%20b.zip");
    assert_eq!(file_name(&url), "a b.zip");
}

/// Says that every name is one of these addresses, a different one each time.
struct Scripted {
    answers: Vec<&'static str>,
    asked: AtomicUsize,
}

impl Resolve for Scripted {
    fn resolve(&self, _: Name) -> Resolving {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let addresses: Vec<SocketAddr> = self.answers[number % self.answers.len()]
            .split(' ')
            .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
            .collect();
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
    }
}

#[tokio::test]
async fn a_listed_name_that_leads_into_a_private_network_is_refused() {
    for answers in [
        vec!["127.0.0.1"],
        vec!["8.8.8.8 10.0.0.1"],
        vec!["::ffff:127.0.0.1"],
        vec!["fd00::1"],
    ] {
        let scripted = Arc::new(Scripted {
            answers: answers.clone(),
            asked: AtomicUsize::new(0),
        });
        let resolver = PublicResolver::over(scripted);
        let config = FetchConfig {
            domains: vec!["queue.example.com".to_owned()],
            ..FetchConfig::default()
        };
        let fetcher = Fetcher::with_resolver(config, resolver).unwrap();
        let url = fetcher
            .config
            .check("https://queue.example.com/a.zip")
            .unwrap();
        let minute = Duration::from_mins(1);
        let pace = Pace::new(PaceLimits {
            idle: minute,
            receive: minute,
            rate: 1,
        });
        let error = fetcher.follow(&url, &pace).await.unwrap_err();
        assert_eq!(error.code(), "url_restricted", "{answers:?}: {error}");
    }
}
