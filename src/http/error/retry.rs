//! When a client may come back.

use actix_web::http::StatusCode;

/// How long a client is asked to wait before it retries, in seconds. The value is random, so that clients that were
/// refused together do not return together.
const RETRY_AFTER: std::ops::RangeInclusive<u8> = 2..=9;

/// Returns whether the same request may succeed later. Mozilla's uploaders retry after these statuses.
pub(super) fn is_worth_a_retry(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
}

/// After how many seconds to retry.
pub(super) fn retry_after() -> u8 {
    let mut byte = [0];
    // Without random bytes all clients come back together, which is no reason to fail.
    getrandom::fill(&mut byte).unwrap_or_default();
    let span = RETRY_AFTER.end() - RETRY_AFTER.start() + 1;
    RETRY_AFTER.start() + byte[0] % span
}
