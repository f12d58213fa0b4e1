use crate::config::check;
use crate::config::setting::{About, Default::Is, Group, Kind, Setting, settings};

settings! {
    "Log";

    /// The log level: `error`, `warn`, `info`, `debug` or `trace`, also for single modules (`info,strongroom=debug`).
    ///
    /// The log goes to stderr; with the unit: journalctl -u strongroom. It never holds a secret.
    RUST_LOG: String { Is("info"), Kind::Text, check::log_filter }
}
