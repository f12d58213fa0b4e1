//! Which program runs: `strongroom -V`, the log's first line and a metric give the same answer.

use crate::harness::{Server, plain_command, run, sample};

#[test]
fn command_line_log_and_metrics_name_the_version_and_the_commit() {
    let short = run(plain_command().arg("-V")).exits(0).stdout;
    let version = short.trim_end().strip_prefix("strongroom ").expect("the name of the program");
    let (number, commit) = match version.split_once(' ') {
        Some((number, details)) => {
            let details = details.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
            let details = details.unwrap_or_else(|| panic!("no parentheses: {short}"));
            // Only git knows the day.
            let (commit, day) = details.split_once(", ").unwrap_or((details, "2026-11-26"));
            let shape: String = day.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
            assert_eq!(shape, "9999-99-99", "{short}");
            (number, commit)
        }
        None => (version, "unknown"),
    };
    assert_eq!(number, env!("CARGO_PKG_VERSION"));

    let long = run(plain_command().arg("--version")).exits(0);
    assert!(long.stdout.starts_with(short.trim_end()), "{long:?}");
    long.says("\nlibpq 1");

    let server = Server::start();
    let output = server.log();
    let first = output.lines().next().unwrap_or_default();
    assert!(first.ends_with(&format!("strongroom {version} starts")), "{first}");
    let metric = format!(r#"strongroom_build_info{{commit="{commit}",version="{number}"}}"#);
    let metrics = server.metrics();
    assert!((sample(&metrics, &metric) - 1.0).abs() < 0.5, "no {metric} in {metrics}");
}
