//! Counts malformed requests and logs a few of them: any client can send as many as it likes.

use std::net::IpAddr;
use std::time::Instant;

use super::malformed::MalformedRequest;
use crate::domain::client_network::ClientNetwork;
use crate::http::api::Api;
use crate::http::log_limit::LogLimit;
use crate::telemetry::Metrics;

/// Counts and logs the malformed requests to one listener.
pub struct MalformedRequestLog {
    api: Api,
    metrics: Metrics,
    logged: LogLimit,
}

impl MalformedRequestLog {
    pub fn new(api: Api, metrics: Metrics) -> Self {
        Self { api, metrics, logged: LogLimit::default() }
    }

    pub(super) fn report(&self, error: MalformedRequest, peer: IpAddr) {
        self.metrics.broken_request(self.api.name(), error.reason());
        let network = ClientNetwork::of(Some(peer));
        if self.logged.admits(network, Instant::now()) {
            let (api, key, message) = (self.api, error.key(), error.message());
            log::info!(
                "broken request to the {api} API from {network}: {key}: {message}; \
                 further ones from this address are counted but not logged for one minute"
            );
        }
    }
}
