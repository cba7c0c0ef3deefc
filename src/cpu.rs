//! The one pool for CPU work, with as many threads as cores.
//!
//! Compressing and hashing on the async threads would stall the requests there, and a thread per job would let eight
//! uploads compete for two cores. [`CpuPool::run`] hands a job to the pool. A job whose caller has stopped waiting
//! before it starts is skipped. Callers limit how many jobs they hand over at a time.
//!
//! The pool's threads have a low priority: uploads take seconds anyway, lookups take less than a millisecond, and both
//! share the cores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

/// The nice value of the pool's threads; 0 is the default, 19 the lowest priority.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// A handle to the shared pool; clones share it.
#[derive(Clone, Debug)]
pub struct CpuPool {
    threads: Arc<ThreadPool>,
}

/// The job panicked. The panic's own message is in the log; the pool goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a computation failed unexpectedly")]
pub struct JobPanicked;

impl CpuPool {
    /// Starts the threads; 0 means as many as the machine has cores.
    ///
    /// # Errors
    /// The operating system refused to start a thread.
    pub fn new(threads: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        let threads = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("cpu-{index}"))
            .start_handler(|_| lower_priority())
            .panic_handler(|_| {
                tracing::error!(
                    event = "pool_panicked",
                    "a job's caller could not be told of its end, or its result could not be dropped"
                );
            })
            .build()?;
        Ok(Self {
            threads: Arc::new(threads),
        })
    }

    /// How many threads the pool has, so that callers can keep all of them busy and no more.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.current_num_threads()
    }

    /// Runs a job on the pool and waits for its result without blocking the async thread.
    ///
    /// # Errors
    /// The job panicked.
    pub async fn run<T, F>(&self, job: F) -> Result<T, JobPanicked>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.threads.spawn(move || {
            if sender.is_closed() {
                return;
            }
            // The caller is told after the panic, not by it: a second panic meanwhile would end the process.
            if let Ok(result) = catch_unwind(AssertUnwindSafe(job)) {
                // Sending fails if the caller has stopped waiting, and the result is not needed then.
                drop(sender.send(result));
            }
        });
        receiver.await.map_err(|_| JobPanicked)
    }
}

/// Lowers the priority of this thread below that of other threads and processes. It still gets idle cores, and about a
/// tenth of a busy one (setpriority(2), nice value 10).
#[cfg(target_os = "linux")]
fn lower_priority() {
    // Only Linux has priorities of single threads. Without permission everything works, if less evenly.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(event = "pool_priority", %error, "a thread for computing keeps the usual priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_pool_stands_back_and_nobody_else_does() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let before = niceness();
        let pool = CpuPool::new(2).unwrap();
        assert_eq!(pool.run(niceness).await, Ok(NICENESS));
        assert_eq!(niceness(), before);
    }

    #[tokio::test]
    async fn a_panic_costs_one_job() {
        let pool = CpuPool::new(1).unwrap();
        assert_eq!(
            pool.run(|| panic!("expected by this test")).await,
            Err::<(), _>(JobPanicked)
        );
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }

    /// A caller whose runtime has broken down.
    struct BrokenDown(std::sync::mpsc::Sender<()>);

    impl std::task::Wake for BrokenDown {
        fn wake(self: Arc<Self>) {
            self.0.send(()).unwrap();
            panic!("expected by this test");
        }
    }

    #[tokio::test]
    async fn a_caller_that_cannot_be_woken_costs_its_own_job_alone() {
        let pool = CpuPool::new(1).unwrap();
        for panics in [false, true] {
            let (release, gate) = std::sync::mpsc::channel::<()>();
            let (waking, woken) = std::sync::mpsc::channel::<()>();
            let waker = Arc::new(BrokenDown(waking)).into();
            let mut job = Box::pin(pool.run(move || {
                gate.recv().unwrap();
                assert!(!panics, "expected by this test");
            }));
            let polled = job
                .as_mut()
                .poll(&mut std::task::Context::from_waker(&waker));
            assert!(polled.is_pending());
            release.send(()).unwrap();
            woken.recv().unwrap();
            assert_eq!(pool.run(|| 7).await, Ok(7));
        }
    }

    /// Panics where no job is running any more.
    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("expected by this test");
        }
    }

    #[tokio::test]
    async fn a_result_that_cannot_be_dropped_costs_nothing_else() {
        let pool = CpuPool::new(1).unwrap();
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let abandoned = pool.run(move || gate.recv().map(|()| PanicsWhenDropped));
        assert!(futures_util::FutureExt::now_or_never(abandoned).is_none());
        release.send(()).unwrap();
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_job_whose_caller_left_is_skipped() {
        let pool = CpuPool::new(1).unwrap();
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let first = pool.clone();
        let blocked = tokio::spawn(async move { first.run(move || gate.recv().is_ok()).await });
        let (ran, observer) = std::sync::mpsc::channel::<()>();
        let abandoned = pool.run(move || ran.send(()));
        // Polled once, so that the job is queued behind the blocked one; then dropped.
        assert!(futures_util::FutureExt::now_or_never(abandoned).is_none());
        release.send(()).unwrap();
        assert_eq!(blocked.await.unwrap(), Ok(true));
        assert_eq!(pool.run(|| 1).await, Ok(1));
        assert!(
            observer.try_recv().is_err(),
            "the abandoned job must not have run"
        );
    }
}
