//! The listener.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::dev::{Server, Service as _};
use actix_web::http::ConnectionType;
use actix_web::middleware::{Logger, from_fn};
use actix_web::web::Data;
use actix_web::{App, HttpServer};

use super::{AppState, Certificates, Door, collect_api, early};

/// How the server listens and stops.
pub struct ServerSettings {
    pub listener: TcpListener,
    /// `None`: plain HTTP.
    pub certificates: Option<Arc<Certificates>>,
    /// How long uploads in flight may take to finish when the server stops.
    pub shutdown_grace: Duration,
}

/// How long an early answer may take to reach a client that is still sending.
const LINGER: Duration = Duration::from_secs(8);
const REQUEST_HEAD: Duration = Duration::from_secs(15);
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Builds the server; it runs when it is awaited. Gives the address it listens on, and what has to be closed
/// before the server is stopped.
pub fn serve(state: Data<AppState>, settings: ServerSettings) -> io::Result<(SocketAddr, Server, Door)> {
    let address = settings.listener.local_addr()?;
    let door = Door::of(&settings.listener)?;
    let closing = door.closing();
    let server = HttpServer::new(move || {
        let closing = Arc::clone(&closing);
        App::new()
            .app_data(Data::clone(&state))
            .configure(collect_api)
            .wrap(from_fn(early::answer_early))
            .wrap_fn(move |request, service| {
                let (answer, closing) = (service.call(request), Arc::clone(&closing));
                async move {
                    let mut answer = answer.await?;
                    if closing.load(Ordering::Relaxed) {
                        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
                    }
                    Ok(answer)
                }
            })
            // Never a header: they carry secrets.
            .wrap(Logger::new("%a \"%r\" %s %bB %Ts"))
    })
    .client_disconnect_timeout(LINGER)
    .client_request_timeout(REQUEST_HEAD)
    .tls_handshake_timeout(REQUEST_HEAD)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(settings.shutdown_grace.as_secs())
    .disable_signals();
    let server = match settings.certificates {
        None => server.listen(settings.listener)?,
        Some(certificates) => {
            let config = certificates.server_config().map_err(io::Error::other)?;
            server.listen_rustls_0_23(settings.listener, config)?
        }
    };
    Ok((address, server.run(), door))
}
