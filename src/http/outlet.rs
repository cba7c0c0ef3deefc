//! The way for parts of files past the HTTP library.
//!
//! The library takes the bytes of a body into a buffer of its own, from which they are written to the connection. A part
//! of a file need not be read for that: a body hands it to its connection's [`Outlet`] and gives the library nothing
//! until it has gone. The connection sends it when the library flushes, which it does after each look at a body, with
//! all that it has written before.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::task::Poll;

use crate::storage::{CachedPiece, SendError, StorageError};

/// Where the bodies of a connection leave what it is to send.
#[derive(Clone, Debug, Default)]
pub struct Outlet(Rc<RefCell<Held>>);

#[derive(Debug, Default)]
enum Held {
    #[default]
    Nothing,
    Piece(CachedPiece),
    Failure(StorageError),
}

impl Outlet {
    /// Hands a piece to the connection, and waits until it has gone.
    pub(super) async fn send(&self, piece: CachedPiece) -> Result<(), StorageError> {
        *self.0.borrow_mut() = Held::Piece(piece);
        // Whoever sends it wakes the task that it shares with the body.
        poll_fn(|_| match &*self.0.borrow() {
            Held::Piece(_) => Poll::Pending,
            Held::Nothing | Held::Failure(_) => Poll::Ready(()),
        })
        .await;
        match mem::take(&mut *self.0.borrow_mut()) {
            Held::Failure(error) => Err(error),
            Held::Nothing | Held::Piece(_) => Ok(()),
        }
    }

    /// Tells whether there is something to send.
    #[must_use]
    pub fn has_piece(&self) -> bool {
        matches!(*self.0.borrow(), Held::Piece(_))
    }

    /// Sends as much as a socket takes in one call. What is wrong with the file, the body is told.
    ///
    /// # Errors
    /// The socket does not take it, perhaps only for now (`WouldBlock`).
    pub fn send_some(&self, socket: impl AsFd) -> io::Result<()> {
        let mut held = self.0.borrow_mut();
        let Held::Piece(piece) = &mut *held else {
            return Ok(());
        };
        match piece.send_some(socket) {
            Ok(()) if piece.is_sent() => *held = Held::Nothing,
            Ok(()) => {}
            Err(SendError::File(error)) => *held = Held::Failure(error),
            Err(SendError::Socket(error)) => return Err(error),
        }
        Ok(())
    }
}
