//! Verifying members while their archive is still arriving.
//!
//! A client sends for as long as its network takes, and reading all members takes a core for as long again; the two can
//! go side by side. A task follows what has been written of the temporary file, guesses members by their local headers
//! ([`Arriving`]) and has them verified on the CPU pool. When the archive is there it is inspected as ever, and a
//! member whose guess was right in every field need not be read again. What is wrong with an archive is never told from
//! here: a member that does not verify ends the guessing, and is met again by those who tell.

use std::collections::HashMap;
use std::fs::File;
use std::pin::pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use strict_zip::Arriving;

use super::verifier::{Verifier, When};
use super::verify::{ArchiveLimits, Entry, MemberFacts};
use crate::blocking;

/// What was verified early, by the place of its data.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<u64, (Entry, MemberFacts)>);

/// The members of one archive, as they arrive. Dropping it ends the work.
#[derive(Debug)]
pub(super) struct EarlyVerification(AbortOnDropHandle<Known>);

impl Known {
    /// What was found out about a member, if it was guessed rightly.
    pub(super) fn take(&mut self, entry: &Entry) -> Option<MemberFacts> {
        let (guess, facts) = self.0.remove(&entry.data_offset)?;
        (guess == *entry).then_some(facts)
    }
}

impl EarlyVerification {
    /// Begins with an archive of which nothing is there yet. `arrived` tells how many of its bytes are; the archive has
    /// ended when its sender is dropped.
    pub(super) fn begin(
        file: Arc<File>,
        arrived: watch::Receiver<u64>,
        verifier: Verifier,
    ) -> Self {
        Self(AbortOnDropHandle::new(tokio::spawn(async move {
            let at_once = verifier.at_once();
            let members = members(Arc::clone(&file), arrived, Arc::clone(verifier.limits()));
            let reading =
                members.map(|entry| verifier.verify(Arc::clone(&file), entry, When::Early));
            let mut reading = pin!(reading.buffered(at_once));
            let mut known = Known::default();
            // Whoever reads a member again that does not verify will tell.
            while let Some(Ok((entry, facts))) = reading.next().await {
                known.0.insert(entry.data_offset, (entry, facts));
            }
            known
        })))
    }

    /// Waits for the members that have been found, once the archive has ended.
    pub(super) async fn finish(self) -> Known {
        self.0.await.unwrap_or_default()
    }
}

/// The members of an archive as they arrive, until nothing more can be guessed.
fn members(
    file: Arc<File>,
    arrived: watch::Receiver<u64>,
    limits: Arc<ArchiveLimits>,
) -> impl Stream<Item = Entry> {
    let start = (Arriving::default(), arrived);
    let batches = stream::unfold(start, move |(mut arriving, mut arrived)| {
        let (file, limits) = (Arc::clone(&file), Arc::clone(&limits));
        async move {
            if arriving.has_ended() || arrived.changed().await.is_err() {
                return None;
            }
            let length = *arrived.borrow_and_update();
            let advance = move || {
                let found =
                    arriving.advance(&*file, length, &limits.zip_limits(), &limits.names())?;
                Ok((found, arriving))
            };
            let (found, arriving) = blocking::run(advance).await.ok()?;
            Some((stream::iter(found), (arriving, arrived)))
        }
    });
    batches.flatten()
}
