//! Builds the servers of the two listeners.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_http::HttpService;
use actix_server::Server;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::{AppConfig, Service as _, ServiceRequest};
use actix_web::http::ConnectionType;
use actix_web::middleware::{Logger, from_fn};
use actix_web::web::Data;
use actix_web::{App, Error};
use tokio_rustls::TlsAcceptor;

use super::connection::{self, Opening};
use super::{AppState, Certificates, Drain, collect_api, docs, early, management, measure};

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
    /// What a client has to take of an answer.
    pub limits: connection::Limits,
    /// How long uploads in flight may take to finish when the server stops.
    pub shutdown_grace: Duration,
}

/// How long the connection stays open after an answer that was given before the body was read (see `early.rs`).
const LINGER: Duration = Duration::from_secs(8);
/// How long a client may take for a request's head.
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
    let app = move || {
        let draining = Arc::clone(&draining);
        App::new()
            .app_data(Data::clone(&state))
            .app_data(Data::clone(&mcp))
            .app_data(api)
            .configure(routes)
            .wrap(from_fn(early::answer_early))
            .wrap(from_fn(measure::measure))
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
    };
    let tls = match settings.certificates {
        None => None,
        Some(certificates) => {
            let config = certificates.server_config().map_err(io::Error::other)?;
            Some(TlsAcceptor::from(Arc::new(config)))
        }
    };
    let opening = Opening { tls, limits: settings.limits };
    let builder = Server::build().shutdown_timeout(settings.shutdown_grace.as_secs()).disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let connections = move || {
        let (opening, stopping) = (opening.clone(), stopping.clone());
        // The configuration is for those who read it; nothing here does.
        let app =
            map_config(app().into_factory().map_err(|e: Error| e.error_response()), |_| AppConfig::default());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(REQUEST_HEAD)
            .client_disconnect_timeout(LINGER)
            .on_connect_ext(|stream: &connection::Patient, data| {
                data.insert(stream.end());
            })
            .finish(app);
        fn_service(move |tcp| connection::open(tcp, opening.clone())).and_then(http.map_err(|_| ()))
    };
    let server = builder.listen(api.name(), settings.listener, connections)?;
    Ok(Served { address, server: server.run(), drain })
}
