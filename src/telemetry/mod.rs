//! Logging (to stderr, at the level that `RUST_LOG` sets), [`Metrics`], and the [`version`] that both name.

mod connection_metrics;
mod demoted;
mod journal;
mod metrics;
mod registered;
mod system_metrics;
mod tasks;
pub mod version;

pub use connection_metrics::ConnectionMetrics;
pub use journal::{print_failure, report_panics};
pub use metrics::{GaugeValues, Metrics, RequestLabels};
pub use system_metrics::SystemNumbers;
pub use tasks::{
    MAX_RESTART_DELAY, RunError, TaskFailure, TaskProblem, TaskStatus, TaskTable, restart_delay,
};

/// Starts logging; `default_filter` is used when `RUST_LOG` is not set. Later calls do nothing.
///
/// In the journal of systemd, which adds timestamps, each line begins with its level ([`journal`]). The libraries in
/// `secretive` would log secrets at levels below `info`, so their level is `info` at most.
pub fn start_logging(default_filter: &str, secretive: &[&str]) {
    let env = env_logger::Env::default().default_filter_or(default_filter);
    let mut builder = env_logger::Builder::from_env(env);
    for library in secretive {
        builder.filter_module(library, log::LevelFilter::Info);
    }
    if journal::is_stderr() {
        builder.format(|out, record| {
            journal::write_lines(out, record.level(), &format!("{}: {}", record.target(), record.args()))
        });
    }
    let logger = builder.build();
    let most = logger.filter();
    // A test may start two servers in one process.
    if log::set_boxed_logger(Box::new(demoted::Demoted(logger))).is_ok() {
        log::set_max_level(most);
    }
}
