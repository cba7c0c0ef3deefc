//! What this process knows of the integrity of objects, in bounded memory.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt::{self, Display, Formatter};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::metrics::Metrics;
use crate::storage::object::ObjectInfo;

/// How many versions that were found intact are remembered, at 8 bytes each. The table is direct-mapped: two versions
/// that share a slot are checked more often than necessary, and nothing else.
const INTACT: usize = 1 << 17;

/// How many damaged objects are remembered. A forgotten one is found again when it is read.
const DAMAGED: usize = 1000;

/// Where an object lies: a location and a path in it.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Place<'a> {
    pub(super) location: &'a str,
    pub(super) path: &'a str,
}

impl Display for Place<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.location, self.path)
    }
}

/// Identifies one copy of an object among all that ever lay in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version(u64);

/// A damaged object.
#[derive(Debug)]
struct Damage {
    /// The copy whose bytes are wrong; `None` where the storage itself finds the damage at every look.
    version: Option<Version>,
    reason: String,
}

/// Which objects were found intact, and which damaged. It is shared by all storages of a server.
#[derive(Debug)]
pub struct Integrity {
    hasher: RandomState,
    intact: Box<[AtomicU64]>,
    damaged: Mutex<HashMap<String, Damage>>,
    metrics: Metrics,
}

impl Integrity {
    /// Makes an empty record, which reports damage to the metrics.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self {
            hasher: RandomState::new(),
            intact: (0..INTACT).map(|_| AtomicU64::new(0)).collect(),
            damaged: Mutex::default(),
            metrics,
        }
    }

    /// How many objects are known to be damaged and have not been stored anew since.
    #[must_use]
    pub fn damaged_objects(&self) -> u64 {
        u64::try_from(self.metrics.storage_damaged_objects.get()).unwrap_or(0)
    }

    pub(super) fn version(&self, place: Place<'_>, info: &ObjectInfo) -> Version {
        let facts = (
            info.inode,
            info.stored_size,
            info.modified_at,
            &info.version,
        );
        Version(self.hasher.hash_one((place, facts)))
    }

    /// Returns whether this copy was found intact.
    pub(super) fn is_intact(&self, version: Version) -> bool {
        self.slot(version).load(Ordering::Relaxed) == version.0
    }

    /// Notes that a copy is intact.
    pub(super) fn found_intact(&self, version: Version) {
        self.slot(version).store(version.0, Ordering::Relaxed);
    }

    /// Notes that an object is damaged, and reports it unless that is known.
    pub(super) fn found_damaged(&self, place: Place<'_>, version: Option<Version>, reason: &str) {
        let mut damaged = self.damaged();
        let name = place.to_string();
        if damaged
            .get(&name)
            .is_some_and(|known| known.version == version)
        {
            return;
        }
        if damaged.len() >= DAMAGED
            && let Some(any) = damaged.keys().next().cloned()
        {
            damaged.remove(&any);
        }
        let damage = Damage {
            version,
            reason: reason.to_owned(),
        };
        damaged.insert(name, damage);
        self.report(&damaged);
        self.metrics.storage_damage_found.inc();
        drop(damaged);
        tracing::error!(
            event = "object_damaged",
            object = %place,
            reason,
            "an object is damaged; the next upload of its file stores it anew"
        );
    }

    /// The damage of the copy that lies there now, if it is known. Another copy than the one that was found damaged has
    /// taken its place.
    pub(super) fn damage_of(&self, place: Place<'_>, version: Version) -> Option<String> {
        if self.damaged_objects() == 0 {
            return None;
        }
        let mut damaged = self.damaged();
        let name = place.to_string();
        let damage = damaged.get(&name)?;
        if damage.version == Some(version) {
            return Some(damage.reason.clone());
        }
        damaged.remove(&name);
        self.report(&damaged);
        None
    }

    /// Returns whether an object is known to be damaged.
    pub(super) fn is_damaged(&self, place: Place<'_>) -> bool {
        self.damaged_objects() > 0 && self.damaged().contains_key(&place.to_string())
    }

    /// Forgets the damage of an object that has been stored anew, or has gone.
    pub(super) fn mended(&self, place: Place<'_>) {
        if self.damaged_objects() > 0 {
            let mut damaged = self.damaged();
            damaged.remove(&place.to_string());
            self.report(&damaged);
        }
    }

    fn slot(&self, version: Version) -> &AtomicU64 {
        // The remainder fits, whatever the width of the pointer.
        let slot = usize::try_from(version.0 % INTACT as u64).unwrap_or(0);
        &self.intact[slot]
    }

    fn report(&self, damaged: &HashMap<String, Damage>) {
        let count = i64::try_from(damaged.len()).unwrap_or(i64::MAX);
        self.metrics.storage_damaged_objects.set(count);
    }

    /// A panic elsewhere cannot have left the map inconsistent.
    fn damaged(&self) -> MutexGuard<'_, HashMap<String, Damage>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::storage::object::ObjectMeta;

    const PLACE: Place<'static> = Place {
        location: "/objects",
        path: "v1/a/AB/a.sym",
    };

    fn info(inode: u64) -> ObjectInfo {
        ObjectInfo {
            meta: ObjectMeta::default(),
            stored_size: 4,
            modified_at: OffsetDateTime::UNIX_EPOCH,
            version: None,
            inode: Some(inode),
        }
    }

    #[test]
    fn a_copy_is_known_and_every_other_is_not() {
        let integrity = Integrity::new(Metrics::default());
        let version = |inode| integrity.version(PLACE, &info(inode));
        assert!(!integrity.is_intact(version(1)));
        integrity.found_intact(version(1));
        assert!(integrity.is_intact(version(1)));
        assert!(!integrity.is_intact(version(2)));
        integrity.found_damaged(PLACE, Some(version(2)), "flipped");
        assert_eq!(
            integrity.damage_of(PLACE, version(2)).as_deref(),
            Some("flipped")
        );
        assert!(integrity.is_damaged(PLACE));
        assert_eq!(integrity.damage_of(PLACE, version(3)), None);
        assert_eq!(integrity.damaged_objects(), 0, "it was replaced");
    }

    #[test]
    fn memory_is_bounded() {
        let metrics = Metrics::default();
        let integrity = Integrity::new(metrics.clone());
        for number in 0..DAMAGED + 5 {
            let path = number.to_string();
            let place = Place {
                path: &path,
                ..PLACE
            };
            integrity.found_damaged(place, None, "cut");
            integrity.found_damaged(place, None, "cut");
            assert!(integrity.is_damaged(place));
        }
        assert_eq!(integrity.damaged_objects(), DAMAGED as u64);
        let found = metrics.storage_damage_found.get();
        assert_eq!(found, DAMAGED as u64 + 5, "each is reported once");
    }
}
