//! The listener.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Logger, from_fn};
use actix_web::web::Data;
use actix_web::{App, HttpServer};

use super::{AppState, Certificates, collect_api, early};

/// How the server listens and stops.
pub struct ServerSettings {
    pub listen: SocketAddr,
    /// `None`: plain HTTP.
    pub certificates: Option<Arc<Certificates>>,
    /// How long uploads in flight may take to finish when the server stops.
    pub shutdown_grace: Duration,
}

/// How long an early answer may take to reach a client that is still sending.
const LINGER: Duration = Duration::from_secs(8);
const REQUEST_HEAD: Duration = Duration::from_secs(15);
const KEEP_ALIVE: Duration = Duration::from_secs(75);
const BACKLOG: u32 = 4096;

/// Binds and builds the server; it runs when it is awaited. Gives the address it listens on.
pub fn serve(state: Data<AppState>, settings: &ServerSettings) -> io::Result<(SocketAddr, Server)> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::clone(&state))
            .configure(collect_api)
            .wrap(from_fn(early::answer_early))
            // Never a header: they carry secrets.
            .wrap(Logger::new("%a \"%r\" %s %bB %Ts"))
    })
    .client_disconnect_timeout(LINGER)
    .client_request_timeout(REQUEST_HEAD)
    .tls_handshake_timeout(REQUEST_HEAD)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(settings.shutdown_grace.as_secs())
    .backlog(BACKLOG)
    .disable_signals();
    let server = match &settings.certificates {
        None => server.bind(settings.listen)?,
        Some(certificates) => {
            let config = certificates.server_config().map_err(io::Error::other)?;
            server.bind_rustls_0_23(settings.listen, config)?
        }
    };
    let address = server.addrs().first().copied().unwrap_or(settings.listen);
    Ok((address, server.run()))
}
