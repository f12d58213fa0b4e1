//! Builds the servers of the two listeners.

use std::borrow::Cow;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_http::HttpService;
use actix_server::Server;
use actix_service::{
    IntoServiceFactory as _, ServiceFactory as _, ServiceFactoryExt as _, fn_factory, fn_service, map_config,
};
use actix_web::dev::{AppConfig, Service as _, ServiceRequest};
use actix_web::http::ConnectionType;
use actix_web::middleware::{Logger, from_fn};
use actix_web::web::Data;
use actix_web::{App, Error};
use tokio::time::{Instant, sleep_until};

use super::api::Api;
use super::connections;
use super::framing;
use super::{Certificates, ListenerDrain, collect, docs, management};
use crate::http::app_state::AppState;
use crate::http::connections::{Connections, TimeoutStream, Tls};
use crate::http::framing::{MalformedRequestLog, SequentialStream};
use crate::http::listener_drain::FIRST_REQUEST_TIMEOUT;
use crate::http::middleware::{request_metrics, stray_slashes, unread_body};

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

/// The request line for the log. The query is omitted, because it may contain a signature. Method and path are cut at
/// lengths that no route reaches: a client can send 64 KiB.
fn request_line(request: &ServiceRequest) -> String {
    let (method, path) = (cut(request.method().as_str(), 20), cut(request.path(), 200));
    format!("{method} {path} {:?}", request.version())
}

/// The first `max` characters.
fn cut(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

/// Builds the server of one of the APIs.
pub fn serve(api: Api, state: Data<AppState>, settings: ServerSettings) -> io::Result<ApiServer> {
    let address = settings.listener.local_addr()?;
    let drain = ListenerDrain::new(&settings.listener)?;
    let draining = drain.begun();
    let routes = match api {
        Api::Collect => collect::routes,
        Api::Management => management::routes,
    };
    let metrics = state.vault.metrics.connections.clone();
    let tls = match settings.certificates {
        None => None,
        Some(certificates) => {
            let acceptor = certificates.acceptor().map_err(io::Error::other)?;
            Some(Tls::new(api.name(), acceptor, state.trusted_proxies.clone(), metrics.clone()))
        }
    };
    let malformed_log = Arc::new(MalformedRequestLog::new(api, state.vault.metrics.clone()));
    let mcp = Data::new(docs::Mcp::new(&state.addresses));
    let app = move || {
        let draining = Arc::clone(&draining);
        App::new()
            .app_data(Data::clone(&state))
            .app_data(Data::clone(&mcp))
            .app_data(api)
            .configure(routes)
            .wrap(from_fn(unread_body::deliver_early_response))
            .wrap(from_fn(request_metrics::record_request_metrics))
            .wrap_fn(|mut request, service| {
                stray_slashes::remove_stray_slashes(&mut request);
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
            .wrap(from_fn(framing::one_request_at_a_time))
            // Headers and queries carry secrets, so neither is ever logged.
            .wrap(Logger::new("%a \"%{line}xi\" %s %bB %Ts").custom_request_replace("line", request_line))
    };
    let abort_log = Arc::default();
    let connections = Arc::new(Connections {
        api: api.name(),
        tls,
        response_timeouts: settings.response_timeouts,
        abort_log,
        malformed_log,
        metrics,
    });
    let workers = available_parallelism().map_or(2, NonZeroUsize::get).min(MAX_WORKERS);
    let per_worker = (settings.max_connections / workers).clamp(1, MAX_CONNECTIONS_PER_WORKER);
    connections.metrics.show_most(api.name(), per_worker * workers);
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(per_worker)
        .shutdown_timeout(settings.shutdown_grace.as_secs())
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let service = move || {
        let (connections, stopping) = (Arc::clone(&connections), stopping.clone());
        // No code here reads the configuration.
        let app = map_config(app().into_factory().map_err(|e: Error| e.error_response()), |()| {
            AppConfig::default()
        });
        let http = HttpService::build()
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
            .finish(app);
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
    };
    let server = builder.listen(api.name(), settings.listener, service)?;
    Ok(ApiServer { address, server: server.run(), drain })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_log_shows_the_beginning_of_a_long_path_and_no_query() {
        let line = |uri: &str| request_line(&TestRequest::with_uri(uri).to_srv_request());
        assert_eq!(line("/api/health?x=y"), "GET /api/health HTTP/1.1");
        let path = format!("/{}", "a".repeat(199));
        assert_eq!(line(&path), format!("GET {path} HTTP/1.1"));
        assert_eq!(line(&format!("{path}bcd")), format!("GET {path}... HTTP/1.1"));
    }
}
