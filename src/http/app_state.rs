//! The state that all handlers share.

use std::sync::Arc;

use ipnet::IpNet;

use super::base_urls::ApiAddresses;
use super::docs::Documentation;
use crate::auth::bearer::TokenVerifier;
use crate::backups::Vault;
use crate::fleet::Fleet;

/// The state of both listeners, in actix-web's application data.
pub struct AppState {
    pub vault: Arc<Vault>,
    pub fleet: Arc<Fleet>,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// `None`: no keys are configured, so every token is refused.
    pub tokens: Option<TokenVerifier>,
    /// The web origins whose pages may call the management API.
    pub cors_origins: Vec<String>,
    /// The addresses at which clients reach both APIs.
    pub addresses: ApiAddresses,
    /// What the management listener shows under `/docs`.
    pub documentation: Arc<Documentation>,
}
