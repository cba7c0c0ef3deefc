//! Slots for uploads, and room for their temporary files.
//!
//! Before its body is read, an upload takes a slot and reserves room for every byte that it may send. A body of unknown
//! length, or an archive that has yet to be fetched, reserves room for the largest archive; unused room is given back
//! once the archive has arrived. The bytes in flight and the temporary files of archives are the same bytes, so one
//! limit bounds both. Each token has a limited share of the slots, so that one build farm cannot lock out all others.
//!
//! An upload that finds no slot or no room waits a while before it is refused. Uploads end within seconds, but the
//! clients of builds wait for a minute before they try again. Whoever came first gets what fits first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::error::ReceiveError;
use crate::metrics::{KindLabel, Metrics};

/// How many uploads may be in progress, and how much room they may reserve.
#[derive(Clone, Copy, Debug)]
pub(in crate::upload) struct AdmissionLimits {
    /// Uploads at once.
    pub(in crate::upload) slots: usize,
    /// Uploads at once with one token; 0 means half of the slots, rounded up.
    pub(in crate::upload) slots_per_token: usize,
    /// Bytes that the temporary files of all uploads may take together.
    pub(in crate::upload) temporary: u64,
    /// How long an upload may wait for a slot and for room.
    pub(in crate::upload) wait: Duration,
    /// How many uploads may wait at once.
    pub(in crate::upload) waiters: usize,
}

/// The slots, and the room for temporary files.
#[derive(Debug)]
pub(super) struct Admission {
    /// `slots_per_token` is never 0 here.
    limits: AdmissionLimits,
    taken: Mutex<Taken>,
    metrics: Metrics,
}

/// What is taken.
#[derive(Debug, Default)]
struct Taken {
    slots: usize,
    by_token: HashMap<i64, usize>,
    temporary: u64,
    /// The uploads that wait, in the order in which they came.
    waiters: VecDeque<Waiter>,
    next_waiter: u64,
}

/// What an upload needs.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    token_id: i64,
    bytes: u64,
}

/// An upload that waits, as the others see it.
#[derive(Debug)]
struct Waiter {
    number: u64,
    wanted: Wanted,
    granted: oneshot::Sender<UploadSlot>,
}

/// A place among the waiting uploads; dropping it gives it up.
#[derive(Debug)]
struct Place {
    admission: Arc<Admission>,
    number: u64,
    granted: oneshot::Receiver<UploadSlot>,
}

/// A slot and reserved room; dropping it gives both back.
#[derive(Debug)]
pub struct UploadSlot {
    admission: Arc<Admission>,
    token_id: i64,
    reserved: u64,
}

/// What an upload gets at once.
enum Entry {
    Slot(UploadSlot),
    Place(Place),
}

impl Admission {
    /// Starts with nothing taken.
    pub(super) fn new(mut limits: AdmissionLimits, metrics: Metrics) -> Self {
        if limits.slots_per_token == 0 {
            limits.slots_per_token = limits.slots.div_ceil(2);
        }
        Self {
            limits,
            taken: Mutex::default(),
            metrics,
        }
    }

    /// Takes a slot for an upload with this token, and reserves room for an archive of this many bytes. Waits for them
    /// if others have them.
    ///
    /// # Errors
    /// All slots or the token's share of them are taken, or there is not enough room, and that has not changed within
    /// the time for waiting, or too many uploads wait already.
    pub(super) async fn enter(
        self: &Arc<Self>,
        token_id: i64,
        bytes: u64,
    ) -> Result<UploadSlot, ReceiveError> {
        let wanted = Wanted { token_id, bytes };
        let mut place = match self.enter_or_wait(wanted)? {
            Entry::Slot(slot) => return Ok(slot),
            Entry::Place(place) => place,
        };
        if let Ok(Ok(slot)) = timeout(self.limits.wait, &mut place.granted).await {
            return Ok(slot);
        }
        drop(place);
        self.take(&mut self.taken(), wanted)
    }

    fn enter_or_wait(self: &Arc<Self>, wanted: Wanted) -> Result<Entry, ReceiveError> {
        let mut taken = self.taken();
        let refusal = match self.take(&mut taken, wanted) {
            Ok(slot) => return Ok(Entry::Slot(slot)),
            Err(refusal) => refusal,
        };
        if self.limits.wait.is_zero() || taken.waiters.len() >= self.limits.waiters {
            return Err(refusal);
        }
        let (sender, granted) = oneshot::channel();
        let number = taken.next_waiter;
        taken.next_waiter += 1;
        taken.waiters.push_back(Waiter {
            number,
            wanted,
            granted: sender,
        });
        self.show(&taken);
        drop(taken);
        Ok(Entry::Place(Place {
            admission: Arc::clone(self),
            number,
            granted,
        }))
    }

    fn take(
        self: &Arc<Self>,
        taken: &mut Taken,
        wanted: Wanted,
    ) -> Result<UploadSlot, ReceiveError> {
        let Wanted { token_id, bytes } = wanted;
        if taken.slots >= self.limits.slots || self.limits.temporary - taken.temporary < bytes {
            return Err(ReceiveError::Busy);
        }
        let of_token = taken.by_token.entry(token_id).or_default();
        if *of_token >= self.limits.slots_per_token {
            return Err(ReceiveError::TokenBusy(self.limits.slots_per_token));
        }
        *of_token += 1;
        taken.slots += 1;
        taken.temporary += bytes;
        self.show(taken);
        Ok(UploadSlot {
            admission: Arc::clone(self),
            token_id,
            reserved: bytes,
        })
    }

    /// Gives what others have given back to the uploads that wait, then releases the lock.
    fn grant(self: &Arc<Self>, mut taken: MutexGuard<'_, Taken>) {
        let (mut granted, mut waiting) = (Vec::new(), VecDeque::new());
        for waiter in std::mem::take(&mut taken.waiters) {
            match self.take(&mut taken, waiter.wanted) {
                Ok(slot) => granted.push((waiter.granted, slot)),
                Err(_) => waiting.push_back(waiter),
            }
        }
        taken.waiters = waiting;
        self.show(&taken);
        drop(taken);
        for (waiter, slot) in granted {
            // A waiter that has just left returns the slot, which drops it and grants it to the next one. That takes
            // the lock again.
            let _ = waiter.send(slot);
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, taken: &Taken) {
        self.metrics.uploads_in_flight.set(gauge(taken.slots));
        self.metrics.uploads_waiting.set(gauge(taken.waiters.len()));
        let kind = KindLabel { kind: "archives" };
        let reserved = self.metrics.upload_reserved_bytes.get_or_create(&kind);
        reserved.set(gauge(taken.temporary));
    }
}

impl UploadSlot {
    /// Changes how many bytes are reserved for the archive.
    ///
    /// # Errors
    /// There is not enough room. Reserving less always succeeds.
    pub fn keep(&mut self, bytes: u64) -> Result<(), ReceiveError> {
        let mut taken = self.admission.taken();
        let others = taken.temporary - self.reserved;
        if bytes > self.reserved && self.admission.limits.temporary - others < bytes {
            return Err(ReceiveError::Busy);
        }
        taken.temporary = others + bytes;
        self.reserved = bytes;
        self.admission.grant(taken);
        Ok(())
    }
}

impl Drop for UploadSlot {
    fn drop(&mut self) {
        let mut taken = self.admission.taken();
        taken.slots -= 1;
        taken.temporary -= self.reserved;
        if let Some(of_token) = taken.by_token.get_mut(&self.token_id) {
            *of_token -= 1;
            if *of_token == 0 {
                taken.by_token.remove(&self.token_id);
            }
        }
        self.admission.grant(taken);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.admission.taken();
        taken.waiters.retain(|waiter| waiter.number != self.number);
        self.admission.show(&taken);
    }
}

fn gauge(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn admission(slots_per_token: usize, wait: Duration) -> (Arc<Admission>, Metrics) {
        let limits = AdmissionLimits {
            slots: 3,
            slots_per_token,
            temporary: 100,
            wait,
            waiters: 3,
        };
        let metrics = Metrics::default();
        (Arc::new(Admission::new(limits, metrics.clone())), metrics)
    }

    fn reserved(metrics: &Metrics) -> (i64, i64) {
        let kind = KindLabel { kind: "archives" };
        let bytes = metrics.upload_reserved_bytes.get_or_create(&kind).get();
        (metrics.uploads_in_flight.get(), bytes)
    }

    #[tokio::test]
    async fn slots_and_room_are_given_back() {
        let (admission, metrics) = admission(0, Duration::ZERO);
        let first = admission.enter(1, 60).await.unwrap();
        let refused = admission.enter(2, 41).await;
        assert!(matches!(refused, Err(ReceiveError::Busy)));
        let second = admission.enter(2, 40).await.unwrap();
        assert_eq!(reserved(&metrics), (2, 100));
        drop(first);
        assert_eq!(reserved(&metrics), (1, 40));
        let _third = admission.enter(1, 30).await.unwrap();
        let _fourth = admission.enter(3, 30).await.unwrap();
        let refused = admission.enter(4, 0).await;
        assert!(matches!(refused, Err(ReceiveError::Busy)));
        drop(second);
        assert!(admission.enter(4, 0).await.is_ok());
    }

    #[tokio::test]
    async fn a_token_has_its_share_of_the_slots() {
        let (admission, metrics) = admission(0, Duration::ZERO);
        let first = admission.enter(1, 0).await.unwrap();
        let _second = admission.enter(1, 0).await.unwrap();
        let refused = admission.enter(1, 0).await;
        assert!(matches!(refused, Err(ReceiveError::TokenBusy(2))));
        let _other = admission.enter(2, 0).await.unwrap();
        drop(first);
        assert!(admission.enter(1, 0).await.is_ok());
        assert_eq!(reserved(&metrics).0, 2);
        let (admission, _) = self::admission(1, Duration::ZERO);
        let _first = admission.enter(1, 0).await.unwrap();
        let refused = admission.enter(1, 0).await;
        assert!(matches!(refused, Err(ReceiveError::TokenBusy(1))));
    }

    #[tokio::test]
    async fn room_that_is_not_needed_is_given_back_and_more_is_taken_only_if_there_is_any() {
        let (admission, metrics) = admission(0, Duration::ZERO);
        let mut slot = admission.enter(1, 80).await.unwrap();
        slot.keep(10).unwrap();
        let mut other = admission.enter(2, 0).await.unwrap();
        assert!(other.keep(91).is_err());
        other.keep(90).unwrap();
        assert_eq!(reserved(&metrics), (2, 100));
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_first_gets_what_fits_first() {
        let (admission, metrics) = admission(1, Duration::from_secs(5));
        let mut first = admission.enter(1, 90).await.unwrap();
        let mut same_token = Box::pin(admission.enter(1, 5));
        let mut too_large = Box::pin(admission.enter(2, 20));
        let mut later = Box::pin(admission.enter(3, 20));
        assert!((&mut same_token).now_or_never().is_none());
        assert!((&mut too_large).now_or_never().is_none());
        assert!((&mut later).now_or_never().is_none());
        assert_eq!(metrics.uploads_waiting.get(), 3);
        // No more may wait.
        let refused = admission.enter(1, 0).now_or_never();
        assert!(matches!(refused, Some(Err(ReceiveError::TokenBusy(1)))));
        first.keep(75).unwrap();
        let _second = (&mut too_large).now_or_never().unwrap().unwrap();
        assert!((&mut later).now_or_never().is_none());
        drop(first);
        let _third = same_token.await.unwrap();
        let _fourth = later.await.unwrap();
        assert_eq!(
            (reserved(&metrics), metrics.uploads_waiting.get()),
            ((3, 45), 0)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_and_a_waiter_that_leaves_takes_nothing() {
        let (admission, metrics) = admission(1, Duration::from_secs(5));
        let first = admission.enter(1, 0).await.unwrap();
        let mut leaves = Box::pin(admission.enter(1, 0));
        assert!((&mut leaves).now_or_never().is_none());
        let refused = admission.enter(1, 0).await;
        assert!(matches!(refused, Err(ReceiveError::TokenBusy(1))));
        // It was given the slot, but never looked.
        drop(first);
        assert_eq!(reserved(&metrics).0, 1);
        drop(leaves);
        assert_eq!(
            (reserved(&metrics).0, metrics.uploads_waiting.get()),
            (0, 0)
        );
    }
}
