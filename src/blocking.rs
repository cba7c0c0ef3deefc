//! Blocking file calls, away from the async threads.

use std::io;

use tokio::task::JoinHandle;

/// Runs a blocking file operation on the runtime's threads for blocking work and waits for its result.
///
/// For short operations on files only: CPU work goes to [`crate::cpu::CpuPool`].
///
/// # Errors
/// The operation's own error; a panic in it comes back as an error of kind `Other`.
pub async fn run<T, F>(operation: F) -> io::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    start(operation)
        .await
        .unwrap_or_else(|panic| Err(io::Error::other(panic)))
}

/// Starts a blocking file operation as [`run`] does, for those who wait by polling.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one helper that the rule points to"
)]
pub fn start<T, F>(operation: F) -> JoinHandle<io::Result<T>>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    tokio::task::spawn_blocking(operation)
}
