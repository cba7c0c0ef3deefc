//! A shared tier in memory, for tests that play several nodes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{CacheError, CacheKey, Coherence, Reading, SharedCache, Token};

/// What all nodes share.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    values: HashMap<CacheKey, (Token, Bytes)>,
    generations: HashMap<CacheKey, Token>,
    nodes: Vec<Arc<Coherence>>,
    /// Messages on their way, if they do not arrive at once.
    held_back: Option<Vec<CacheKey>>,
}

impl Hub {
    /// A node that always hears the others.
    pub(crate) fn node(self: &Arc<Self>) -> Arc<MapCache> {
        self.node_with(Coherence::alone())
    }

    /// A node whose hearing the test decides on.
    pub(crate) fn node_with(self: &Arc<Self>, coherence: Coherence) -> Arc<MapCache> {
        let coherence = Arc::new(coherence);
        self.state().nodes.push(Arc::clone(&coherence));
        Arc::new(MapCache {
            hub: Arc::clone(self),
            coherence,
            is_broken: AtomicBool::new(false),
        })
    }

    /// Puts bytes in place of a value, as if they had been set properly.
    pub(crate) fn plant(&self, key: &CacheKey, value: &[u8]) {
        let mut state = self.state();
        let token = state.token(key);
        let value = Bytes::copy_from_slice(value);
        state.values.insert(key.clone(), (token, value));
    }

    /// Holds messages back from now on.
    pub(crate) fn hold_messages_back(&self) {
        self.state().held_back = Some(Vec::new());
    }

    /// Lets the messages that were held back arrive.
    pub(crate) fn let_messages_arrive(&self) {
        let mut state = self.state();
        for key in state.held_back.take().unwrap_or_default() {
            state.tell(&key);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn token(&self, key: &CacheKey) -> Token {
        self.generations.get(key).copied().unwrap_or(Token(0))
    }

    fn tell(&self, key: &CacheKey) {
        for node in &self.nodes {
            node.forget(key.as_str());
        }
    }
}

/// One node's way to the [`Hub`]; it can be told to fail.
#[derive(Debug)]
pub(crate) struct MapCache {
    hub: Arc<Hub>,
    coherence: Arc<Coherence>,
    pub(crate) is_broken: AtomicBool,
}

impl MapCache {
    fn state(&self) -> Result<MutexGuard<'_, State>, CacheError> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(CacheError("broken by the test".to_owned()));
        }
        Ok(self.hub.state())
    }
}

#[async_trait]
impl SharedCache for MapCache {
    async fn get(&self, key: &CacheKey) -> Result<Reading, CacheError> {
        let state = self.state()?;
        let token = state.token(key);
        let value = state.values.get(key).filter(|(stamp, _)| *stamp == token);
        Ok(Reading {
            value: value.map(|(_, value)| value.clone()),
            token,
        })
    }

    async fn set(
        &self,
        key: &CacheKey,
        value: Bytes,
        _: Duration,
        token: Token,
    ) -> Result<(), CacheError> {
        if value.len() <= 1024 {
            self.state()?.values.insert(key.clone(), (token, value));
        }
        Ok(())
    }

    async fn invalidate(&self, key: &CacheKey) -> Result<(), CacheError> {
        let mut state = self.state()?;
        let next = Token(state.token(key).0 + 1);
        state.generations.insert(key.clone(), next);
        state.values.remove(key);
        match &mut state.held_back {
            Some(messages) => messages.push(key.clone()),
            None => state.tell(key),
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), CacheError> {
        self.state().map(drop)
    }

    fn coherence(&self) -> &Arc<Coherence> {
        &self.coherence
    }
}
