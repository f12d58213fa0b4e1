//! Lines for the journal of systemd. It takes the level of a line from the prefix `<3>` (sd-daemon(3)); a line without one
//! counts as `info`, so `journalctl -p err` would not show why a start has failed.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::panic;
use std::thread;

use log::Level;
use rustix::fs::fstat;

/// Whether stderr is connected to the journal. `JOURNAL_STREAM` names the device and the inode of a stream. A child of a
/// service inherits the variable, also when its own stderr is a file or a pipe, so the variable alone says nothing.
pub(super) fn is_stderr() -> bool {
    let Some(stream) = std::env::var("JOURNAL_STREAM").ok() else { return false };
    fstat(io::stderr()).is_ok_and(|stderr| stream == format!("{}:{}", stderr.st_dev, stderr.st_ino))
}

/// Prints a failure to stderr: in the journal as lines of level error, else as it is.
pub fn print_failure(text: &str) {
    // A failure to print can't be reported any more.
    let _ = if is_stderr() {
        write_lines(&mut io::stderr().lock(), Level::Error, text)
    } else {
        writeln!(io::stderr().lock(), "{}", text.trim_end())
    };
}

/// Makes panics lines of level error, if stderr is connected to the journal.
pub fn report_panics() {
    if !is_stderr() {
        return;
    }
    panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        let name = thread.name().unwrap_or("<unnamed>");
        let mut text = format!("thread '{name}' {panic}");
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            text = format!("{text}\n{backtrace}");
        }
        let _ = write_lines(&mut io::stderr().lock(), Level::Error, &text);
    }));
}

/// Writes the text with a prefix for each of its lines: the journal makes an entry of each line.
pub(super) fn write_lines(out: &mut impl Write, level: Level, text: &str) -> io::Result<()> {
    let priority = match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    // One write for all lines: lines of several threads must not mix.
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let prefixed: Vec<String> = lines.map(|line| format!("<{priority}>{line}\n")).collect();
    out.write_all(prefixed.concat().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_the_level() {
        let written = |level, text| {
            let mut out = Vec::new();
            write_lines(&mut out, level, text).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(Level::Error, "one"), "<3>one\n");
        assert_eq!(written(Level::Warn, "one\n  two\r\n\n"), "<4>one\n<4>  two\n");
        assert_eq!(written(Level::Info, "x"), "<6>x\n");
        assert_eq!(written(Level::Trace, "x"), "<7>x\n");
    }
}
