//! Converts the driver's failures, and tells absence from failure.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::storage::error::StorageError;

/// Codes by which stores say that there is no room left (Ceph, and `MinIO`).
const FULL: [&str; 2] = ["QuotaExceeded", "XMinioStorageFull"];

/// Returns whether the answer to a HEAD request says that there is no such object. It has no body, so the status must
/// do.
pub(super) fn is_absent<E>(failure: &SdkError<E>) -> bool {
    status(failure) == Some(404)
}

/// Returns whether a store answered with the code for an absent object. Other reasons for a 404, such as a deleted
/// bucket or a proxy's own answer, are failures.
pub(super) fn is_absent_for_sure<E: ProvideErrorMetadata>(failure: &SdkError<E>) -> bool {
    is_absent(failure) && code(failure) == Some("NoSuchKey")
}

/// Returns whether the requested range lies behind the object's end.
pub(super) fn is_out_of_range<E>(failure: &SdkError<E>) -> bool {
    status(failure) == Some(416)
}

/// A call that failed in the driver or at the store.
pub(super) fn unavailable<E>(bucket: &str, call: &str, failure: &SdkError<E>) -> StorageError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (storage, mut reason) = (bucket.to_owned(), format!("{call}: {}", describe(failure)));
    let code = code(failure);
    if status(failure) == Some(507) || code.is_some_and(|code| FULL.contains(&code)) {
        return StorageError::Full { storage, reason };
    }
    if status(failure) == Some(403) && matches!(code, None | Some("AccessDenied")) {
        reason.push_str(
            " (without the permission s3:ListBucket an absent object cannot be told from a forbidden one)",
        );
    }
    if is_timeout(failure) {
        return StorageError::TimedOut { storage, reason };
    }
    StorageError::Unavailable { storage, reason }
}

/// Returns whether a store did not answer in time, or could not be connected to in time.
fn is_timeout<E>(failure: &SdkError<E>) -> bool {
    match failure {
        SdkError::TimeoutError(_) => true,
        SdkError::DispatchFailure(failure) => failure.is_timeout(),
        _ => false,
    }
}

/// A call that failed for a reason that this program found, such as an invalid answer.
pub(super) fn failed(bucket: &str, reason: &str) -> StorageError {
    StorageError::Unavailable {
        storage: bucket.to_owned(),
        reason: reason.to_owned(),
    }
}

/// A bucket that could not be opened.
pub(super) fn unopened(bucket: &str, reason: &str) -> StorageError {
    failed(bucket, reason)
}

/// A bucket that cannot be used. `failure` is the answer to HEAD, whose status and headers choose the advice; `reason`
/// is a second answer, whose body has the store's message.
pub(super) fn unusable<E, R>(
    bucket: &str,
    failure: &SdkError<E>,
    reason: &SdkError<R>,
) -> StorageError
where
    R: ProvideErrorMetadata + Error + 'static,
{
    let region = failure
        .raw_response()
        .and_then(|answer| answer.headers().get("x-amz-bucket-region"));
    let advice = match (status(failure), region) {
        (Some(301 | 400), Some(region)) => {
            format!("the bucket lies in the region {region}: look at storage.region")
        }
        (Some(404), _) => "there is no such bucket: look at storage.bucket".to_owned(),
        (Some(400 | 401 | 403), _) => {
            "the request was refused: look at the credentials, and at whether they have \
             the permission s3:ListBucket for the bucket of storage.bucket"
                .to_owned()
        }
        (Some(_), _) => {
            "the answer is not that of a bucket: look at storage.endpoint and storage.region"
                .to_owned()
        }
        (None, _) => "the store cannot be reached: look at storage.endpoint".to_owned(),
    };
    unopened(bucket, &format!("{advice} ({})", describe(reason)))
}

/// Describes a store's answer, or why there is none.
fn describe<E>(failure: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let Some(status) = status(failure) else {
        return cause_chain(failure);
    };
    let message = failure.as_service_error().and_then(|error| error.message());
    match (code(failure), message) {
        (Some(code), Some(message)) => format!("answered {status} {code}: {message}"),
        (Some(code), None) => format!("answered {status} {code}"),
        (None, _) => format!("answered {status}"),
    }
}

/// An error with all its causes, without repeats.
pub(super) fn cause_chain(error: &(dyn Error + 'static)) -> String {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !chain.ends_with(&text) {
            chain.push_str(": ");
            chain.push_str(&text);
        }
        source = error.source();
    }
    chain
}

fn status<E>(failure: &SdkError<E>) -> Option<u16> {
    failure
        .raw_response()
        .map(|answer| answer.status().as_u16())
}

fn code<E: ProvideErrorMetadata>(failure: &SdkError<E>) -> Option<&str> {
    failure.as_service_error().and_then(|error| error.code())
}
