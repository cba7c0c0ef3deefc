//! Tasks that run to their end even if their callers stop waiting.
//!
//! The HTTP workers have runtimes of their own, and drop a handler when its client disconnects. Work that must not be
//! left half done runs on the main runtime instead.
//!
//! Tasks that run as long as the process does their work in steps, and a panic ends one [step](survive) alone.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tracing::Instrument;

/// The task panicked, or the runtime is stopping. The panic's own message is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a task failed unexpectedly")]
pub struct TaskPanicked;

/// A handle to the main runtime; clones share it.
#[derive(Clone, Debug)]
pub struct Background {
    runtime: Handle,
}

impl Background {
    /// Makes a handle to the caller's runtime.
    ///
    /// # Panics
    /// The caller runs on no Tokio runtime.
    #[must_use]
    pub fn current() -> Self {
        Self {
            runtime: Handle::current(),
        }
    }

    /// Starts a task whose end the caller does not wait for.
    pub fn start(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(task.in_current_span()));
    }

    /// Runs a task and waits for its result. A caller that is dropped does not stop the task.
    ///
    /// # Errors
    /// The task panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, TaskPanicked> {
        let running = self.runtime.spawn(task.in_current_span());
        running.await.map_err(|_| TaskPanicked)
    }
}

/// Runs one step of a task that has to go on. A panic ends this step alone: it is logged under the task's name, and
/// there is no result.
pub async fn survive<T>(task: &'static str, step: impl Future<Output = T>) -> Option<T> {
    let result = AssertUnwindSafe(step).catch_unwind().await;
    if result.is_err() {
        tracing::error!(
            event = "task_panicked",
            task,
            "a background task failed unexpectedly and goes on"
        );
    }
    result.ok()
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_task_goes_on_without_its_caller() {
        let background = Background::current();
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let running = background.run(async move {
            may_go_on.await.unwrap();
            done.send(()).unwrap();
        });
        let mut running = Box::pin(running);
        tokio::select! {
            biased;
            _ = &mut running => panic!("it waits"),
            () = tokio::task::yield_now() => {}
            () = pending() => {}
        }
        drop(running);
        go_on.send(()).unwrap();
        is_done.await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_costs_one_step() {
        let step = |text: &'static str| async move {
            tokio::task::yield_now().await;
            text.parse::<u8>().unwrap()
        };
        assert_eq!(survive("counting", step("no number")).await, None);
        assert_eq!(survive("counting", step("7")).await, Some(7));
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let background = Background::current();
        let ended = background.run(async { "no number".parse::<u8>().map(drop).unwrap() });
        assert_eq!(ended.await, Err(TaskPanicked));
    }
}
