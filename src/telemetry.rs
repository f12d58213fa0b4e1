//! Logging (to stderr, at the level that `RUST_LOG` sets) and [`Metrics`].

mod connection_metrics;
mod demoted;
mod metrics;

use std::io::Write;

pub use connection_metrics::ConnectionMetrics;
pub use metrics::{Metrics, Now, RequestLabels};

/// Starts logging. Later calls do nothing.
///
/// Under systemd, whose journal has its own time stamps, lines begin with the syslog level that it understands.
/// `secretive` are libraries that would log secrets at levels below `info`: for them `info` is the most that can be set.
pub fn start_logging(secretive: &[&str]) {
    let env = env_logger::Env::default().default_filter_or("info");
    let mut builder = env_logger::Builder::from_env(env);
    for library in secretive {
        builder.filter_module(library, log::LevelFilter::Info);
    }
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder.format(|out, record| {
            let level = match record.level() {
                log::Level::Error => 3,
                log::Level::Warn => 4,
                log::Level::Info => 6,
                log::Level::Debug | log::Level::Trace => 7,
            };
            writeln!(out, "<{level}>{}: {}", record.target(), record.args())
        });
    }
    let logger = builder.build();
    let most = logger.filter();
    // A second start is a test that runs two servers in one process.
    if log::set_boxed_logger(Box::new(demoted::Demoted(logger))).is_ok() {
        log::set_max_level(most);
    }
}
