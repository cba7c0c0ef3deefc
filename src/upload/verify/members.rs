//! Verifies all members of an archive that has fully arrived.

use std::fs::File;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::early::{EarlyVerification, Known};
use super::facts::MemberFacts;
use super::names::Entry;
use super::verifier::{Verifier, VerifyError, When};

/// Verifies every member that was not verified early, enough at a time to keep the pool busy, and returns all members
/// in the order of the archive.
///
/// # Errors
/// A member breaks a rule, or the archive cannot be read.
pub(in crate::upload) async fn verify_members(
    verifier: &Verifier,
    file: &Arc<File>,
    early: Option<EarlyVerification>,
    entries: Vec<Entry>,
) -> Result<Vec<(Entry, MemberFacts)>, VerifyError> {
    let mut known = match early {
        Some(early) => early.finish().await,
        None => Known::default(),
    };
    let reading = stream::iter(entries).map(|entry| {
        let facts = known.take(&entry);
        async {
            match facts {
                Some(facts) => Ok((entry, facts)),
                None => verifier.verify(Arc::clone(file), entry, When::Late).await,
            }
        }
    });
    reading.buffered(verifier.at_once()).try_collect().await
}
