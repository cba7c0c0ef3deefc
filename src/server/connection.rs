//! A connection that waits for a client only for a limited time.
//!
//! The HTTP library has three waits without a limit: for the rest of a refused body, for the rest of a second request's
//! head, and for a client that reads nothing of its answer. A [`Connection`] stands between the library and the socket
//! and limits them. The [`Line`] that it shares with the answers says what is awaited from the client. While a request
//! is being answered, the reader of its body limits the client's pace. Before the next request there is a deadline.
//! After an answer that came before the end of its request's body, the client may send a little more, so that it has
//! time to read the answer; then the connection is closed.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::http::{Outlet, unreadable};

/// How much more a client may send after an answer that came before the end of its body, in bytes. Bytes in flight have
/// to be read: closing a connection with unread bytes resets it, and some systems then discard an answer that the
/// client has not read yet.
const REST: usize = 1024 * 1024;

/// How the library refuses what it cannot read. Answers of the application with this status have a body.
const BARE_REFUSAL: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n";

/// How long the client may take to send them.
pub(super) const REST_TIME: Duration = Duration::from_secs(2);

/// The time limits of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimits {
    /// Between the answer and the end of the next request's head.
    pub(super) next_head: Duration,
    /// Without reading anything of an answer.
    pub(super) write: Duration,
}

/// What is awaited from the client.
#[derive(Clone, Copy, Debug)]
enum Awaited {
    /// The first request, or the body of the one that is being answered. The library and the reader of the body set the
    /// limits.
    Request,
    /// The next request, until this time.
    Next(Instant),
    /// The rest of a body that is not read: at most this many bytes, until this time.
    Rest(usize, Instant),
    /// Nothing: its body breaks the grammar of chunks. The library drops the connection without an answer.
    Nothing,
}

/// The state that a connection shares with the answers on it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    awaited: Rc<Cell<Awaited>>,
    limits: TimeLimits,
}

impl Line {
    /// A request has arrived and is being answered.
    pub(super) fn begin(&self) {
        self.awaited.set(Awaited::Request);
    }

    /// The answer begins, and the request's body has been read to its end.
    pub(super) fn await_next(&self) {
        let until = Instant::now() + self.limits.next_head;
        self.awaited.set(Awaited::Next(until));
    }

    /// The answer begins, and there is more of the request's body.
    pub(super) fn await_rest(&self) {
        let until = Instant::now() + REST_TIME;
        self.awaited.set(Awaited::Rest(REST, until));
    }

    /// Returns whether a request has arrived and has no answer yet.
    pub(super) fn is_answering(&self) -> bool {
        matches!(self.awaited.get(), Awaited::Request)
    }

    /// The request gets no answer, because its body cannot be read.
    pub(super) fn give_up(&self) {
        self.awaited.set(Awaited::Nothing);
    }
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    line: Line,
    outlet: Outlet,
    read_timer: Timer,
    write_timer: Timer,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, limits: TimeLimits) -> Self {
        let awaited = Rc::new(Cell::new(Awaited::Request));
        Self {
            stream,
            line: Line { awaited, limits },
            outlet: Outlet::default(),
            read_timer: Timer::default(),
            write_timer: Timer::default(),
        }
    }

    /// The state that this connection shares with its answers.
    pub(super) fn line(&self) -> Line {
        self.line.clone()
    }

    /// Where the answers on this connection may leave parts of files to be sent.
    pub(super) fn outlet(&self) -> Outlet {
        self.outlet.clone()
    }

    /// Wakes the library when the deadline passes. It polled for input before the answer set the deadline, and would
    /// not poll again.
    fn watch(&mut self, context: &mut Context<'_>) {
        if let Awaited::Next(until) | Awaited::Rest(_, until) = self.line.awaited.get()
            && self.read_timer.poll_until(context, until)
        {
            context.waker().wake_by_ref();
        }
    }

    /// Writes bytes that precede a part of a file, so that both share a packet.
    fn poll_write_before_piece(
        &self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match write_before_more(&self.stream, bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    /// Writes a refusal with a body in place of the library's, which has none. The connection ends after it.
    fn poll_refuse(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let refusal = unreadable();
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, refusal.as_bytes()));
        Poll::Ready(written.map(drop))
    }

    /// Sends the part of a file that a body has left in the outlet, then wakes the body.
    fn poll_outlet(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.outlet.has_piece() {
            return Poll::Ready(Ok(()));
        }
        while self.outlet.has_piece() {
            let Poll::Ready(ready) = self.stream.poll_write_ready(context) else {
                return self.poll_stalled(context);
            };
            ready?;
            let send = || self.outlet.send_some(&self.stream);
            match self.stream.try_io(Interest::WRITABLE, send) {
                Ok(()) => self.note_written(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        context.waker().wake_by_ref();
        Poll::Ready(Ok(()))
    }

    /// Waits for the client to read more of its answer, within the limit.
    fn poll_stalled<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let limit = self.line.limits.write;
        if self.write_timer.poll(context, || Instant::now() + limit) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }

    /// Notes progress: the client has read something, so its time starts anew.
    fn note_written(&mut self) {
        self.write_timer = Timer::default();
        if matches!(self.line.awaited.get(), Awaited::Next(_)) {
            self.line.await_next();
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let awaited = this.line.awaited.get();
        if let Awaited::Rest(left, until) = awaited
            && (left == 0 || Instant::now() >= until)
        {
            // The library sees the end of the stream, as if the client had closed its side.
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        match awaited {
            Awaited::Request | Awaited::Nothing => read,
            Awaited::Rest(left, until) if read.is_ready() => {
                let left = left.saturating_sub(buffer.filled().len() - before);
                this.line.awaited.set(Awaited::Rest(left, until));
                read
            }
            Awaited::Next(_) if read.is_ready() => read,
            Awaited::Next(until) | Awaited::Rest(_, until) => {
                if this.read_timer.poll_until(context, until) {
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if bytes.starts_with(BARE_REFUSAL) {
            return this.poll_refuse(context).map_ok(|()| bytes.len());
        }
        let written = if this.outlet.has_piece() {
            this.poll_write_before_piece(context, bytes)
        } else {
            Pin::new(&mut this.stream).poll_write(context, bytes)
        };
        if written.is_pending() {
            return this.poll_stalled(context);
        }
        this.note_written();
        written
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.watch(context);
        ready!(this.poll_outlet(context))?;
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if matches!(self.line.awaited.get(), Awaited::Nothing) {
            // The client may have gone, or may not be reading. Then there is nobody to tell.
            let _ = self.stream.try_write(unreadable().as_bytes());
        }
    }
}

/// Writes as much as the socket accepts. The kernel may hold it back until the next write.
#[cfg(target_os = "linux")]
fn write_before_more(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    use rustix::net::{SendFlags, send};
    stream.try_io(Interest::WRITABLE, || {
        Ok(send(stream, bytes, SendFlags::MORE)?)
    })
}

#[cfg(not(target_os = "linux"))]
fn write_before_more(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    stream.try_write(bytes)
}

/// Wakes the task that polls it at a given time; created when it is first polled.
#[derive(Debug, Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Returns whether the time that the first poll set has come.
    fn poll(&mut self, context: &mut Context<'_>, until: impl FnOnce() -> Instant) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(until())));
        sleep.as_mut().poll(context).is_ready()
    }

    /// Returns whether a time has come that may differ from call to call. A later time is set only when the earlier one
    /// comes, since most never do: every write postpones the deadline of the next request.
    fn poll_until(&mut self, context: &mut Context<'_>, until: Instant) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if Instant::now() >= until {
                return true;
            }
            sleep.as_mut().reset(until);
        }
        false
    }
}
