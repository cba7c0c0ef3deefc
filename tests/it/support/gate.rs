//! A way to a service that the test can close, or leave open with nobody behind it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// They reach the service.
    Open,
    /// They are closed at once, and those that were open are cut.
    Cut,
    /// They are taken and nothing ever comes.
    Silent,
}

/// Passes connections on to a service, or not.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    way: Arc<watch::Sender<Way>>,
}

impl Gate {
    /// Opens a way to a service.
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

async fn pass(mut client: TcpStream, service: String, mut way: watch::Receiver<Way>) {
    let now = *way.borrow_and_update();
    if now == Way::Open
        && let Ok(mut behind) = TcpStream::connect(service).await
    {
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut behind) => return,
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
