//! Verifying members while their archive is still arriving.
//!
//! Receiving an archive takes as long as the network needs, and verifying its members may take a core just as long, so
//! both happen at the same time. A task follows the temporary file as it is written, guesses members by their local
//! headers ([`Arriving`]) and verifies them on the CPU pool. Once the archive has arrived it is inspected as usual, and
//! a member whose guess was right in every field is not read again. This module never refuses an archive: a member that
//! fails to verify ends the guessing, and the later verification reports it.

use std::collections::HashMap;
use std::fs::File;
use std::pin::pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use strict_zip::Arriving;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::facts::MemberFacts;
use super::limits::ArchiveLimits;
use super::names::Entry;
use super::verifier::{Verifier, When};
use crate::blocking;

/// Members that were verified early, by the offset of their data.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<u64, (Entry, MemberFacts)>);

/// The members of one archive, as they arrive. Dropping it ends the work.
#[derive(Debug)]
pub(in crate::upload) struct EarlyVerification(AbortOnDropHandle<Known>);

impl Known {
    /// The facts about a member, if its guess was right.
    pub(super) fn take(&mut self, entry: &Entry) -> Option<MemberFacts> {
        let (guess, facts) = self.0.remove(&entry.data_offset)?;
        (guess == *entry).then_some(facts)
    }
}

impl EarlyVerification {
    /// Starts with an archive of which nothing has arrived yet. `arrived` holds the number of bytes that have been
    /// written; the archive has ended when its sender is dropped.
    pub(in crate::upload) fn begin(
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
            // A member that fails to verify is read again once the archive has arrived, and is refused then.
            while let Some(Ok((entry, facts))) = reading.next().await {
                known.0.insert(entry.data_offset, (entry, facts));
            }
            known
        })))
    }

    /// Waits until all guessed members are verified, once the archive has ended.
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
