//! Decides which remembered answers a node may still believe.
//!
//! An answer ends before its time when the file that it is about changes. Each key therefore has a generation: an
//! answer carries the generation that it was asked in, [`Coherence::forget`] starts the next one, and answers of an
//! earlier generation are not believed.
//!
//! Among several nodes the change may happen elsewhere, and this node has to hear of it. It asks the channel for a sign
//! of life again and again; each one that comes proves that whatever was said before the question has arrived. So the
//! rule is: **an answer is believed while it is younger than the node's patience, or while the last sign of life was
//! asked for no longer ago than that.** A file that was stored elsewhere is then seen here within that time of the
//! upload's end, whether the channel delivered it, broke, or fell silent. Messages sent while a node did not listen are
//! lost to it, so a node that begins to listen ([`Coherence::begin_listening`]) believes nothing from before.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Keys share generations by their hash; two keys that share one only cost each other a lookup.
const GENERATIONS: usize = 4096;

/// Decides which remembered answers still hold. Times are those of one clock, given by the caller.
#[derive(Debug)]
pub struct Coherence {
    generations: Box<[AtomicU64]>,
    hasher: RandomState,
    channel: Option<Channel>,
}

/// The state of the channel on which nodes publish what has changed. Times are in microseconds.
#[derive(Debug)]
struct Channel {
    patience: Duration,
    heard_until: AtomicU64,
    settled_from: AtomicU64,
}

impl Coherence {
    /// For a node without others: only its own uploads end an answer.
    #[must_use]
    pub fn alone() -> Self {
        Self::new(None)
    }

    /// For a node among others, which does not hear them yet. Without hearing them it believes an answer for as long
    /// as `patience`.
    #[must_use]
    pub fn among_nodes(patience: Duration) -> Self {
        Self::new(Some(Channel {
            patience,
            heard_until: AtomicU64::new(0),
            settled_from: AtomicU64::new(u64::MAX),
        }))
    }

    fn new(channel: Option<Channel>) -> Self {
        Self {
            generations: (0..GENERATIONS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            channel,
        }
    }

    /// The generation that answers about this key are of if they are asked now.
    #[must_use]
    pub fn generation(&self, key: &str) -> u64 {
        self.slot(key).load(Ordering::Acquire)
    }

    /// Ends every answer about this key that was asked before.
    pub fn forget(&self, key: &str) {
        self.slot(key).fetch_add(1, Ordering::AcqRel);
    }

    /// Starts the next generation of a key, unless that has happened since `generation` was read. Returns the next
    /// generation if it is this call that started it.
    #[must_use]
    pub fn supersede(&self, key: &str, generation: u64) -> Option<u64> {
        let next = generation.wrapping_add(1);
        self.slot(key)
            .compare_exchange(generation, next, Ordering::AcqRel, Ordering::Acquire)
            .ok()
            .map(|_| next)
    }

    /// Every change from now on will be heard: what was asked before is not believed any more.
    pub fn begin_listening(&self, now: Duration) {
        for generation in &self.generations {
            generation.fetch_add(1, Ordering::AcqRel);
        }
        if let Some(channel) = &self.channel {
            let settled_from = micros(now + channel.patience);
            channel.settled_from.store(settled_from, Ordering::Release);
        }
    }

    /// The channel gave a sign of life that was asked for at this time, and all that came before it was heeded.
    pub fn heard(&self, asked_at: Duration) {
        if let Some(channel) = &self.channel {
            let heard_until = micros(asked_at + channel.patience);
            channel.heard_until.store(heard_until, Ordering::Release);
        }
    }

    /// Returns whether an answer about this key that was asked then is believed now.
    #[must_use]
    pub fn holds(&self, key: &str, generation: u64, asked_at: Duration, now: Duration) -> bool {
        // The channel first: a change that came before its last sign of life is then seen in the generation.
        let is_vouched_for = match &self.channel {
            None => true,
            Some(channel) => channel.is_heard(now) || now < asked_at + channel.patience,
        };
        is_vouched_for && self.generation(key) == generation
    }

    /// Returns whether the shared tier is believed: while this node hears the others, and after they have had time to
    /// publish the changes that they could not publish while the tier was away.
    #[must_use]
    pub fn trusts_shared_tier(&self, now: Duration) -> bool {
        self.channel.as_ref().is_none_or(|channel| {
            channel.is_heard(now) && micros(now) >= channel.settled_from.load(Ordering::Acquire)
        })
    }

    fn slot(&self, key: &str) -> &AtomicU64 {
        let hash = usize::try_from(self.hasher.hash_one(key) % GENERATIONS as u64).unwrap_or(0);
        &self.generations[hash]
    }
}

impl Channel {
    fn is_heard(&self, now: Duration) -> bool {
        micros(now) < self.heard_until.load(Ordering::Acquire)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn forgetting_ends_what_was_asked_before() {
        let coherence = Coherence::alone();
        let asked_in = coherence.generation("a");
        assert!(coherence.holds("a", asked_in, at(0), Duration::MAX));
        coherence.forget("a");
        assert!(!coherence.holds("a", asked_in, at(0), at(0)));
        assert_eq!(coherence.supersede("a", asked_in), None);
        let asked_in = coherence.generation("a");
        let next = coherence.supersede("a", asked_in).unwrap();
        assert!(!coherence.holds("a", asked_in, at(0), at(0)));
        assert!(coherence.holds("a", next, at(0), at(0)));
    }

    #[test]
    fn an_answer_outlives_the_patience_only_while_the_channel_is_heard() {
        let coherence = Coherence::among_nodes(PATIENCE);
        coherence.begin_listening(at(0));
        let asked_in = coherence.generation("a");
        let holds = |now| coherence.holds("a", asked_in, at(500), now);
        assert!(holds(at(1499)));
        assert!(!holds(at(1500)), "nothing was heard");
        coherence.heard(at(1000));
        assert!(holds(at(1999)));
        assert!(!holds(at(2000)));
        coherence.heard(at(9000));
        assert!(holds(at(9500)), "silence alone ends nothing for good");
    }

    #[test]
    fn what_is_from_before_listening_is_not_believed() {
        let coherence = Coherence::among_nodes(PATIENCE);
        let asked_in = coherence.generation("a");
        coherence.begin_listening(at(10));
        coherence.heard(at(10));
        assert!(!coherence.holds("a", asked_in, at(9), at(11)));
    }

    #[test]
    fn the_shared_tier_is_trusted_once_the_others_have_caught_up() {
        assert!(Coherence::alone().trusts_shared_tier(at(0)));
        let coherence = Coherence::among_nodes(PATIENCE);
        assert!(!coherence.trusts_shared_tier(at(0)));
        coherence.begin_listening(at(100));
        coherence.heard(at(100));
        assert!(!coherence.trusts_shared_tier(at(1099)));
        coherence.heard(at(1000));
        assert!(coherence.trusts_shared_tier(at(1100)));
        assert!(!coherence.trusts_shared_tier(at(2000)), "it fell silent");
    }
}
