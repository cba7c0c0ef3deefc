//! What failed, in words, and whether it was a failure at all.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::storage::error::StorageError;

/// Codes by which stores say that there is no room left (Ceph, and `MinIO`).
const FULL: [&str; 2] = ["QuotaExceeded", "XMinioStorageFull"];

/// Tells whether a HEAD request was answered that there is no such object. Its answer has no body, so the status has
/// to do.
pub(super) fn is_absent<E>(failure: &SdkError<E>) -> bool {
    status(failure) == Some(404)
}

/// Tells whether a store said in so many words that there is no such object. Other reasons for 404, such as a bucket
/// that has gone or a proxy that knows nothing, are failures.
pub(super) fn is_absent_for_sure<E: ProvideErrorMetadata>(failure: &SdkError<E>) -> bool {
    is_absent(failure) && code(failure) == Some("NoSuchKey")
}

/// Tells whether a range was asked for that lies behind an object's end.
pub(super) fn is_out_of_range<E>(failure: &SdkError<E>) -> bool {
    status(failure) == Some(416)
}

/// A call that failed.
pub(super) fn unavailable<E>(bucket: &str, call: &str, failure: &SdkError<E>) -> StorageError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (storage, mut reason) = (bucket.to_owned(), format!("{call}: {}", told(failure)));
    let code = code(failure);
    if status(failure) == Some(507) || code.is_some_and(|code| FULL.contains(&code)) {
        return StorageError::Full { storage, reason };
    }
    if status(failure) == Some(403) && matches!(code, None | Some("AccessDenied")) {
        reason.push_str(
            " (without the permission s3:ListBucket an absent object cannot be told from a forbidden one)",
        );
    }
    StorageError::Unavailable { storage, reason }
}

/// An answer that cannot be right.
pub(super) fn nonsense(bucket: &str, reason: &str) -> StorageError {
    StorageError::Unavailable {
        storage: bucket.to_owned(),
        reason: reason.to_owned(),
    }
}

/// A bucket that could not be opened.
pub(super) fn unopened(bucket: &str, reason: &str) -> StorageError {
    nonsense(bucket, reason)
}

/// A bucket that cannot be used, as the answer to HEAD says by its status and headers, and a second one by its body.
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
    unopened(bucket, &format!("{advice} ({})", told(reason)))
}

/// What a store answered, or why it did not.
fn told<E>(failure: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let Some(status) = status(failure) else {
        return story(failure);
    };
    let message = failure.as_service_error().and_then(|error| error.message());
    match (code(failure), message) {
        (Some(code), Some(message)) => format!("answered {status} {code}: {message}"),
        (Some(code), None) => format!("answered {status} {code}"),
        (None, _) => format!("answered {status}"),
    }
}

/// An error with everything that led to it, without repeats.
pub(super) fn story(error: &(dyn Error + 'static)) -> String {
    let mut story = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !story.ends_with(&text) {
            story.push_str(": ");
            story.push_str(&text);
        }
        source = error.source();
    }
    story
}

fn status<E>(failure: &SdkError<E>) -> Option<u16> {
    failure
        .raw_response()
        .map(|answer| answer.status().as_u16())
}

fn code<E: ProvideErrorMetadata>(failure: &SdkError<E>) -> Option<&str> {
    failure.as_service_error().and_then(|error| error.code())
}
