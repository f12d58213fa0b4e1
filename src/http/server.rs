//! Builds the servers of the two listeners.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::dev::{Server, Service as _, ServiceRequest};
use actix_web::http::ConnectionType;
use actix_web::middleware::{Logger, from_fn};
use actix_web::web::Data;
use actix_web::{App, HttpServer};

use super::{AppState, Certificates, Drain, collect_api, docs, early, management, measure, paths};

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// For appliances, with Basic auth.
    Collect,
    /// For portals and automation, with bearer tokens.
    Management,
}

impl Api {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::Management => "management",
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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

/// How long the connection stays open after an answer that was given before the body was read (see `early.rs`).
const LINGER: Duration = Duration::from_secs(8);
/// How long a client may take for its TLS handshake, and for a request's head.
const REQUEST_HEAD: Duration = Duration::from_secs(15);
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// A server that is ready: it runs when it is awaited.
pub struct Served {
    /// What it listens on.
    pub address: SocketAddr,
    pub server: Server,
    /// To be run before the server is stopped.
    pub drain: Drain,
}

/// The request's line for the log. The query is left out, because it may be a signature.
fn request_line(request: &ServiceRequest) -> String {
    format!("{} {} {:?}", request.method(), request.path(), request.version())
}

/// Builds the server of one of the APIs.
pub fn serve(api: Api, state: Data<AppState>, settings: ServerSettings) -> io::Result<Served> {
    let address = settings.listener.local_addr()?;
    let drain = Drain::of(&settings.listener)?;
    let draining = drain.begun();
    let routes = match api {
        Api::Collect => collect_api,
        Api::Management => management::routes,
    };
    let mcp = Data::new(docs::Mcp::new(&state.addresses));
    let server = HttpServer::new(move || {
        let draining = Arc::clone(&draining);
        App::new()
            .app_data(Data::clone(&state))
            .app_data(Data::clone(&mcp))
            .app_data(api)
            .configure(routes)
            .wrap(from_fn(early::answer_early))
            .wrap(from_fn(measure::measure))
            .wrap_fn(|mut request, service| {
                paths::without_stray_slashes(&mut request);
                service.call(request)
            })
            .wrap_fn(move |request, service| {
                let (answer, draining) = (service.call(request), Arc::clone(&draining));
                async move {
                    let mut answer = answer.await?;
                    if draining.load(Ordering::Relaxed) {
                        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
                    }
                    Ok(answer)
                }
            })
            // Headers and queries carry secrets, so neither is ever logged.
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
    Ok(Served { address, server: server.run(), drain })
}
