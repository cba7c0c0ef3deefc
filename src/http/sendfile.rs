//! Sends parts of files to the socket without copying them through the HTTP library.
//!
//! The library copies the bytes of a body into a buffer of its own and writes them to the connection from there. A part
//! of a file need not be read for that: a body hands it to its connection's [`Outlet`] and gives the library nothing
//! until it has been sent. The connection sends it when the library flushes, which it does after each poll of a body,
//! after everything that the library has written before.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::task::Poll;

use crate::storage::{FilePart, StorageError};

/// Where a body leaves the part of a file that its connection sends next.
#[derive(Clone, Debug, Default)]
pub struct Outlet(Rc<RefCell<Held>>);

#[derive(Debug, Default)]
enum Held {
    #[default]
    Nothing,
    Piece(FilePart),
    Failure(StorageError),
}

impl Outlet {
    /// Hands a piece to the connection, and waits until it has been sent.
    pub(super) async fn send(&self, piece: FilePart) -> Result<(), StorageError> {
        *self.0.borrow_mut() = Held::Piece(piece);
        // The connection wakes the task that it shares with the body.
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

    /// Returns whether there is something to send.
    #[must_use]
    pub fn has_piece(&self) -> bool {
        matches!(*self.0.borrow(), Held::Piece(_))
    }

    /// Sends as much as a socket takes in one call. Errors of the file are reported to the body.
    ///
    /// # Errors
    /// The socket does not accept it, perhaps only for now (`WouldBlock`).
    pub fn send_some(&self, socket: impl AsFd) -> io::Result<()> {
        let mut held = self.0.borrow_mut();
        let Held::Piece(piece) = &mut *held else {
            return Ok(());
        };
        match piece.send_some(socket) {
            Ok(Ok(())) if piece.is_empty() => *held = Held::Nothing,
            Ok(sent) => return sent,
            Err(error) => *held = Held::Failure(error),
        }
        Ok(())
    }
}
