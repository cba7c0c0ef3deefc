//! A way to a service that the test can close, spoil, or leave open with nobody behind it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

use super::random_bytes;

/// What happens to connections. Those that are open when it changes are cut, unless they fall silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// They reach the service.
    Open,
    /// They are closed at once.
    Cut,
    /// They are taken and nothing ever comes.
    Silent,
    /// They reach the service, and every answer takes its time.
    Slow,
    /// They reach the service, and are cut in the middle of an answer.
    Halved,
    /// What answers is not the service.
    Garbage,
}

/// How long a piece of a slow answer takes.
const DELAY: Duration = Duration::from_millis(50);

/// How many bytes of the answers of a halved connection arrive.
const HALF: usize = 100;

/// Passes connections on to a service, or not.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    way: Arc<watch::Sender<Way>>,
}

impl Gate {
    /// Opens a way to a service: an address, or the path of a socket.
    pub(crate) async fn to(service: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = Arc::new(watch::Sender::new(Way::Open));
        let ways = Arc::clone(&way);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, service.clone(), ways.subscribe()));
            }
        });
        Self { address, way }
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

async fn connect(service: &str) -> std::io::Result<Box<dyn Stream>> {
    Ok(if service.starts_with('/') {
        Box::new(UnixStream::connect(service).await?)
    } else {
        Box::new(TcpStream::connect(service).await?)
    })
}

async fn pass(mut client: TcpStream, service: String, mut way: watch::Receiver<Way>) {
    let now = *way.borrow_and_update();
    let passing = async {
        match now {
            Way::Cut | Way::Silent => {}
            Way::Garbage => answer_garbage(&mut client).await?,
            Way::Open => {
                let mut behind = connect(&service).await?;
                copy_bidirectional(&mut client, &mut *behind).await?;
            }
            Way::Slow | Way::Halved => {
                let mut behind = connect(&service).await?;
                exchange(&mut client, &mut *behind, now).await?;
            }
        }
        std::io::Result::Ok(())
    };
    if now != Way::Silent {
        tokio::select! {
            _ = passing => return,
            _ = way.changed() => {}
        }
    }
    // A silent way keeps the connection until it becomes another.
    while *way.borrow_and_update() == Way::Silent {
        if way.changed().await.is_err() {
            return;
        }
    }
}

async fn answer_garbage(client: &mut TcpStream) -> std::io::Result<()> {
    client.read_u8().await?;
    client.write_all(&random_bytes(1000, 7)).await
}

/// Passes requests on at once, and answers slowly or up to the half.
async fn exchange(
    client: &mut TcpStream,
    behind: &mut dyn Stream,
    way: Way,
) -> std::io::Result<()> {
    let (mut asks, mut hears) = client.split();
    let (mut answers, mut takes) = tokio::io::split(behind);
    let answering = async {
        let (mut piece, mut left) = ([0; 4096], HALF);
        loop {
            let length = answers.read(&mut piece).await?;
            if length == 0 {
                return Ok(());
            }
            let sent = if way == Way::Slow {
                tokio::time::sleep(DELAY).await;
                length
            } else {
                length.min(left)
            };
            hears.write_all(&piece[..sent]).await?;
            left = left.saturating_sub(sent);
            if way == Way::Halved && left == 0 {
                return Ok(());
            }
        }
    };
    tokio::select! {
        copied = tokio::io::copy(&mut asks, &mut takes) => copied.map(drop),
        answered = answering => answered,
    }
}
