//! Reads from the server's metrics how many lookups its cache answered.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use crate::http::Client;
use crate::report::CacheUse;

/// The longest text of metrics that is read.
const MAX_METRICS: usize = 1024 * 1024;

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Reads symbold's counters of lookups; `None` if the server has none, as other symbol servers.
pub(crate) async fn cache_use(address: SocketAddr, authority: &str) -> Option<CacheUse> {
    let request =
        format!("GET /metrics HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    let mut client = Client::new(address);
    let answer = timeout(TIMEOUT, client.exchange(request.as_bytes(), MAX_METRICS))
        .await
        .ok()?
        .ok()?;
    if answer.status != 200 {
        return None;
    }
    parse(&String::from_utf8_lossy(&answer.beginning))
}

/// The lookups between two readings.
pub(crate) fn between(before: Option<CacheUse>, after: Option<CacheUse>) -> Option<CacheUse> {
    let (before, after) = (before?, after?);
    Some(CacheUse {
        hits: after.hits.checked_sub(before.hits)?,
        lookups: after.lookups.checked_sub(before.lookups)?,
    })
}

/// Every lookup begins in the node's own memory; what the tier that nodes share answers is a hit too.
fn parse(metrics: &str) -> Option<CacheUse> {
    let mut cache = CacheUse {
        hits: 0,
        lookups: 0,
    };
    let mut is_told = false;
    for line in metrics.lines() {
        // A counter that has not moved yet is not shown, but symbold shows others.
        is_told |= line.contains("symbold_");
        let Some(counter) = line.strip_prefix("symbold_cache_lookups_total{") else {
            continue;
        };
        let (labels, value) = counter.split_once("} ")?;
        let value: u64 = value.split(' ').next()?.parse().ok()?;
        if labels.contains("tier=\"local\"") {
            cache.lookups += value;
        }
        if labels.contains("result=\"hit\"") {
            cache.hits += value;
        }
    }
    is_told.then_some(cache)
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "\
# TYPE symbold_cache_lookups counter
symbold_cache_lookups_total{cache=\"symbols\",tier=\"local\",result=\"hit\"} 90
symbold_cache_lookups_total{cache=\"symbols\",tier=\"local\",result=\"miss\"} 10
symbold_cache_lookups_total{cache=\"symbols\",tier=\"shared\",result=\"hit\"} 6
symbold_cache_lookups_total{cache=\"symbols\",tier=\"shared\",result=\"miss\"} 4
symbold_downloads_total{result=\"found\"} 70
";

    #[test]
    fn hits_of_both_tiers_count_and_a_lookup_counts_once() {
        assert_eq!(
            parse(METRICS),
            Some(CacheUse {
                hits: 96,
                lookups: 100
            })
        );
    }

    #[test]
    fn a_server_that_does_not_tell_is_no_failure() {
        assert_eq!(parse("http_requests_total 7\n"), None);
        let fresh = "symbold_build_info{version=\"1\"} 1\n";
        assert_eq!(
            parse(fresh),
            Some(CacheUse {
                hits: 0,
                lookups: 0
            })
        );
        assert_eq!(between(None, parse(METRICS)), None);
        let none = CacheUse {
            hits: 0,
            lookups: 0,
        };
        assert_eq!(between(Some(none), parse(METRICS)), parse(METRICS));
    }
}
