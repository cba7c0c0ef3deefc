//! Room for the temporary files of members.
//!
//! Each member that has to be compressed or inflated needs a temporary file. All of these together may take as much
//! room as the largest member. A holder never waits for more room, so waiting cannot deadlock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::StoreError;
use crate::metrics::{KindLabel, Metrics};

/// How long a member may wait for room.
const WAIT: Duration = Duration::from_mins(10);

/// The unit in which room is counted, in bytes.
const UNIT: u64 = 1024 * 1024;

/// The room for temporary files that are made of members.
#[derive(Debug)]
pub(super) struct MemberRoom {
    /// One permit for each [`UNIT`].
    units: Arc<Semaphore>,
    size: u32,
    metrics: Metrics,
}

/// Room that a member has reserved; dropping it gives the room back.
#[derive(Debug)]
pub(super) struct MemberPlace {
    _permit: OwnedSemaphorePermit,
    bytes: i64,
    metrics: Metrics,
}

impl MemberRoom {
    /// Makes a room as large as the largest member, in bytes.
    pub(super) fn new(largest: u64, metrics: Metrics) -> Self {
        let size = units(largest);
        Self {
            units: Arc::new(Semaphore::new(size as usize)),
            size,
            metrics,
        }
    }

    /// Waits for room for a file of at most this many bytes.
    ///
    /// # Errors
    /// Not enough room became free in time.
    pub(super) async fn take(&self, bytes: u64) -> Result<MemberPlace, StoreError> {
        let wanted = units(bytes).min(self.size);
        let waiting = Arc::clone(&self.units).acquire_many_owned(wanted);
        let permit = tokio::time::timeout(WAIT, waiting).await;
        let permit = permit.ok().and_then(Result::ok).ok_or(StoreError::Busy)?;
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn members_wait_for_room_and_the_largest_gets_all_of_it() {
        let largest = 3 * UNIT;
        let metrics = Metrics::default();
        let room = MemberRoom::new(largest, metrics.clone());
        let first = room.take(2 * UNIT).await.unwrap();
        let _small = room.take(UNIT - 7).await.unwrap();
        assert!(matches!(room.take(1).await, Err(StoreError::Busy)));
        drop(first);
        let _second = room.take(UNIT).await.unwrap();
        let kind = KindLabel { kind: "members" };
        let bytes = metrics.upload_reserved_bytes.get_or_create(&kind).get();
        assert_eq!(bytes, 2 * 1024 * 1024 - 7);
        let room = MemberRoom::new(largest, metrics);
        assert!(room.take(50 * UNIT).await.is_ok(), "and never more");
    }
}
