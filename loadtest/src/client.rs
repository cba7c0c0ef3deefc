//! One keep-alive connection to the server.
//!
//! A general HTTP client costs several times what the answer costs the server, and would be measured with it. This one
//! writes a prepared request, reads up to the end of the answer and throws the bytes away. A connection that the server
//! closes, or that breaks, is opened again for the next request.

use std::io;
use std::net::SocketAddr;

use bytes::{Buf as _, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::response::{Body, Head, ResponseError};

/// Bytes that one read may take.
const READ_SIZE: usize = 64 * 1024;

/// The longest head, or line between two chunks.
const MAX_UNPARSED: usize = 64 * 1024;

/// An exchange that brought no answer.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    /// No connection could be opened.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[from] io::Error),
    /// The server closed the connection before the answer was complete.
    #[error("the connection was closed before the answer was complete")]
    Truncated,
    /// The head, or a line between two chunks, is longer than any server's.
    #[error("a line of the answer has no end")]
    TooLong,
    /// The answer is not HTTP/1.1.
    #[error(transparent)]
    Response(#[from] ResponseError),
}

/// A connection that opens itself when it is needed.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    /// Absent before the first request, and after a connection ended.
    stream: Option<TcpStream>,
    buffer: BytesMut,
}

impl Client {
    /// A client that has not connected yet.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            buffer: BytesMut::new(),
        }
    }

    /// Sends `request`, reads the whole answer and returns its status.
    ///
    /// After an error, and when the future is dropped midway, the next exchange opens a new connection.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<u16, ClientError> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open().await.map_err(ClientError::Connect)?,
        };
        stream.write_all(request).await?;
        let mut head = self.read_head(&mut stream).await?;
        self.skip_body(&mut stream, &mut head.body).await?;
        if head.keep_alive {
            self.stream = Some(stream);
        }
        Ok(head.status)
    }

    async fn open(&mut self) -> io::Result<TcpStream> {
        self.buffer.clear();
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read_head(&mut self, stream: &mut TcpStream) -> Result<Head, ClientError> {
        loop {
            if self.read(stream).await? == 0 {
                return Err(ClientError::Truncated);
            }
            if let Some(head) = Head::parse(&self.buffer)? {
                self.buffer.advance(head.length);
                return Ok(head);
            }
        }
    }

    async fn skip_body(
        &mut self,
        stream: &mut TcpStream,
        body: &mut Body,
    ) -> Result<(), ClientError> {
        loop {
            let used = body.consume(&self.buffer)?;
            self.buffer.advance(used);
            if *body == Body::Complete {
                return Ok(());
            }
            if self.read(stream).await? == 0 {
                let ends_here = *body == Body::UntilClose;
                return if ends_here {
                    Ok(())
                } else {
                    Err(ClientError::Truncated)
                };
            }
        }
    }

    /// Adds what has arrived to the buffer; 0 at the end of the connection.
    async fn read(&mut self, stream: &mut TcpStream) -> Result<usize, ClientError> {
        if self.buffer.len() > MAX_UNPARSED {
            return Err(ClientError::TooLong);
        }
        self.buffer.reserve(READ_SIZE);
        Ok(stream.read_buf(&mut self.buffer).await?)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";

    /// Serves one connection after the other: each answers its requests with the given texts in turn, then closes.
    async fn server(connections: Vec<Vec<&'static str>>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for answers in connections {
                let (mut stream, _) = listener.accept().await.unwrap();
                for answer in answers {
                    let mut request = vec![0; REQUEST.len()];
                    stream.read_exact(&mut request).await.unwrap();
                    assert_eq!(request, REQUEST);
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
        address
    }

    #[tokio::test]
    async fn a_connection_serves_many_requests() {
        let answers = vec![
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        ];
        let mut client = Client::new(server(vec![answers]).await);
        for status in [200, 404, 302] {
            assert_eq!(client.exchange(REQUEST).await.unwrap(), status);
        }
    }

    #[tokio::test]
    async fn a_connection_that_the_server_closes_is_opened_again() {
        let closing = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let endless = "HTTP/1.1 200 OK\r\n\r\nup to the end";
        let mut client =
            Client::new(server(vec![vec![closing], vec![endless], vec![closing]]).await);
        for _ in 0..3 {
            assert_eq!(client.exchange(REQUEST).await.unwrap(), 200);
        }
    }

    #[tokio::test]
    async fn half_an_answer_is_an_error_and_the_next_one_is_whole() {
        let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let mut client = Client::new(server(vec![vec![half], vec![whole]]).await);
        assert!(matches!(
            client.exchange(REQUEST).await,
            Err(ClientError::Truncated)
        ));
        assert_eq!(client.exchange(REQUEST).await.unwrap(), 200);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = Client::new(address).exchange(REQUEST).await.unwrap_err();
        assert!(matches!(error, ClientError::Connect(_)));
    }
}
