//! Demotes log lines of libraries to level debug. Any client can cause the errors of some, any number of times; the service
//! counts and logs such events itself. And operators need not know what other libraries do while all is well.

use env_logger::Logger;
use log::{Level, Log, Metadata, Record};

/// actix-http logs each malformed request as an error. rmcp warns of each message that it can't parse.
const LIBRARIES: &[&str] = &["actix_http", "rmcp"];

/// actix-server reports its workers and listeners, which the service does in its own words.
const VERBOSE_LIBRARIES: &[&str] = &["actix_server"];

/// Logs those lines at level debug at most, and all others as they are.
pub(super) struct Demoted(pub Logger);

/// Returns the level of a line after its demotion.
fn level(metadata: &Metadata<'_>) -> Level {
    let module = metadata.target().split("::").next().unwrap_or_default();
    let is_demoted =
        LIBRARIES.contains(&module) || metadata.level() == Level::Info && VERBOSE_LIBRARIES.contains(&module);
    if is_demoted { metadata.level().max(Level::Debug) } else { metadata.level() }
}

impl Log for Demoted {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(&Metadata::builder().target(metadata.target()).level(level(metadata)).build())
    }

    fn log(&self, record: &Record<'_>) {
        let demoted = Record::builder()
            .args(*record.args())
            .level(level(record.metadata()))
            .target(record.target())
            .module_path(record.module_path())
            .file(record.file())
            .line(record.line())
            .build();
        self.0.log(&demoted);
    }

    fn flush(&self) {
        self.0.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_libraries_count_as_debug() {
        let level = |target, level| super::level(&Metadata::builder().target(target).level(level).build());
        assert_eq!(level("actix_http::h1::dispatcher", Level::Error), Level::Debug);
        assert_eq!(level("actix_http", Level::Trace), Level::Trace);
        assert_eq!(level("actix_server::worker", Level::Error), Level::Error);
        assert_eq!(level("actix_server::builder", Level::Info), Level::Debug);
        assert_eq!(level("strongroom::http", Level::Info), Level::Info);
    }
}
