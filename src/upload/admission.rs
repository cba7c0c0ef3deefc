//! Who may upload now.
//!
//! Before anything of its body is read, an upload takes a slot, and room among the temporary files for every byte that
//! it may send. A body that does not say its length, and an archive that is yet to be fetched, may become the largest
//! there is and take room for that; what turns out not to be needed is given back once the archive has arrived. The
//! bytes in flight and the temporary files of archives are the same bytes, so one limit bounds both. No token takes
//! more than its share of the slots, so that one build farm cannot lock out all others.
//!
//! Storing some members takes temporary files as well: those that have to be compressed or inflated first. They have a
//! room of their own, as large as the largest member, and wait for it. Who holds a part of it waits for nobody who
//! waits for it, so the wait ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{UploadConfig, UploadError};
use crate::metrics::{KindLabel, Metrics};

/// How long a member may wait for room.
const MEMBER_WAIT: Duration = Duration::from_mins(10);

/// The unit in which the room of members is counted, in bytes.
const UNIT: u64 = 1024 * 1024;

/// The places that uploads take.
#[derive(Debug)]
pub(super) struct Admission {
    slots: usize,
    slots_per_token: usize,
    /// Bytes that all archives may take.
    temporary: u64,
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

/// A place among the uploads that are under way; given back when dropped.
#[derive(Debug)]
pub struct UploadSlot {
    admission: Arc<Admission>,
    token_id: i64,
    reserved: u64,
}

impl Admission {
    /// Starts with nothing taken.
    pub(super) fn new(config: &UploadConfig, metrics: Metrics) -> Self {
        let share = match config.slots_per_token {
            0 => config.slots.div_ceil(2),
            share => share,
        };
        Self {
            slots: config.slots,
            slots_per_token: share,
            temporary: config.temporary.as_u64(),
            taken: Mutex::default(),
            metrics,
        }
    }

    /// Takes a slot for an upload with this token, and room for an archive of so many bytes.
    ///
    /// # Errors
    /// All slots or the token's share of them are taken, or there is not enough room.
    pub(super) fn enter(
        self: &Arc<Self>,
        token_id: i64,
        bytes: u64,
    ) -> Result<UploadSlot, UploadError> {
        let mut taken = self.taken();
        if taken.slots >= self.slots || self.temporary - taken.temporary < bytes {
            return Err(UploadError::Busy);
        }
        let of_token = taken.by_token.entry(token_id).or_default();
        if *of_token >= self.slots_per_token {
            return Err(UploadError::TokenBusy(self.slots_per_token));
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
    /// Changes how much room is kept for the archive.
    ///
    /// # Errors
    /// There is no more room. Less can always be kept.
    pub(super) fn keep(&mut self, bytes: u64) -> Result<(), UploadError> {
        let mut taken = self.admission.taken();
        let others = taken.temporary - self.reserved;
        if bytes > self.reserved && self.admission.temporary - others < bytes {
            return Err(UploadError::Busy);
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

/// The room for temporary files that are made of members.
#[derive(Debug)]
pub(super) struct MemberRoom {
    /// One permit for each [`UNIT`].
    units: Arc<Semaphore>,
    size: u32,
    metrics: Metrics,
}

/// A part of the members' room; given back when dropped.
#[derive(Debug)]
pub(super) struct MemberPlace {
    _permit: OwnedSemaphorePermit,
    bytes: i64,
    metrics: Metrics,
}

impl MemberRoom {
    /// Makes a room as large as the largest member.
    pub(super) fn new(config: &UploadConfig, metrics: Metrics) -> Self {
        let size = units(config.archive.member_size.as_u64());
        Self {
            units: Arc::new(Semaphore::new(size as usize)),
            size,
            metrics,
        }
    }

    /// Waits for room for a file of at most so many bytes.
    ///
    /// # Errors
    /// None became free in time.
    pub(super) async fn take(&self, bytes: u64) -> Result<MemberPlace, UploadError> {
        let wanted = units(bytes).min(self.size);
        let waiting = Arc::clone(&self.units).acquire_many_owned(wanted);
        let permit = tokio::time::timeout(MEMBER_WAIT, waiting).await;
        let permit = permit.ok().and_then(Result::ok).ok_or(UploadError::Busy)?;
        let place = MemberPlace {
            _permit: permit,
            bytes: gauge(bytes),
            metrics: self.metrics.clone(),
        };
        place.gauge().inc_by(place.bytes);
        Ok(place)
    }
}

impl MemberPlace {
    fn gauge(&self) -> crate::metrics::Gauge {
        let kind = KindLabel { kind: "members" };
        self.metrics
            .upload_reserved_bytes
            .get_or_create(&kind)
            .clone()
    }
}

impl Drop for MemberPlace {
    fn drop(&mut self) {
        self.gauge().dec_by(self.bytes);
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

fn gauge(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use bytesize::ByteSize;

    use super::*;

    fn admission(change: impl FnOnce(&mut UploadConfig)) -> (Arc<Admission>, Metrics) {
        let mut config = UploadConfig {
            slots: 3,
            temporary: ByteSize::b(100),
            ..UploadConfig::default()
        };
        change(&mut config);
        let metrics = Metrics::default();
        (Arc::new(Admission::new(&config, metrics.clone())), metrics)
    }

    fn reserved(metrics: &Metrics) -> (i64, i64) {
        let kind = KindLabel { kind: "archives" };
        let bytes = metrics.upload_reserved_bytes.get_or_create(&kind).get();
        (metrics.uploads_in_flight.get(), bytes)
    }

    #[test]
    fn slots_and_room_are_given_back() {
        let (admission, metrics) = admission(|_| {});
        let first = admission.enter(1, 60).unwrap();
        assert!(matches!(admission.enter(2, 41), Err(UploadError::Busy)));
        let second = admission.enter(2, 40).unwrap();
        assert_eq!(reserved(&metrics), (2, 100));
        drop(first);
        assert_eq!(reserved(&metrics), (1, 40));
        let _third = admission.enter(1, 30).unwrap();
        let _fourth = admission.enter(3, 30).unwrap();
        assert!(matches!(admission.enter(4, 0), Err(UploadError::Busy)));
        drop(second);
        assert!(admission.enter(4, 0).is_ok());
    }

    #[test]
    fn a_token_has_its_share_of_the_slots() {
        let (admission, metrics) = admission(|_| {});
        let first = admission.enter(1, 0).unwrap();
        let _second = admission.enter(1, 0).unwrap();
        assert!(matches!(
            admission.enter(1, 0),
            Err(UploadError::TokenBusy(2))
        ));
        let _other = admission.enter(2, 0).unwrap();
        drop(first);
        assert!(admission.enter(1, 0).is_ok());
        assert_eq!(reserved(&metrics).0, 2);
        let (admission, _) = self::admission(|config| config.slots_per_token = 1);
        let _first = admission.enter(1, 0).unwrap();
        assert!(matches!(
            admission.enter(1, 0),
            Err(UploadError::TokenBusy(1))
        ));
    }

    #[test]
    fn room_that_is_not_needed_is_given_back_and_more_is_taken_only_if_there_is_any() {
        let (admission, metrics) = admission(|_| {});
        let mut slot = admission.enter(1, 80).unwrap();
        slot.keep(10).unwrap();
        let mut other = admission.enter(2, 0).unwrap();
        assert!(other.keep(91).is_err());
        other.keep(90).unwrap();
        assert_eq!(reserved(&metrics), (2, 100));
    }

    #[tokio::test(start_paused = true)]
    async fn members_wait_for_room_and_the_largest_gets_all_of_it() {
        let mut config = UploadConfig::default();
        config.archive.member_size = ByteSize::mib(3);
        let metrics = Metrics::default();
        let room = MemberRoom::new(&config, metrics.clone());
        let first = room.take(2 * UNIT).await.unwrap();
        let _small = room.take(UNIT - 7).await.unwrap();
        assert!(matches!(room.take(1).await, Err(UploadError::Busy)));
        drop(first);
        let _second = room.take(UNIT).await.unwrap();
        let kind = KindLabel { kind: "members" };
        let bytes = metrics.upload_reserved_bytes.get_or_create(&kind).get();
        assert_eq!(bytes, 2 * 1024 * 1024 - 7);
        let room = MemberRoom::new(&config, metrics);
        assert!(room.take(50 * UNIT).await.is_ok(), "and never more");
    }
}
