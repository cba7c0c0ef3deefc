//! The HTTP server: connections, workers, and the application on each of them.
//!
//! It is assembled from the library's parts instead of its `HttpServer`, which offers no hooks for the work of
//! `connection` and `answering`.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{Extensions, HttpService};
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service};
use actix_web::App;
use actix_web::web::Data;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::answering::{answering, expecting};
use super::connection::{Connection, REST_TIME, TimeLimits};
use crate::http::{self, HttpServices, Observation, ServerConfig};

/// The log target of the library's connections. It reports what it cannot read, which is the client's mistake, as an
/// error. What it reports beside that is logged by this program, too.
pub const SILENCED: &str = "actix_http::h1::dispatcher";

/// How long closing a connection may take, including the rest of a body that is not read.
const DISCONNECT_DEADLINE: Duration = REST_TIME.saturating_add(Duration::from_secs(3));

/// Starts the HTTP server on the listener. The returned future ends when the server has stopped.
///
/// # Errors
/// The listener cannot be used.
pub(super) fn start(
    settings: &ServerConfig,
    listener: TcpListener,
    services: HttpServices,
    observation: Data<Observation>,
    stop: CancellationToken,
) -> io::Result<Server> {
    let application = move || {
        App::new()
            .app_data(observation.clone())
            .wrap(actix_web::middleware::from_fn(http::observe))
            .configure(|app| http::configure(&services, app))
            .into_factory()
    };
    let mut builder = Server::build()
        .max_concurrent_connections(settings.connections)
        .shutdown_timeout(settings.grace.as_secs())
        .shutdown_signal(stop.cancelled_owned());
    if settings.workers > 0 {
        builder = builder.workers(settings.workers);
    }
    let (head, keep_alive) = (settings.head, settings.keep_alive);
    let limits = TimeLimits {
        next_head: keep_alive + head,
        write: settings.write_idle,
    };
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen("http", listener, move || {
        let stopping = stopping.clone();
        let protocol = HttpService::build()
            // Idle connections are closed when the server stops, as `HttpServer` does.
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .client_request_timeout(head)
            .keep_alive(keep_alive)
            .client_disconnect_timeout(DISCONNECT_DEADLINE)
            .on_connect_ext(|connection: &Connection, data: &mut Extensions| {
                data.insert(connection.line());
                data.insert(connection.outlet());
            })
            .expect(expecting(application()))
            .h1(answering(application()));
        fn_service(move |stream: TcpStream| async move {
            send_at_once(&stream);
            let peer = stream.peer_addr().ok();
            Ok::<_, DispatchError>((Connection::new(stream, limits), peer))
        })
        .and_then(protocol)
    })?;
    Ok(builder.run())
}

/// Disables Nagle's algorithm, so that the head of an answer and its body are sent as they are written. Otherwise the
/// kernel holds the body back until the client has acknowledged the head, which clients delay by up to 40 ms.
fn send_at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(event = "slow_connection", %error, "could not disable Nagle's algorithm of a connection");
    }
}
