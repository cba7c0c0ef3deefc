//! Runs blocking file calls outside the async threads.

use std::io;

use tokio::task::JoinHandle;

/// Runs a blocking file operation on the runtime's blocking threads and waits for its result.
///
/// For short file operations only: CPU work goes to [`crate::cpu::CpuPool`].
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

/// Starts a blocking file operation like [`run`], and returns at once. The result is awaited through the handle.
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
