//! Slots for uploads, and room for their temporary files.
//!
//! Before its body is read, an upload takes a slot and reserves room for every byte that it may send. A body of unknown
//! length, or an archive that has yet to be fetched, reserves room for the largest archive; unused room is given back
//! once the archive has arrived. The bytes in flight and the temporary files of archives are the same bytes, so one
//! limit bounds both. Each token has a limited share of the slots, so that one build farm cannot lock out all others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
}

/// A slot and reserved room; dropping it gives both back.
#[derive(Debug)]
pub struct UploadSlot {
    admission: Arc<Admission>,
    token_id: i64,
    reserved: u64,
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

    /// Takes a slot for an upload with this token, and reserves room for an archive of this many bytes.
    ///
    /// # Errors
    /// All slots or the token's share of them are taken, or there is not enough room.
    pub(super) fn enter(
        self: &Arc<Self>,
        token_id: i64,
        bytes: u64,
    ) -> Result<UploadSlot, ReceiveError> {
        let mut taken = self.taken();
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
        self.show(&taken);
        drop(taken);
        Ok(UploadSlot {
            admission: Arc::clone(self),
            token_id,
            reserved: bytes,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, taken: &Taken) {
        self.metrics.uploads_in_flight.set(gauge(taken.slots));
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
        self.admission.show(&taken);
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
        self.admission.show(&taken);
    }
}

fn gauge(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(slots_per_token: usize) -> (Arc<Admission>, Metrics) {
        let limits = AdmissionLimits {
            slots: 3,
            slots_per_token,
            temporary: 100,
        };
        let metrics = Metrics::default();
        (Arc::new(Admission::new(limits, metrics.clone())), metrics)
    }

    fn reserved(metrics: &Metrics) -> (i64, i64) {
        let kind = KindLabel { kind: "archives" };
        let bytes = metrics.upload_reserved_bytes.get_or_create(&kind).get();
        (metrics.uploads_in_flight.get(), bytes)
    }

    #[test]
    fn slots_and_room_are_given_back() {
        let (admission, metrics) = admission(0);
        let first = admission.enter(1, 60).unwrap();
        assert!(matches!(admission.enter(2, 41), Err(ReceiveError::Busy)));
        let second = admission.enter(2, 40).unwrap();
        assert_eq!(reserved(&metrics), (2, 100));
        drop(first);
        assert_eq!(reserved(&metrics), (1, 40));
        let _third = admission.enter(1, 30).unwrap();
        let _fourth = admission.enter(3, 30).unwrap();
        assert!(matches!(admission.enter(4, 0), Err(ReceiveError::Busy)));
        drop(second);
        assert!(admission.enter(4, 0).is_ok());
    }

    #[test]
    fn a_token_has_its_share_of_the_slots() {
        let (admission, metrics) = admission(0);
        let first = admission.enter(1, 0).unwrap();
        let _second = admission.enter(1, 0).unwrap();
        assert!(matches!(
            admission.enter(1, 0),
            Err(ReceiveError::TokenBusy(2))
        ));
        let _other = admission.enter(2, 0).unwrap();
        drop(first);
        assert!(admission.enter(1, 0).is_ok());
        assert_eq!(reserved(&metrics).0, 2);
        let (admission, _) = self::admission(1);
        let _first = admission.enter(1, 0).unwrap();
        assert!(matches!(
            admission.enter(1, 0),
            Err(ReceiveError::TokenBusy(1))
        ));
    }

    #[test]
    fn room_that_is_not_needed_is_given_back_and_more_is_taken_only_if_there_is_any() {
        let (admission, metrics) = admission(0);
        let mut slot = admission.enter(1, 80).unwrap();
        slot.keep(10).unwrap();
        let mut other = admission.enter(2, 0).unwrap();
        assert!(other.keep(91).is_err());
        other.keep(90).unwrap();
        assert_eq!(reserved(&metrics), (2, 100));
    }
}
