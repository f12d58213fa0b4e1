//! The listeners.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServiceRequest};
use actix_web::middleware::{Logger, from_fn};
use actix_web::web::Data;
use actix_web::{App, HttpServer};

use super::{AppState, Certificates, collect_api, docs, early, management};

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// For appliances, with Basic auth.
    Collect,
    /// For portals and automation, with bearer tokens.
    Management,
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Collect => "collect",
            Self::Management => "management",
        })
    }
}

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

/// What was asked for, without the query: it may be a signature.
fn request_line(request: &ServiceRequest) -> String {
    format!("{} {} {:?}", request.method(), request.path(), request.version())
}

/// Builds the server; it runs when it is awaited. Gives the address it listens on.
pub fn serve(api: Api, state: Data<AppState>, settings: ServerSettings) -> io::Result<(SocketAddr, Server)> {
    let address = settings.listener.local_addr()?;
    let routes = match api {
        Api::Collect => collect_api,
        Api::Management => management::routes,
    };
    let mcp = Data::new(docs::Mcp::new(&state.places));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::clone(&state))
            .app_data(Data::clone(&mcp))
            .configure(routes)
            .wrap(from_fn(early::answer_early))
            // Never a header, and never a query: they carry secrets.
            .wrap(Logger::new("%a \"%{line}xi\" %s %bB %Ts").custom_request_replace("line", request_line))
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
    Ok((address, server.run()))
}
