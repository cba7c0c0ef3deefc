//! Subscribes to the changes that other nodes publish.
//!
//! The subscription has a connection of its own. As long as Redis answers pings on it, this node has heard everything:
//! Redis delivers what was published before a ping ahead of the pong. A connection that is closed, or whose pong does
//! not come in time, is lost, and a new one is opened after a pause that grows a little and differs between nodes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::aio::{PubSubSink, PubSubStream};
use deadpool_redis::redis::{Client, Msg, RedisError, Value};
use futures_util::{FutureExt, StreamExt};
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::{sleep, timeout};

use super::super::Coherence;
use crate::background::survive;
use crate::clock::SharedClock;
use crate::service_url::ServiceUrl;

/// Listens to the channel for as long as it runs.
pub(super) struct Subscriber {
    pub(super) client: Client,
    pub(super) channel: String,
    /// Without a pong for this long, memory is not trusted; all other times are fractions of it.
    pub(super) patience: Duration,
    pub(super) coherence: Arc<Coherence>,
    pub(super) is_listening: Gauge,
    pub(super) clock: SharedClock,
    /// For the log.
    pub(super) url: ServiceUrl,
}

/// Why this node does not hear the others.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("{0}")]
    Fault(#[from] RedisError),
    #[error("the connection was closed")]
    Closed,
    #[error("no sign of life in time")]
    Silent(#[from] tokio::time::error::Elapsed),
    #[error("listening failed unexpectedly")]
    Panicked,
}

impl Subscriber {
    /// Listens, and begins anew whenever the connection is lost.
    pub(super) async fn run(self) {
        let (shortest, longest) = (self.patience / 16, self.patience / 2);
        let mut pause = shortest;
        let mut is_known = false;
        loop {
            let listened = survive("listening to other nodes", self.listen()).await;
            let Err(lost) = listened.unwrap_or(Err(Lost::Panicked));
            if self.is_listening.set(0) == 1 {
                (pause, is_known) = (shortest, false);
            }
            if !is_known {
                is_known = true;
                self.log_loss(&lost);
            }
            sleep(jittered(pause)).await;
            pause = (pause * 2).min(longest);
        }
    }

    fn log_loss(&self, lost: &Lost) {
        tracing::warn!(
            event = "shared_cache_lost",
            reason = %lost,
            setting = "cache.redis_url",
            url = %self.url,
            "cannot hear the other nodes; what is remembered is kept for cache.uncoordinated_for only"
        );
    }

    async fn listen(&self) -> Result<Infallible, Lost> {
        let (mut sink, mut messages) = timeout(self.patience / 2, self.subscribe()).await??;
        self.coherence.begin_listening(self.clock.elapsed());
        loop {
            let asked_at = self.clock.elapsed();
            timeout(self.patience / 2, sink.ping::<Value>()).await??;
            while let Some(next) = messages.next().now_or_never() {
                self.forget(&next.ok_or(Lost::Closed)?);
            }
            self.coherence.heard(asked_at);
            if self.is_listening.set(1) == 0 {
                tracing::info!(event = "shared_cache_heard", url = %self.url, "hearing the other nodes");
            }
            let listening = async {
                while let Some(message) = messages.next().await {
                    self.forget(&message);
                }
            };
            if timeout(self.patience / 4, listening).await.is_ok() {
                return Err(Lost::Closed);
            }
        }
    }

    async fn subscribe(&self) -> Result<(PubSubSink, PubSubStream), RedisError> {
        let (mut sink, messages) = self.client.get_async_pubsub().await?.split();
        sink.subscribe(&self.channel).await?;
        Ok((sink, messages))
    }

    /// Forgets the key of a message. The message is not checked: a wrong key costs a lookup and nothing else.
    fn forget(&self, message: &Msg) {
        self.coherence
            .forget(&String::from_utf8_lossy(message.get_payload_bytes()));
    }
}

/// A time between half of the given one and the whole, so that nodes do not act in step.
pub(super) fn jittered(longest: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    longest.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}
