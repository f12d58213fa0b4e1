//! Binds the sockets of the two APIs, and starts the servers on them.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::web::Data;
use socket2::SockRef;

use super::StartError;
use crate::auth::bearer::TokenVerifier;
use crate::backups::Vault;
use crate::config::{Config, HttpConfig, ManagementConfig, settings_page};
use crate::fleet::Fleet;
use crate::http::{
    self, Api, ApiAddress, ApiAddresses, ApiServer, AppState, Certificates, Documentation, ListenerDrain,
    ResponseTimeouts, ServerSettings,
};

/// Length of the kernel's accept queue, in connections: a fleet that reconnects all at once must not be rejected. The kernel
/// limits it to `net.core.somaxconn`, which is 4096 by default.
const BACKLOG: i32 = 4096;

/// The connections that each API may have, in eighths of the descriptors that the process may have open. Two eighths remain
/// for objects and database sessions: clients that open connections must not prevent uploads.
const COLLECT_EIGHTHS: usize = 5;
const MANAGEMENT_EIGHTHS: usize = 1;

/// The listening sockets, before they are served.
pub(super) struct Listeners {
    collect: TcpListener,
    management: TcpListener,
}

impl Listeners {
    pub(super) fn bind(config: &Config) -> Result<Self, StartError> {
        Ok(Self {
            collect: bind("LISTEN_ADDRESS", config.http.listen)?,
            management: bind("MANAGEMENT_LISTEN_ADDRESS", config.management.listen)?,
        })
    }

    /// Builds the servers; they run when they are awaited. `max_files`: the descriptors that the process may have open.
    pub(super) fn serve(
        self,
        config: Config,
        vault: Arc<Vault>,
        fleet: Arc<Fleet>,
        tokens: Option<TokenVerifier>,
        certificates: Option<Arc<Certificates>>,
        max_files: usize,
    ) -> Result<Vec<(Server, ListenerDrain)>, StartError> {
        let for_management = management_certificates(&config.management, certificates.clone());
        let addresses = ApiAddresses {
            collect: api_address(&self.collect, certificates.is_some(), config.http.public_url)?,
            management: api_address(
                &self.management,
                for_management.is_some(),
                config.management.public_url,
            )?,
        };
        let trusted_proxies = config.http.trusted_proxies;
        let cors_origins = config.management.cors_origins;
        let documentation = Arc::new(Documentation::new(settings_page()));
        let state = Data::new(AppState {
            vault,
            fleet,
            trusted_proxies,
            tokens,
            cors_origins,
            addresses,
            documentation,
        });
        let shutdown_grace = config.http.shutdown_grace;
        let response_timeouts =
            ResponseTimeouts { idle_timeout: config.uploads.idle_timeout, min_rate: config.uploads.min_rate };
        let settings = |listener, certificates, eighths| ServerSettings {
            listener,
            certificates,
            max_connections: max_files / 8 * eighths,
            response_timeouts,
            shutdown_grace,
        };
        let management = settings(self.management, for_management, MANAGEMENT_EIGHTHS);
        let collect = settings(self.collect, certificates, COLLECT_EIGHTHS);
        [(Api::Management, management), (Api::Collect, collect)]
            .map(|(api, settings)| serve(api, state.clone(), settings))
            .into_iter()
            .collect()
    }
}

/// Returns the certificates for the management API, if it uses TLS. Tokens must not cross a network in the clear. Loopback is
/// not a network, and clients there would reject a certificate for the public name.
fn management_certificates(
    config: &ManagementConfig,
    certificates: Option<Arc<Certificates>>,
) -> Option<Arc<Certificates>> {
    let is_exposed = !config.listen.ip().is_loopback();
    let certificates = certificates.filter(|_| is_exposed);
    if is_exposed && certificates.is_none() {
        log::warn!(
            "the management API listens on {} without TLS: tokens cross the network in the clear",
            config.listen
        );
    }
    certificates
}

fn serve(
    api: Api,
    state: Data<AppState>,
    settings: ServerSettings,
) -> Result<(Server, ListenerDrain), StartError> {
    let scheme = if settings.certificates.is_some() { "https" } else { "http" };
    let ApiServer { address, server, drain } = http::serve(api, state, settings)
        .map_err(|source| StartError::Io { doing: format!("serve the {api} API"), source })?;
    match api {
        Api::Management => log::info!("management API on {scheme}://{address}"),
        Api::Collect => log::info!("listening on {scheme}://{address}"),
    }
    Ok((server, drain))
}

/// Binds a socket. An address of another machine, or a port that needs a privilege, is a wrong setting. An address that is in
/// use may be free a moment later.
fn bind(variable: &str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).map_err(|source| match source.kind() {
        ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => {
            StartError::Setting(format!("{variable}: {address}: {source}"))
        }
        _ => StartError::Io { doing: format!("{variable}: listen on {address}"), source },
    })?;
    // The standard library sets 128.
    SockRef::from(&listener)
        .listen(BACKLOG)
        .map_err(|source| StartError::Io { doing: format!("{variable}: lengthen the queue"), source })?;
    Ok(listener)
}

/// Returns the address of the listener: with port 0 in the setting, the kernel has chosen the port.
fn api_address(
    listener: &TcpListener,
    tls: bool,
    public_url: Option<String>,
) -> Result<ApiAddress, StartError> {
    let listen = listener
        .local_addr()
        .map_err(|source| StartError::Io { doing: "ask for the address of a listener".to_owned(), source })?;
    Ok(ApiAddress { public_url, listen, tls })
}

pub(super) fn load_certificates(http: &HttpConfig) -> Result<Option<Arc<Certificates>>, StartError> {
    let Some(files) = &http.tls else { return Ok(None) };
    let loaded = Certificates::load(&files.cert, &files.key);
    loaded.map(Some).map_err(|error| StartError::Setting(error.to_string()))
}
