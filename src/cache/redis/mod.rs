//! The shared tier on Redis.
//!
//! # What lies there
//! Under `symbold:<format>:<namespace>:` each key has a value and, once it was changed, a generation: a random number
//! that the upload set. Everything has a time to live. A value begins with a stamp, the generation that was read
//! before its question was asked, or zeros where there was none.
//!
//! # Why no answer outlives an upload
//! A reader takes value and generation in one round trip, the value first, and believes the value only if its stamp
//! is the generation. An upload stores its file, then sets a new generation, drops the value and publishes the key.
//! Now let a reader ask the storage before the upload and write its answer at any time. It read its generation before
//! it asked, so before the upload set a new one; the stamp it writes is never the generation again, since generations
//! are random and never return. A reader after the upload sees the stamp differ and asks the storage itself. No
//! transaction is needed, since the reader decides; a write that comes late is only wasted.
//!
//! What each node remembers by itself ends by the publication, or by the patience of [`Coherence`] if that is lost. An
//! upload that cannot reach Redis keeps its changes and publishes them when Redis is back; before others trust what
//! lies there again, they wait for as long as that takes.
//!
//! # What remains
//! A generation lives longer than any value, so only Redis itself can lose it: by eviction, by a `FLUSHALL`, or by a
//! failover to a replica that lags behind. A late answer with the stamp of "no generation" is then believed until its
//! time ends: `absent_for` for an absent file, `present_for` for one that was replaced. The same bounds hold where one
//! node can reach Redis and the uploading one cannot, or the uploading one dies before it has published everything.
//!
//! # When it fails
//! Every failure is "not known": an operation takes [`CacheConfig::redis_timeout`] at most, and after some failures in
//! a row the breaker lets none through for a while. What is too long, of another type or without a stamp is not
//! believed; it is dropped as after an upload.

mod connection;
mod names;
mod publisher;
mod stamp;
mod subscriber;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::redis::{Client, ConnectionInfo, IntoConnectionInfo, Value};
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::{CacheConfig, CacheError, CacheKey, Coherence, Reading, SharedCache, Token};
use crate::background::survive;
use crate::clock::SharedClock;
use crate::metrics::Metrics;
use crate::service_url::ServiceUrl;

use connection::{Connection, pipeline};
use names::Names;
use publisher::Publisher;
use subscriber::Subscriber;

/// The longest value with its stamp, in bytes; a lookup's answer takes a few hundred.
const LONGEST_VALUE: usize = 4096;

/// What a generation outlives any value by: more than a lookup can take.
const MARGIN: Duration = Duration::from_mins(10);

/// How long the key of a check lives, in seconds.
const CHECK_SECONDS: u64 = 60;

/// A shared tier on Redis. Its two background tasks end with it.
pub struct RedisCache {
    connection: Arc<Connection>,
    publisher: Arc<Publisher>,
    names: Names,
    coherence: Arc<Coherence>,
    is_listening: Gauge,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCache")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl RedisCache {
    /// Starts to connect and to listen, in tasks of this runtime.
    ///
    /// # Errors
    /// The address is not one.
    pub fn open(
        config: &CacheConfig,
        metrics: &Metrics,
        clock: &SharedClock,
    ) -> Result<Self, CacheError> {
        let address = address(&config.redis_url)?;
        let client =
            Client::open(address.clone()).map_err(|error| CacheError(error.to_string()))?;
        let patience = config.uncoordinated_for;
        let names = Names::new(&config.namespace);
        let coherence = Arc::new(Coherence::among_nodes(patience));
        let is_listening = metrics.shared_cache_listening.clone();
        let connection = Arc::new(Connection::new(
            address,
            config.redis_timeout,
            metrics,
            Arc::clone(clock),
        )?);
        let publisher = Arc::new(Publisher::new(
            Arc::clone(&connection),
            names.clone(),
            2 * config.present_for.max(config.absent_for) + MARGIN,
            metrics.shared_cache_untold.clone(),
        ));
        let subscriber = Subscriber {
            client,
            channel: names.channel(),
            patience,
            coherence: Arc::clone(&coherence),
            is_listening: is_listening.clone(),
            clock: Arc::clone(clock),
            url: config.redis_url.clone(),
        };
        let upkeep = keep_up(Arc::clone(&connection), Arc::clone(&publisher), patience);
        let tasks = [tokio::spawn(subscriber.run()), tokio::spawn(upkeep)];
        Ok(Self {
            connection,
            publisher,
            names,
            coherence,
            is_listening,
            _tasks: tasks.map(AbortOnDropHandle::new),
        })
    }

    /// Drops a value that this program cannot have written, as if the file had changed.
    async fn drop_junk(&self, key: &CacheKey) -> CacheError {
        let dropped = self.publisher.publish(key).await;
        dropped
            .err()
            .unwrap_or_else(|| CacheError(format!("{key} held something foreign")))
    }
}

#[async_trait]
impl SharedCache for RedisCache {
    async fn get(&self, key: &CacheKey) -> Result<Reading, CacheError> {
        let mut commands = pipeline();
        // The value first: if the generation is still its stamp afterwards, nothing has changed in between. One byte
        // more than is believed of each tells what is too long.
        commands
            .cmd("GETRANGE")
            .arg(self.names.value(key))
            .arg(0)
            .arg(LONGEST_VALUE);
        commands
            .cmd("GETRANGE")
            .arg(self.names.generation(key))
            .arg(0)
            .arg(stamp::LENGTH);
        let answers = self.connection.call(&commands).await?;
        match reading(answers) {
            Some(reading) => Ok(reading),
            None => Err(self.drop_junk(key).await),
        }
    }

    async fn set(
        &self,
        key: &CacheKey,
        value: Bytes,
        keep: Duration,
        token: Token,
    ) -> Result<(), CacheError> {
        if value.len() > LONGEST_VALUE - stamp::LENGTH {
            return Ok(());
        }
        let millis = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut commands = pipeline();
        commands
            .cmd("SET")
            .arg(self.names.value(key))
            .arg(stamp::put_before(token, &value))
            .arg("PX")
            .arg(millis);
        self.connection.call(&commands).await.map(drop)
    }

    async fn invalidate(&self, key: &CacheKey) -> Result<(), CacheError> {
        self.publisher.publish(key).await
    }

    async fn check(&self) -> Result<(), CacheError> {
        let mut commands = pipeline();
        commands
            .cmd("SET")
            .arg(self.names.check())
            .arg("")
            .arg("EX")
            .arg(CHECK_SECONDS);
        self.connection.insist(&commands).await?;
        if self.is_listening.get() == 0 {
            return Err(CacheError("the other nodes are not heard".to_owned()));
        }
        Ok(())
    }

    fn coherence(&self) -> &Arc<Coherence> {
        &self.coherence
    }
}

/// Reads the answers to value and generation; `None` if one of them is not of this program's making.
fn reading(answers: Vec<Value>) -> Option<Reading> {
    let [Value::BulkString(value), Value::BulkString(generation)] =
        <[Value; 2]>::try_from(answers).ok()?
    else {
        return None;
    };
    let token = match generation.as_slice() {
        [] => Token(0),
        stamp => stamp::read(stamp)?,
    };
    if value.len() > LONGEST_VALUE {
        return None;
    }
    if value.is_empty() {
        return Some(Reading { value: None, token });
    }
    let (stamp, value) = stamp::take_off(value)?;
    Some(Reading {
        value: (stamp == token).then_some(value),
        token,
    })
}

/// Keeps the connection alive, and publishes the changes that wait.
async fn keep_up(connection: Arc<Connection>, publisher: Arc<Publisher>, patience: Duration) {
    loop {
        let round = async {
            connection.renew(patience / 2).await?;
            publisher.catch_up().await
        };
        if let Some(Err(error)) = survive("telling other nodes", round).await {
            tracing::debug!(event = "shared_cache_fault", %error, "could not keep up with redis");
        }
        sleep(subscriber::jittered(patience / 4)).await;
    }
}

/// Reads an address: `redis://`, `rediss://` or `redis+unix:///path`.
///
/// # Errors
/// It is not one.
pub(super) fn address(url: &ServiceUrl) -> Result<ConnectionInfo, CacheError> {
    let is_known = ["redis", "rediss", "redis+unix"].contains(&url.scheme());
    // The driver reads `#insecure` as "believe any certificate".
    if !is_known || url.reveal().contains('#') {
        return Err(CacheError(format!("{url} is not an address of redis")));
    }
    let address = url.reveal().into_connection_info();
    address.map_err(|error| CacheError(format!("{url} is not an address of redis: {error}")))
}
