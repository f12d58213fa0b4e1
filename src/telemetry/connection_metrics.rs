//! The metrics about the connections of the two listeners; `api` is `collect` or `management`.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::registered::registered;

/// Part of [`super::Metrics`]; cheap to clone.
#[derive(Clone)]
pub struct ConnectionMetrics {
    open: IntGaugeVec,
    most: IntGaugeVec,
    handshakes_open: IntGaugeVec,
    handshakes: IntCounterVec,
}

/// Counts a connection as open until this is dropped.
pub struct Open(IntGauge);

impl Open {
    fn new(gauge: IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl ConnectionMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauge =
            |name: &str, help: &str| registered(registry, IntGaugeVec::new(Opts::new(name, help), &["api"])?);
        let handshakes = Opts::new(
            "strongroom_tls_handshakes_total",
            "TLS handshakes that ended: done, timeout, closed, plain_http, failed, crowded.",
        );
        Ok(Self {
            open: gauge(
                "strongroom_http_connections",
                "Open connections, with those in their TLS handshake.",
            )?,
            most: gauge(
                "strongroom_http_connections_max",
                "Maximum number of open connections of a listener; further ones wait in the kernel's accept queue.",
            )?,
            handshakes_open: gauge("strongroom_tls_handshakes_open", "Connections in their TLS handshake.")?,
            handshakes: registered(registry, IntCounterVec::new(handshakes, &["api", "result"])?)?,
        })
    }

    /// Counts an accepted connection.
    pub fn open(&self, api: &str) -> Open {
        Open::new(self.open.with_label_values(&[api]))
    }

    /// Sets the maximum number of connections of a listener.
    pub fn show_most(&self, api: &str, most: usize) {
        self.most.with_label_values(&[api]).set(i64::try_from(most).unwrap_or(i64::MAX));
    }

    /// Counts a TLS handshake that begins.
    pub fn handshake_open(&self, api: &str) -> Open {
        Open::new(self.handshakes_open.with_label_values(&[api]))
    }

    /// Counts a TLS handshake that has ended, with one of the results of `http/connections/handshake/mod.rs`.
    pub fn handshake_ended(&self, api: &str, result: &str) {
        self.handshakes.with_label_values(&[api, result]).inc();
    }
}
