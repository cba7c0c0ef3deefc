//! A connection that says exactly what the test says.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::PATIENCE;

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl RawAnswer {
    /// The answer, if the bytes hold all of it.
    fn whole(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let headers: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers.get("content-length")?.parse().unwrap();
        (body.len() >= length).then(|| Self {
            status,
            headers,
            body: body.to_owned(),
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("{} is not JSON: {}", self.status, self.body))
    }
}

pub(crate) struct RawConnection {
    stream: TcpStream,
}

impl RawConnection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// One answer, of a length that it tells; the connection stays open.
    pub(crate) async fn read_answer(&mut self) -> RawAnswer {
        let mut bytes = Vec::new();
        let reading = async {
            loop {
                if let Some(answer) = RawAnswer::whole(&bytes) {
                    return answer;
                }
                let count = self.stream.read_buf(&mut bytes).await.unwrap();
                assert!(
                    count > 0,
                    "closed after {:?}",
                    String::from_utf8_lossy(&bytes)
                );
            }
        };
        let answered = tokio::time::timeout(PATIENCE, reading).await;
        answered.expect("the server answers")
    }

    /// Sends a piece again and again, without reading, until the server takes no more or so many bytes are sent. Tells
    /// how many were.
    pub(crate) async fn flood(&mut self, piece: &[u8], most: u64) -> u64 {
        let mut sent = 0;
        let flooding = async {
            while sent < most {
                let from = usize::try_from(sent).unwrap() % piece.len();
                match self.stream.write(&piece[from..]).await {
                    Ok(written) => sent += written as u64,
                    Err(_) => break,
                }
            }
        };
        let ended = tokio::time::timeout(PATIENCE, flooding).await;
        assert!(ended.is_ok(), "the server neither reads nor closes");
        sent
    }

    /// Tells whether the server has closed the connection, by sending another byte and without reading.
    pub(crate) fn is_closed(&self) -> bool {
        let written = self.stream.try_write(b"\n");
        written.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
    }

    /// What comes until an answer's head has ended.
    pub(crate) async fn read_head(&mut self) -> String {
        let mut head = Vec::new();
        let reading = async {
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.stream.read_u8().await.unwrap());
            }
        };
        let read = tokio::time::timeout(PATIENCE, reading).await;
        assert!(read.is_ok(), "the server did not answer");
        String::from_utf8(head).unwrap()
    }

    /// Reads the body that a head announces.
    pub(crate) async fn read_body(&mut self, head: &str) -> Vec<u8> {
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        self.stream.read_exact(&mut body).await.unwrap();
        body
    }

    /// Sends nothing more, but still reads.
    pub(crate) async fn close_writing(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Everything that comes until the connection ends, be it closed or reset.
    pub(crate) async fn read_to_close(&mut self) -> String {
        let mut bytes = Vec::new();
        let reading = self.stream.read_to_end(&mut bytes);
        let ended = tokio::time::timeout(PATIENCE, reading).await;
        assert!(ended.is_ok(), "the server did not close the connection");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
