//! A connection that waits for no client for ever.
//!
//! The HTTP library reads the rest of a body that nobody wants for as long as it comes, waits without end for a second
//! head that has begun, and for a client that takes nothing of its answer. A [`Connection`] stands between it and the
//! socket. The [`Line`] that they share tells what is awaited from the client: while a request is being answered,
//! whoever reads its body holds the client to its pace; before the next request there is a deadline; and after an
//! answer that came before the end of its request's body, the client may send a little more, so that it has the time
//! to read the answer, and then finds the connection closed.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::http::Outlet;

/// How much more a client may send that was answered before the end of its body, in bytes. What it has on the way when
/// it is answered has to be taken: a connection that is closed with unread bytes is reset, and some systems throw away
/// an answer that was not read by then.
const REST: usize = 1024 * 1024;

/// For how long it may do so.
pub(super) const REST_TIME: Duration = Duration::from_secs(2);

/// How long clients may keep a connection waiting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Between the answer and the end of the next request's head.
    pub(super) next_head: Duration,
    /// Without taking anything of an answer.
    pub(super) write: Duration,
}

/// What is awaited from the client.
#[derive(Clone, Copy, Debug)]
enum Awaited {
    /// The first request; or nothing, while a request is being answered.
    Request,
    /// The next request, until then.
    Next(Instant),
    /// The rest of a body that nobody wants: so many bytes, until then.
    Rest(usize, Instant),
}

/// What a connection and the answers on it know of each other.
#[derive(Clone, Debug)]
pub(super) struct Line {
    awaited: Rc<Cell<Awaited>>,
    patience: Patience,
}

impl Line {
    /// A request has come and is being answered.
    pub(super) fn begin(&self) {
        self.awaited.set(Awaited::Request);
    }

    /// The answer begins, and the request's body has been read to its end.
    pub(super) fn await_next(&self) {
        let until = Instant::now() + self.patience.next_head;
        self.awaited.set(Awaited::Next(until));
    }

    /// The answer begins, and there is more of the request's body.
    pub(super) fn await_rest(&self) {
        let until = Instant::now() + REST_TIME;
        self.awaited.set(Awaited::Rest(REST, until));
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
    pub(super) fn new(stream: TcpStream, patience: Patience) -> Self {
        let awaited = Rc::new(Cell::new(Awaited::Request));
        Self {
            stream,
            line: Line { awaited, patience },
            outlet: Outlet::default(),
            read_timer: Timer::default(),
            write_timer: Timer::default(),
        }
    }

    /// What the answers on this connection have to know.
    pub(super) fn line(&self) -> Line {
        self.line.clone()
    }

    /// Where the answers on this connection may leave parts of files to be sent.
    pub(super) fn outlet(&self) -> Outlet {
        self.outlet.clone()
    }

    /// Sees to it that the library looks for more from the client when the time for it is over: it has looked for it
    /// for the last time before the answer, which set that time.
    fn watch(&mut self, context: &mut Context<'_>) {
        if let Awaited::Next(until) | Awaited::Rest(_, until) = self.line.awaited.get()
            && self.read_timer.poll_until(context, until)
        {
            context.waker().wake_by_ref();
        }
    }

    /// Writes bytes that a part of a file follows, so that they travel together.
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

    /// Sends the part of a file that a body has left, and then lets the body go on.
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

    /// Waits for the client to take more of its answer.
    fn poll_stalled<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let patience = self.line.patience.write;
        if self.write_timer.poll(context, || Instant::now() + patience) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }

    /// Takes note that the client took something, or that there was nothing for it.
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
            // To the library the client has closed its side.
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        match awaited {
            Awaited::Request => read,
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

/// Writes as much as a socket takes, which may wait in the kernel for what is written next.
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

/// Wakes whoever polls it at a time; made only when it is first waited for.
#[derive(Debug, Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Tells whether the time has come that was set when this was polled first.
    fn poll(&mut self, context: &mut Context<'_>, until: impl FnOnce() -> Instant) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(until())));
        sleep.as_mut().poll(context).is_ready()
    }

    /// Tells whether a time has come that may be another one at each call. A later one is set when the one before it
    /// comes, since most do not come: every write puts off the time for the next request.
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
