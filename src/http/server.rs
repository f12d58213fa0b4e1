//! Builds the servers of the two listeners.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use actix_http::HttpService;
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{
    IntoServiceFactory as _, ServiceFactory, ServiceFactoryExt as _, fn_factory, fn_service, map_config,
};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Service as _, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, Error};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::api::Api;
use super::connections;
use super::framing;
use super::{Certificates, ListenerDrain, collect, docs, management};
use crate::http::app_state::AppState;
use crate::http::connections::{Connections, OpenedConnection, TimeoutStream, Tls};
use crate::http::framing::{MalformedRequestLog, SequentialStream};
use crate::http::listener_drain::FIRST_REQUEST_TIMEOUT;
use crate::http::middleware::{cors, request_record, stray_slashes, unread_body};

/// How the server listens and stops.
pub struct ServerSettings {
    pub listener: TcpListener,
    /// `None`: plain HTTP.
    pub certificates: Option<Arc<Certificates>>,
    /// The most connections at a time. Further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// How fast a client must read a response.
    pub response_timeouts: connections::ResponseTimeouts,
    /// How long open uploads may take to finish when the server stops.
    pub shutdown_grace: Duration,
}

/// How long the connection stays open after a response that was sent before the body was read (see
/// `middleware/unread_body.rs`).
const LINGER_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a client may take to send the head of a request.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(15);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(75);
/// The most connections of a worker at a time, however many files the process may open.
const MAX_CONNECTIONS_PER_WORKER: usize = 25_600;
/// The most workers that actix-server can have.
const MAX_WORKERS: usize = 512;

/// A server that is ready. It runs when it is awaited.
pub struct ApiServer {
    /// The address that it listens on.
    pub address: SocketAddr,
    pub server: Server,
    /// Must be run before the server is stopped.
    pub drain: ListenerDrain,
}

/// Builds the server of one of the APIs.
pub fn serve(api: Api, state: Data<AppState>, settings: ServerSettings) -> io::Result<ApiServer> {
    let address = settings.listener.local_addr()?;
    let drain = ListenerDrain::new(&settings.listener)?;
    let draining = drain.begun();
    let connections = Arc::new(connections(api, &state, &settings)?);
    let WorkerLimits { workers, connections_per_worker } = WorkerLimits::new(settings.max_connections);
    connections.metrics.show_most(api.name(), connections_per_worker * workers);
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(connections_per_worker)
        .shutdown_timeout(settings.shutdown_grace.as_secs())
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let mcp = Data::new(docs::Mcp::new(&state.addresses, Arc::clone(&state.documentation)));
    // actix-server calls this in each worker.
    let service = move || {
        let app = app(api, Data::clone(&state), Data::clone(&mcp), Arc::clone(&draining));
        connection_service(http_service(app, stopping.clone()), Arc::clone(&connections))
    };
    let server = builder.listen(api.name(), settings.listener, service)?;
    Ok(ApiServer { address, server: server.run(), drain })
}

/// Builds what turns an accepted connection into a byte stream.
fn connections(api: Api, state: &AppState, settings: &ServerSettings) -> io::Result<Connections> {
    let metrics = state.vault.metrics.connections.clone();
    let tls = match &settings.certificates {
        None => None,
        Some(certificates) => {
            let acceptor = certificates.acceptor().map_err(io::Error::other)?;
            Some(Tls::new(api.name(), acceptor, state.trusted_proxies.clone(), metrics.clone()))
        }
    };
    Ok(Connections {
        api: api.name(),
        tls,
        response_timeouts: settings.response_timeouts,
        abort_log: Arc::default(),
        malformed_log: Arc::new(MalformedRequestLog::new(api, state.vault.metrics.clone())),
        metrics,
    })
}

struct WorkerLimits {
    workers: usize,
    connections_per_worker: usize,
}

impl WorkerLimits {
    fn new(max_connections: usize) -> Self {
        let workers = available_parallelism().map_or(2, NonZeroUsize::get).min(MAX_WORKERS);
        let connections_per_worker = (max_connections / workers).clamp(1, MAX_CONNECTIONS_PER_WORKER);
        Self { workers, connections_per_worker }
    }
}

/// Builds the routes of the API and the middlewares around them. The middleware that is added last sees a request first.
fn app(
    api: Api,
    state: Data<AppState>,
    mcp: Data<docs::Mcp>,
    draining: Arc<AtomicBool>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + 'static>,
        Error = Error,
        InitError = (),
    >,
> {
    let routes = match api {
        Api::Collect => collect::routes,
        Api::Management => management::routes,
    };
    App::new()
        .app_data(state)
        .app_data(mcp)
        .app_data(api)
        .configure(routes)
        .wrap(from_fn(cors::allow_origins))
        .wrap(from_fn(unread_body::deliver_early_response))
        .wrap(from_fn(request_record::record_request))
        .wrap_fn(|mut request, service| {
            stray_slashes::remove_stray_slashes(&mut request);
            service.call(request)
        })
        .wrap_fn(move |request, service| {
            let (response, draining) = (service.call(request), Arc::clone(&draining));
            async move {
                let mut response = response.await?;
                if draining.load(Ordering::Relaxed) {
                    response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
                }
                Ok(response)
            }
        })
        .wrap(from_fn(framing::one_request_at_a_time))
}

/// Builds the service that parses HTTP/1.1 on the streams of connections, and passes the requests to the app.
fn http_service<S, B>(
    app: App<S>,
    stopping: GracefulShutdownSignal,
) -> impl ServiceFactory<OpenedConnection, Config = (), Response = (), InitError = ()>
where
    S: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let app = app.into_factory().map_err(|error: Error| error.error_response());
    // `AppConfig` is required by actix-web and not used here.
    let app = map_config(app, |()| AppConfig::default());
    HttpService::build()
        // If a handshake ends while the server stops, the first request of the connection is still answered.
        .graceful_shutdown_signal(move || {
            let (stopping, opened) = (stopping.clone(), Instant::now());
            async move {
                stopping.notified().await;
                sleep_until(opened + FIRST_REQUEST_TIMEOUT).await;
            }
        })
        .keep_alive(KEEP_ALIVE_TIMEOUT)
        .client_request_timeout(REQUEST_HEAD_TIMEOUT)
        .client_disconnect_timeout(LINGER_TIMEOUT)
        .on_connect_ext(|stream: &SequentialStream<TimeoutStream>, data| {
            data.insert(stream.exchange());
            data.insert(stream.get_ref().abort_signal());
        })
        .finish(app)
}

/// Builds the service that opens the stream of each accepted connection, and passes it to the HTTP service.
fn connection_service<H>(
    http: H,
    connections: Arc<Connections>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = (), InitError = ()>
where
    H: ServiceFactory<OpenedConnection, Config = (), Response = (), InitError = ()>,
    H::Service: 'static,
    H::Future: 'static,
{
    fn_factory(move || {
        let (http, connections) = (http.new_service(()), Arc::clone(&connections));
        async move {
            let http = Rc::new(http.await?);
            Ok::<_, ()>(fn_service(move |tcp| {
                let (http, connections) = (Rc::clone(&http), Arc::clone(&connections));
                async move { connections.serve(tcp, &*http).await }
            }))
        }
    })
}
