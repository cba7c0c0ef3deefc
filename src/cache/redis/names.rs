//! How keys and channels are called in Redis.

use std::sync::Arc;

use super::super::CacheKey;

/// The format of everything that is kept. A program that writes another one has another number, and sees nothing of
/// this one's.
const FORMAT: u32 = 1;

/// The names of one installation.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: Arc<str>,
}

impl Names {
    /// The names that begin with the namespace of the installation.
    pub(super) fn new(namespace: &str) -> Self {
        Self {
            prefix: format!("symbold:{FORMAT}:{namespace}").into(),
        }
    }

    /// Where the value of a key lies.
    pub(super) fn value(&self, key: &CacheKey) -> String {
        format!("{}:value:{key}", self.prefix)
    }

    /// Where the generation of a key lies.
    pub(super) fn generation(&self, key: &CacheKey) -> String {
        format!("{}:generation:{key}", self.prefix)
    }

    /// What is written to see whether writing works.
    pub(super) fn check(&self) -> String {
        format!("{}:check", self.prefix)
    }

    /// The channel on which nodes tell each other what to forget.
    pub(super) fn channel(&self) -> String {
        format!("{}:forget", self.prefix)
    }
}
