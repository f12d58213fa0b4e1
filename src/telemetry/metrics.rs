//! The metrics for Prometheus. Every label has few values: the route is the matched pattern, never the path.

use std::time::Duration;

use super::connection_metrics::ConnectionMetrics;
use super::registered::registered;
use super::tasks::TaskTable;
use super::version;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// Buckets in seconds, from a lookup in memory to a large upload on a slow link.
const SECONDS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 600.0];
/// Buckets for the number of operations in a batch, which is 64 at most.
const ITEMS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// The process's counters; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    received_bytes: IntCounterVec,
    sent_bytes: IntCounterVec,
    refusals: IntCounterVec,
    broken_requests: IntCounterVec,
    batch_items: HistogramVec,
    batch_seconds: HistogramVec,
    store_seconds: HistogramVec,
    store_errors: IntCounterVec,
    uploads_open: IntGauge,
    downloads_open: IntGauge,
    systems_waiting: IntGauge,
    database_connections: IntGaugeVec,
    /// The connections of both listeners.
    pub connections: ConnectionMetrics,
    pub tasks: TaskTable,
}

/// The values of the gauges at the time of a scrape.
#[derive(Debug)]
pub struct GaugeValues {
    pub uploads_open: usize,
    pub downloads_open: usize,
    pub systems_waiting: usize,
    /// Connections to the database in use, of each lane.
    pub connections: Vec<(&'static str, usize)>,
}

/// The labels of a request's metrics.
#[derive(Debug, Clone)]
pub struct RequestLabels {
    /// `collect` or `management`.
    pub api: &'static str,
    pub method: &'static str,
    /// The pattern of the route; `none` for unknown paths.
    pub route: String,
}

impl Metrics {
    /// Registers all metrics, in a registry of their own.
    ///
    /// # Errors
    /// Two metrics have the same name, which would be a bug in this module.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        registered(
            &registry,
            IntGaugeVec::new(
                Opts::new("strongroom_build_info", "Always 1; the labels name the program."),
                &["version", "commit"],
            )?,
        )?
        .with_label_values(&[version::NUMBER, version::COMMIT])
        .set(1);
        // The collector has processor time, memory and descriptors.
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let route = &["api", "method", "route", "status"];
        let counter = |name: &str, help: &str, labels: &[&str]| {
            registered(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let histogram = |name: &str, help: &str, buckets: &[f64], labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            registered(&registry, HistogramVec::new(options, labels)?)
        };
        Ok(Self {
            requests: counter("strongroom_http_requests_total", "Requests that were answered.", route)?,
            request_seconds: histogram(
                "strongroom_http_request_seconds",
                "From a request's head until its answer's last byte.",
                SECONDS,
                route,
            )?,
            received_bytes: counter(
                "strongroom_http_received_bytes_total",
                "Bytes of requests' bodies.",
                &["api", "method", "route"],
            )?,
            sent_bytes: counter("strongroom_http_sent_bytes_total", "Bytes of answers' bodies.", route)?,
            refusals: counter(
                "strongroom_refusals_total",
                "Refused uploads: rate, size, quota, digest, damaged, timeout, malformed, suspended.",
                &["reason"],
            )?,
            broken_requests: counter(
                "strongroom_broken_requests_total",
                "Requests that are not well-formed HTTP, or ask for an upgrade to another protocol.",
                &["api", "reason"],
            )?,
            batch_items: histogram(
                "strongroom_batch_items",
                "Operations on organization totals that shared a transaction.",
                ITEMS,
                &[],
            )?,
            batch_seconds: histogram(
                "strongroom_batch_seconds",
                "How long such a transaction took, with its wait for a connection and for locks.",
                SECONDS,
                &["result"],
            )?,
            store_seconds: histogram(
                "strongroom_store_seconds",
                "Calls to the object store; a put takes as long as its body.",
                SECONDS,
                &["operation"],
            )?,
            store_errors: counter(
                "strongroom_store_errors_total",
                "Calls to the object store that failed for the store's own reasons.",
                &["operation"],
            )?,
            uploads_open: registered(
                &registry,
                IntGauge::new("strongroom_uploads_open", "Uploads under way in this process.")?,
            )?,
            downloads_open: registered(
                &registry,
                IntGauge::new("strongroom_downloads_open", "Downloads under way in this process.")?,
            )?,
            systems_waiting: registered(
                &registry,
                IntGauge::new(
                    "strongroom_systems_waiting",
                    "Systems that wait at this process for a backup request.",
                )?,
            )?,
            database_connections: registered(
                &registry,
                IntGaugeVec::new(
                    Opts::new(
                        "strongroom_database_connections_used",
                        "Of 8 in the lanes accounting and reads, of 4 in fleet and tasks; then others wait.",
                    ),
                    &["lane"],
                )?,
            )?,
            connections: ConnectionMetrics::new(&registry)?,
            tasks: TaskTable::new(&registry)?,
            registry,
        })
    }

    /// Counts a refused upload, by a reason of `UploadError::refusal_reason`.
    pub fn refused(&self, reason: &str) {
        self.refusals.with_label_values(&[reason]).inc();
    }

    /// Counts a request that is not well-formed, by a reason of `Fault`.
    pub fn broken_request(&self, api: &str, reason: &str) {
        self.broken_requests.with_label_values(&[api, reason]).inc();
    }

    /// Counts a transaction on organization totals that has ended: `done`, `failed` or `left_out`.
    pub fn batch(&self, items: usize, took: Duration, result: &str) {
        if items > 0 {
            let none: &[&str] = &[];
            self.batch_items
                .with_label_values(none)
                .observe(f64::from(u32::try_from(items).unwrap_or(u32::MAX)));
        }
        self.batch_seconds.with_label_values(&[result]).observe(took.as_secs_f64());
    }

    /// Counts a call to the store that has ended.
    pub fn store(&self, operation: &str, took: Duration, fine: bool) {
        self.store_seconds.with_label_values(&[operation]).observe(took.as_secs_f64());
        if !fine {
            self.store_errors.with_label_values(&[operation]).inc();
        }
    }

    /// Returns a function that counts bytes of this request's body.
    pub fn received(&self, request: &RequestLabels) -> impl Fn(u64) + use<> {
        let counter =
            self.received_bytes.with_label_values(&[request.api, request.method, request.route.as_str()]);
        move |bytes| counter.inc_by(bytes)
    }

    /// Counts a request that has ended: its answer was sent, or its client has disconnected. `sent`: bytes of the answer's body.
    pub fn answered(&self, request: &RequestLabels, status: u16, sent: u64, took: Duration) {
        let status = status.to_string();
        let labels = &[request.api, request.method, request.route.as_str(), status.as_str()];
        self.requests.with_label_values(labels).inc();
        self.request_seconds.with_label_values(labels).observe(took.as_secs_f64());
        self.sent_bytes.with_label_values(labels).inc_by(sent);
    }

    /// Returns all metrics as text (Prometheus' exposition format 0.0.4).
    pub fn render(&self, values: &GaugeValues) -> prometheus::Result<String> {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.uploads_open.set(number(values.uploads_open));
        self.downloads_open.set(number(values.downloads_open));
        self.systems_waiting.set(number(values.systems_waiting));
        for (lane, used) in &values.connections {
            self.database_connections.with_label_values(&[*lane]).set(number(*used));
        }
        self.tasks.update_gauges();
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
