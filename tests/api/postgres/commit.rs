//! COMMITs that do not arrive, and COMMITs whose answer is lost: the service finds out the outcome, and does its
//! work once.

use crate::harness::{
    ConnectionEnd, LinkFault, PostgresLink, RawClient, Server, System, TIMEOUT, assert_eventually, bytes,
};

const RESETS: [LinkFault; 2] =
    [LinkFault::Commit(ConnectionEnd::Reset), LinkFault::CommitAnswer(ConnectionEnd::Reset)];
const HANGS: [LinkFault; 2] =
    [LinkFault::Commit(ConnectionEnd::Hangs), LinkFault::CommitAnswer(ConnectionEnd::Hangs)];

/// Checks that the system has this many backups of 1000 bytes and nothing else, and that everything works.
#[track_caller]
fn is_well(server: &Server, system: &System, backups: usize) {
    assert_eventually("nothing is being received", TIMEOUT * 2, || server.receiving() == 0);
    assert_eq!(server.ids(system).len(), backups);
    assert_eq!(server.totals(&system.org), (i64::try_from(backups).expect("a few") * 1000, 0));
    assert_eventually("each has its object", TIMEOUT, || server.objects().len() == backups);
    server.audit_is_clean();
    let id = server.store(system, &bytes(1000));
    server.delete(system, &id).status(200);
    assert_eventually("gone", TIMEOUT, || server.objects().len() == backups);
}

/// Runs the test for each fault at the same time, each on a server of its own: a hanging connection takes its
/// time.
fn during_each(faults: [LinkFault; 2], test: impl Fn(&Server, &PostgresLink, LinkFault) + Sync) {
    std::thread::scope(|scope| {
        for fault in faults {
            let test = &test;
            scope.spawn(move || {
                let (link, server) = Server::on_a_link();
                test(&server, &link, fault);
            });
        }
    });
}

fn upload_with_its_commit_hit(server: &Server, link: &PostgresLink, fault: LinkFault) {
    let system = server.system();
    let body = bytes(1000);
    let mut raw = RawClient::upload(server, &system, &["Content-Length: 1000"]);
    raw.send(&body[..500]);
    assert_eventually("admitted", TIMEOUT, || server.receiving() == 1);
    link.inject(fault);
    raw.send(&body[500..]);
    let id = raw.answer().id();
    assert_eq!(link.repair(), 1, "{fault:?}");
    assert_eq!(server.ids(&system), std::slice::from_ref(&id), "{fault:?}");
    assert_eq!(server.fetch(&system, &id).send().status(200).body, body);
    assert_eq!(server.events("uploaded"), 1, "{fault:?}");
    is_well(server, &system, 1);
}

#[test]
fn upload_whose_commit_loses_its_connection_is_stored_once() {
    during_each(RESETS, upload_with_its_commit_hit);
}

#[test]
fn upload_whose_commit_hangs_is_stored_once() {
    during_each(HANGS, upload_with_its_commit_hit);
}

#[test]
fn upload_whose_admission_loses_its_connection_is_admitted_once() {
    during_each(RESETS, |server, link, fault| {
        let system = server.system();
        link.inject(fault);
        server.upload(&system).chunked(bytes(1000)).send().status(201);
        assert_eq!(link.repair(), 1, "{fault:?}");
        assert_eq!(server.slots_used(&system), 1, "{fault:?}");
        assert_eq!(server.db.number("SELECT count(*) FROM backups"), 1, "{fault:?}");
        is_well(server, &system, 1);
    });
}

/// If the transaction did not take place, the upload begins anew, and its object is written once more.
#[test]
fn upload_at_once_whose_transaction_loses_its_connection_is_stored_once() {
    during_each(RESETS, |server, link, fault| {
        let system = server.system();
        link.inject(fault);
        let body = bytes(1000);
        let id = server.store(&system, &body);
        assert_eq!(link.repair(), 1, "{fault:?}");
        assert_eq!(server.slots_used(&system), 1, "{fault:?}");
        assert_eq!(server.fetch(&system, &id).send().status(200).body, body);
        assert_eq!(server.events("uploaded"), 1, "{fault:?}");
        is_well(server, &system, 1);
    });
}

/// Its outcome is found out late. If it did not take place, too little time is left to begin anew.
#[test]
fn upload_at_once_whose_transaction_hangs_is_stored_once_or_not_at_all() {
    needs_a_folder!();
    during_each(HANGS, |server, link, fault| {
        let system = server.system();
        link.inject(fault);
        let answer = server.put(&system, &bytes(1000));
        assert_eq!(link.repair(), 1, "{fault:?}");
        let stored = server.ids(&system).len();
        assert_eq!(answer.status, if stored == 1 { 201 } else { 503 }, "{fault:?}: {answer}");
        let slots = i64::try_from(stored).expect("one");
        assert_eventually("each backup has its slot", TIMEOUT, || server.slots_used(&system) == slots);
        is_well(server, &system, stored);
    });
}

#[test]
fn upload_whose_admission_hangs_is_refused_and_aborted() {
    during_each(HANGS, |server, link, fault| {
        let system = server.system();
        link.inject(fault);
        server.upload(&system).chunked(bytes(1000)).send().is_unavailable();
        assert_eventually("the slot is released", TIMEOUT * 2, || server.slots_used(&system) == 0);
        assert_eventually("aborted", TIMEOUT * 2, || server.receiving() == 0);
        assert_eq!(link.repair(), 1, "{fault:?}");
        is_well(server, &system, 0);
    });
}

#[test]
fn deletion_whose_commit_loses_its_connection_happens_once() {
    during_each(RESETS, |server, link, fault| {
        let system = server.system();
        let id = server.store(&system, &bytes(1000));
        link.inject(fault);
        server.delete(&system, &id).status(200);
        assert_eq!(link.repair(), 1, "{fault:?}");
        assert_eq!(server.events("deleted"), 1, "{fault:?}");
        server.delete(&system, &id).is_not_found();
        is_well(server, &system, 0);
    });
}

/// The first attempt still holds its locks when the second begins.
#[test]
fn deletion_whose_commit_is_still_under_way_happens_once() {
    let (link, server) = Server::on_a_link();
    let system = server.system();
    let id = server.store(&system, &bytes(1000));
    server.db.execute(
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER linger AFTER UPDATE ON backups DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
         WHEN (NEW.retired_reason = 'system' AND OLD.retired_reason IS NULL) EXECUTE FUNCTION linger()",
    );
    link.inject(LinkFault::CommitUnderWay);
    server.delete(&system, &id).status(200);
    assert_eq!(link.repair(), 1);
    assert_eq!(server.events("deleted"), 1);
    server.delete(&system, &id).is_not_found();
    is_well(&server, &system, 0);
}

#[test]
fn deletion_whose_commit_hangs_can_be_repeated() {
    during_each(HANGS, |server, link, fault| {
        let system = server.system();
        let id = server.store(&system, &bytes(1000));
        link.inject(fault);
        server.delete(&system, &id).is_unavailable();
        assert_eq!(link.repair(), 1, "{fault:?}");
        let done = fault == LinkFault::CommitAnswer(ConnectionEnd::Hangs);
        let again = server.delete(&system, &id);
        assert_eq!(again.status, if done { 404 } else { 200 }, "{fault:?}: {again}");
        is_well(server, &system, 0);
    });
}

#[test]
fn lost_commit_does_not_let_another_process_exceed_the_quota() {
    during_each(RESETS, |server, link, fault| {
        let other = server.sibling_with("DATABASE_URL", server.db.url());
        let system = server.system_with_quota(2000);
        let second = server.add_system(&system.org, "second");
        let body = bytes(1000);
        let mut raw = RawClient::upload(server, &system, &["Content-Length: 1000"]);
        raw.send(&body[..500]);
        assert_eventually("admitted", TIMEOUT, || server.receiving() == 1);
        link.inject(fault);
        raw.send(&body[500..]);
        // Half of the quota is free, and no more, whether the lost commit took place or not.
        let kept = other.store(&second, &bytes(1000));
        other.put(&second, &bytes(1)).status(413);
        let id = raw.answer().id();
        assert_eq!(link.repair(), 1, "{fault:?}");
        other.put(&second, &bytes(1)).status(413);
        assert_eq!(other.ids(&system), std::slice::from_ref(&id), "{fault:?}");
        assert_eq!(server.ids(&second), [kept]);
        assert_eq!(other.fetch(&system, &id).send().status(200).body, body);
        assert_eq!(server.totals(&system.org), (2000, 0));
        other.delete(&system, &id).status(200);
        server.fetch(&system, &id).send().is_not_found();
        server.store(&system, &bytes(1000));
    });
}
