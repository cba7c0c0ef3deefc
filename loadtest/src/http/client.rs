//! One keep-alive connection to the server.
//!
//! A general HTTP client costs several times what the answer costs the server, and would be measured with it. This one
//! writes a prepared request, reads up to the end of the answer and throws the bytes away, up to a beginning that the
//! caller wants to see. A connection that the server closes, or that breaks, is opened again for the next request.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use thiserror::Error;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::response::{Body, Head, ResponseError};

/// Bytes that one read may take.
const READ_SIZE: usize = 64 * 1024;

/// The longest head, or line between two chunks.
const MAX_UNPARSED: usize = 64 * 1024;

/// Bytes of an archive that are sent at a time.
const SEND_SIZE: usize = 256 * 1024;

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

/// The server's answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// `Debug-Time`: how long the server says that the lookup took.
    pub(crate) debug_time: Option<Duration>,
    /// `Location` of a redirect.
    pub(crate) location: Option<String>,
    /// Length of the body as it was sent, framing of chunks included.
    pub(crate) body_length: u64,
    /// The body as it was sent, up to the length that was asked for.
    pub(crate) beginning: Vec<u8>,
}

/// A request whose body is an archive between two pieces of a form.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    /// The head, and the form up to the archive.
    pub(crate) before: &'a [u8],
    /// The archive, at its beginning.
    pub(crate) archive: &'a mut File,
    /// The end of the form.
    pub(crate) after: &'a [u8],
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

    /// Sends `request`, reads the whole answer, and keeps up to `keep` bytes of its body.
    ///
    /// After an error, and when the future is dropped midway, the next exchange opens a new connection.
    pub(crate) async fn exchange(
        &mut self,
        request: &[u8],
        keep: usize,
    ) -> Result<Answer, ClientError> {
        let mut stream = self.connected().await?;
        stream.write_all(request).await?;
        let (answer, keep_alive) = receive(&mut stream, &mut self.buffer, keep).await?;
        if keep_alive {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    /// Sends an archive. A server that refuses may answer before it has read everything; then its answer counts, and
    /// the rest of the archive is not sent.
    pub(crate) async fn upload(
        &mut self,
        upload: Upload<'_>,
        keep: usize,
    ) -> Result<Answer, ClientError> {
        let mut stream = self.connected().await?;
        let (answer, keep_alive) = {
            let (mut reader, mut writer) = stream.split();
            let sending = std::pin::pin!(send(&mut writer, upload));
            let mut receiving = std::pin::pin!(receive(&mut reader, &mut self.buffer, keep));
            tokio::select! {
                early = &mut receiving => (early?.0, false),
                sent = sending => match (receiving.await, sent) {
                    (Ok(received), Ok(())) => received,
                    (Ok((answer, _)), Err(_)) => (answer, false),
                    (Err(_), Err(broken)) => return Err(broken.into()),
                    (Err(error), Ok(())) => return Err(error),
                },
            }
        };
        if keep_alive {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    async fn connected(&mut self) -> Result<TcpStream, ClientError> {
        if let Some(stream) = self.stream.take() {
            return Ok(stream);
        }
        self.buffer.clear();
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(ClientError::Connect)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

async fn send(writer: &mut (impl AsyncWrite + Unpin), upload: Upload<'_>) -> io::Result<()> {
    writer.write_all(upload.before).await?;
    let mut piece = vec![0; SEND_SIZE];
    loop {
        let length = upload.archive.read(&mut piece).await?;
        if length == 0 {
            break;
        }
        writer.write_all(&piece[..length]).await?;
    }
    writer.write_all(upload.after).await
}

/// Reads one answer; also returns whether the connection can be used again.
async fn receive(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    keep: usize,
) -> Result<(Answer, bool), ClientError> {
    let mut head = loop {
        if read(reader, buffer).await? == 0 {
            return Err(ClientError::Truncated);
        }
        if let Some(head) = Head::parse(buffer)? {
            buffer.advance(head.length);
            break head;
        }
    };
    let mut answer = Answer {
        status: head.status,
        debug_time: head.debug_time,
        location: head.location,
        body_length: 0,
        beginning: Vec::new(),
    };
    loop {
        let used = head.body.consume(buffer)?;
        answer.body_length += used as u64;
        let kept = used.min(keep - answer.beginning.len());
        answer.beginning.extend_from_slice(&buffer[..kept]);
        buffer.advance(used);
        if head.body == Body::Complete {
            return Ok((answer, head.keep_alive));
        }
        if read(reader, buffer).await? == 0 {
            let ends_here = head.body == Body::UntilClose;
            return if ends_here {
                Ok((answer, false))
            } else {
                Err(ClientError::Truncated)
            };
        }
    }
}

/// Adds what has arrived to the buffer; 0 at the end of the connection.
async fn read(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<usize, ClientError> {
    if buffer.len() > MAX_UNPARSED {
        return Err(ClientError::TooLong);
    }
    buffer.reserve(READ_SIZE);
    Ok(reader.read_buf(buffer).await?)
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
            assert_eq!(client.exchange(REQUEST, 0).await.unwrap().status, status);
        }
    }

    #[tokio::test]
    async fn a_connection_that_the_server_closes_is_opened_again() {
        let closing = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let endless = "HTTP/1.1 200 OK\r\n\r\nup to the end";
        let mut client =
            Client::new(server(vec![vec![closing], vec![endless], vec![closing]]).await);
        for _ in 0..3 {
            assert_eq!(client.exchange(REQUEST, 0).await.unwrap().status, 200);
        }
    }

    #[tokio::test]
    async fn half_an_answer_is_an_error_and_the_next_one_is_whole() {
        let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let mut client = Client::new(server(vec![vec![half], vec![whole]]).await);
        assert!(matches!(
            client.exchange(REQUEST, 0).await,
            Err(ClientError::Truncated)
        ));
        assert_eq!(client.exchange(REQUEST, 0).await.unwrap().status, 200);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = Client::new(address).exchange(REQUEST, 0).await.unwrap_err();
        assert!(matches!(error, ClientError::Connect(_)));
    }

    #[tokio::test]
    async fn headers_beside_the_status_are_read() {
        let found = "HTTP/1.1 302 Found\r\nLocation: http://store/a\r\n\
                     Debug-Time: 0.0025\r\nContent-Length: 5\r\n\r\nmoved";
        let mut client = Client::new(server(vec![vec![found]]).await);
        let answer = client.exchange(REQUEST, 3).await.unwrap();
        assert_eq!(answer.location.as_deref(), Some("http://store/a"));
        assert_eq!(answer.debug_time, Some(Duration::from_micros(2500)));
        assert_eq!((answer.body_length, answer.beginning), (5, b"mov".to_vec()));
    }

    #[tokio::test]
    async fn a_refusal_before_the_end_of_an_archive_is_an_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = Client::new(listener.local_addr().unwrap());
        let refusing = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}";
            stream.write_all(answer).await.unwrap();
            stream
        };
        // More than the buffers of both sides hold, so that sending cannot end.
        let archive = tempfile::tempfile().unwrap();
        archive.set_len(64 * 1024 * 1024).unwrap();
        let mut archive = File::from_std(archive);
        let upload = Upload {
            before: b"POST /upload/ HTTP/1.1\r\n\r\n",
            archive: &mut archive,
            after: b"",
        };
        let (answer, _stream) = tokio::join!(client.upload(upload, 10), refusing);
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.beginning), (413, b"{}".to_vec()));
    }
}
