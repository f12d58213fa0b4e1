//! Work on demand panics: nobody waits for its answer, and the next one works. And what the journal shows of a panic.

use crate::crash_fixture::{CrashFixture, FAILPOINT};
use crate::harness::{BACKUPS, Journal, Store, System, TIMEOUT, assert_eventually, bytes, plain_command};
use crate::panics::{Panicking, is_degraded, is_healthy, runs};

#[test]
fn shared_transaction_that_panicked_holds_up_no_upload() {
    let mut fixture = CrashFixture::new();
    fixture.start_with_failpoint("panic group_commit.taken");
    let body = bytes(3000);
    let answer = fixture.server.put(&fixture.system, &body);
    assert!([201, 503].contains(&answer.status), "{answer}");
    assert!(
        (runs(&fixture.server, "group_commit", "panic") - 1.0).abs() < 0.5,
        "{}",
        fixture.server.metrics()
    );
    is_healthy(&fixture.server);
    let ids = [fixture.server.store(&fixture.system, &body), fixture.server.store(&fixture.system, &body)];
    fixture.assert_consistent(&ids.map(|id| (id, body.clone())));
}

#[test]
fn shared_transactions_that_keep_panicking_are_shown_until_one_succeeds() {
    let mut fixture = CrashFixture::new();
    let panicking = Panicking::new();
    fixture.start_with_failpoint(panicking.at("group_commit.taken"));
    let answer = fixture.server.put(&fixture.system, &bytes(3000));
    assert_eq!(answer.status, 503, "{answer}");
    is_degraded(&fixture.server, "group_commit");
    drop(panicking);
    let body = bytes(3000);
    let ids = [fixture.server.store(&fixture.system, &body), fixture.server.store(&fixture.system, &body)];
    is_healthy(&fixture.server);
    fixture.assert_consistent(&ids.map(|id| (id, body.clone())));
}

#[test]
fn query_of_lists_that_panicked_holds_up_no_list() {
    let mut fixture = CrashFixture::new();
    fixture.start_with_failpoint("panic backup_lists.taken");
    let server = &fixture.server;
    let list = || server.get(BACKUPS).user(&fixture.system).send().status;
    let answers = std::thread::scope(|scope| {
        [(); 8].map(|()| scope.spawn(list)).map(|list| list.join().expect("an answer"))
    });
    assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?}");
    assert!(answers.contains(&503), "the query that panicked");
    assert!((runs(server, "backup_lists", "panic") - 1.0).abs() < 0.5, "{}", server.metrics());
    assert_eq!(list(), 200);
    is_healthy(server);
}

#[test]
fn look_up_of_credentials_that_panicked_locks_nobody_out() {
    let mut fixture = CrashFixture::new();
    fixture.start_with_failpoint("panic credential_lookup.taken");
    let server = &fixture.server;
    let wrong = System { secret: "wrong".to_owned(), ..fixture.system.clone() };
    // More than thirty wrong secrets a minute: the rest is looked up in batches.
    assert_eventually("a batch panics", TIMEOUT, || {
        let answers: Vec<_> = std::thread::scope(|scope| {
            let guess = || server.get(BACKUPS).user(&wrong).send().status;
            [(); 8].map(|()| scope.spawn(guess)).map(|guess| guess.join().expect("an answer")).to_vec()
        });
        assert!(answers.iter().all(|status| [401, 503].contains(status)), "{answers:?}");
        runs(server, "credential_lookup", "panic") > 0.5
    });
    server.get(BACKUPS).user(&wrong).send().is_invalid_token();
    server.get(BACKUPS).user(&fixture.system).send().status(200);
    is_healthy(server);
}

#[test]
fn each_line_of_a_panic_is_an_error_in_the_journal() {
    let journal = Journal::new();
    let mut command = plain_command();
    command.arg("serve").env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none?connect_timeout=1");
    command.env("LISTEN_ADDRESS", "127.0.0.1:0").env("MANAGEMENT_LISTEN_ADDRESS", "127.0.0.1:0");
    let store = Store::new();
    command.env("BACKUP_DATA_DIR", store.path()).env("RUST_BACKTRACE", "1");
    let mut server = journal.connect(command.env(FAILPOINT, "panic task.prepare")).spawn().expect("start it");
    let panicked = || journal.text().contains("task prepare panicked");
    assert_eventually("the task panics", TIMEOUT, panicked);
    server.kill().expect("kill it");
    server.wait().expect("wait for it");
    let errors = journal.errors();
    let first = errors.iter().position(|line| line.starts_with("thread '") && line.contains("panicked at "));
    let first = first.unwrap_or_else(|| panic!("{errors:?}"));
    assert_eq!(errors[first + 1], "failpoint task.prepare");
    assert!(errors[first + 2..].iter().any(|line| line.contains("::")), "a backtrace: {errors:?}");
}
