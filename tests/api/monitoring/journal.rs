//! The journal of systemd shows at which level a line was logged: `journalctl -p err` shows why a start has failed.

use std::net::TcpListener;
use std::process::Command;

use crate::harness::{Certificate, Journal, Server, plain_command};

/// An address at which no database is.
const DATABASE: &str = "postgres://nobody@127.0.0.1:1/none?connect_timeout=1";

fn serve() -> Command {
    let mut command = plain_command();
    command.arg("serve").env("DATABASE_URL", DATABASE).env("LISTEN_ADDRESS", "127.0.0.1:0");
    command
}

#[track_caller]
fn ends_with(command: &mut Command, code: i32) {
    assert_eq!(command.status().expect("run strongroom").code(), Some(code), "{command:?}");
}

#[test]
fn the_reason_of_a_failed_start_is_an_error_in_the_journal() {
    for (variable, value) in [("BACKUP_LEASE", "0"), ("DATABASE_URL", "nonsense"), ("TLS_CERT_FILE", "x")] {
        let journal = Journal::new();
        ends_with(journal.connect(serve().env(variable, value)), 2);
        let errors = journal.errors();
        assert!(errors.len() == 1 && errors[0].contains(variable), "{variable}: {errors:?}");
    }
}

#[test]
fn each_line_of_wrong_usage_is_an_error_in_the_journal() {
    let journal = Journal::new();
    ends_with(journal.connect(serve().arg("--fast")), 2);
    let errors = journal.errors();
    assert!(errors.len() > 2, "{errors:?}");
    assert!(errors[0].starts_with("error: unexpected argument '--fast'"), "{errors:?}");
    assert_eq!(errors.len(), journal.text().lines().count(), "{}", journal.text());
}

#[test]
fn log_lines_have_their_level_in_the_journal() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (journal, expired) = (Journal::new(), Certificate::valid_in(2001, 2002));
    let mut command = serve();
    command.env("TLS_CERT_FILE", expired.cert_file()).env("TLS_KEY_FILE", expired.key_file());
    ends_with(journal.connect(command.env("MANAGEMENT_LISTEN_ADDRESS", &address)), 1);
    let text = journal.text();
    let warning =
        text.lines().find(|line| line.contains("expired at 2002-01-01T00:00:00Z")).expect("a warning");
    assert!(warning.starts_with("<4>strongroom::"), "{text}");
    let errors = journal.errors();
    assert!(errors.len() == 1 && errors[0].contains("MANAGEMENT_LISTEN_ADDRESS"), "{text}");
}

#[test]
fn difference_that_an_audit_finds_is_an_error_in_the_journal() {
    let (journal, server) = (Journal::new(), Server::start());
    server.system();
    ends_with(journal.connect(server.command([]).arg("audit")), 0);
    assert_eq!(journal.errors().len(), 0, "{}", journal.text());
    server.db.execute("UPDATE org_usage SET stored_bytes = stored_bytes + 1");
    server.skip_audit();
    ends_with(journal.connect(server.command([]).arg("audit")), 1);
    let errors = journal.errors();
    assert!(errors.len() == 1 && errors[0].contains("the audit has found 1 difference"), "{errors:?}");
}

#[test]
fn stderr_that_is_not_the_journal_has_no_levels() {
    let journal = Journal::new();
    ends_with(journal.connect_child(serve().env("BACKUP_LEASE", "0")), 2);
    ends_with(journal.connect_child(serve().arg("--fast")), 2);
    let text = journal.text();
    assert!(text.starts_with("strongroom: BACKUP_LEASE: "), "{text}");
    assert!(!text.contains("<3>") && text.contains("\nerror: unexpected argument"), "{text}");
}
