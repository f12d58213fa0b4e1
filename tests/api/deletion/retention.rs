//! Retention: a system keeps a number of backups and of bytes; the oldest is pruned first, and the newest never.

use crate::harness::{PROMPT_TIMEOUT, RawClient, Server, TIMEOUT, assert_eventually, bytes};

#[test]
fn upload_at_the_count_limit_prunes_the_oldest() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 3).start();
    let system = server.system();
    let sibling = server.add_system(&system.org, "of the same organization");
    let other = server.store(&sibling, &bytes(7));
    let ids: Vec<_> = (1..=5).map(|len| server.store(&system, &bytes(len))).collect();
    assert_eq!(server.ids(&system), [ids[4].clone(), ids[3].clone(), ids[2].clone()]);
    assert_eq!(server.ids(&sibling), [other], "retention is a matter of one system");
    assert_eq!(server.totals(&system.org), (3 + 4 + 5 + 7, 0));
    server.fetch(&system, &ids[0]).send().is_not_found();
    assert_eventually("the objects of the pruned are gone", PROMPT_TIMEOUT, || server.objects().len() == 4);
    assert_eq!(server.events("pruned"), 2);
}

#[test]
fn count_limit_of_one_keeps_the_newest() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 1).start();
    let system = server.system();
    for len in 1..=3 {
        let id = server.store(&system, &bytes(len));
        assert_eq!(server.ids(&system), [id]);
    }
    assert_eq!(server.totals(&system.org), (3, 0));
}

#[test]
fn upload_over_the_size_limit_prunes_the_oldest_until_it_fits() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_SIZE_PER_SYSTEM", 1000).start();
    let system = server.system();
    let ids: Vec<_> = [300, 300, 400].map(|len| server.store(&system, &bytes(len))).into();
    assert_eq!(server.ids(&system).len(), 3, "exactly the limit is not over it");
    let fourth = server.store(&system, b"x");
    assert_eq!(server.ids(&system), [fourth.clone(), ids[2].clone(), ids[1].clone()]);
    let fifth = server.store(&system, &bytes(700));
    assert_eq!(server.ids(&system), [fifth, fourth]);
    assert_eq!(server.totals(&system.org), (701, 0));
    assert_eventually("the objects of the pruned are gone", PROMPT_TIMEOUT, || server.objects().len() == 2);
}

#[test]
fn single_backup_over_the_size_limit_is_kept_and_recorded() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_SIZE_PER_SYSTEM", 1000).start();
    let system = server.system();
    server.store(&system, &bytes(100));
    let big = server.store(&system, &bytes(1500));
    assert_eq!(server.ids(&system), [big.as_str()], "the newest is never pruned");
    assert_eq!(server.events("over_size_cap"), 1);
    let uuid = big.split('.').next().expect("a UUID");
    assert_eventually("the log says that it is over the cap", TIMEOUT, || {
        server.log().lines().any(|line| line.contains(uuid) && line.contains("size"))
    });
    let small = server.store(&system, &bytes(100));
    assert_eq!(server.ids(&system), [small], "it is pruned when there is a newer one");
}

#[test]
fn oldest_backup_is_the_first_committed_after_a_clock_jump() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 2).start();
    let system = server.system();
    server.store(&system, b"first");
    server.db.execute("UPDATE backups SET uploaded_at = uploaded_at + interval '1 hour'");
    let second = server.store(&system, b"second");
    let third = server.store(&system, b"third");
    assert_eq!(server.ids(&system), [third, second]);
}

#[test]
fn a_refused_upload_prunes_nothing() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 2).start();
    let system = server.system();
    let ids: Vec<_> = (0..2).map(|_| server.store(&system, b"x")).collect();
    let wrong = crate::harness::digest_field(b"another");
    server.upload(&system).header("content-digest", wrong).body("x").send().status(400);
    assert_eq!(server.ids(&system), [ids[1].clone(), ids[0].clone()]);
}

#[test]
fn full_organization_replaces_its_oldest_backups() {
    for chunked in [false, true] {
        let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 3).start();
        let system = server.system_with_quota(300);
        let sibling = server.add_system(&system.org, "of the same organization");
        let send = |len| {
            let request = server.upload(&system);
            if chunked { request.chunked(bytes(len)) } else { request.body(bytes(len)) }.send()
        };
        for _ in 0..3 {
            send(100).id();
        }
        let before = server.snapshot();
        server.put(&sibling, b"x").is_over_quota();
        send(101).is_over_quota();
        server.assert_nothing_left(&before);
        for _ in 0..3 {
            send(100).id();
            assert_eq!(server.totals(&system.org), (300, 0));
        }
        send(40).id();
        send(160).id();
        assert_eq!(server.totals(&system.org), (300, 0));
        assert_eq!(server.ids(&system).len(), 3);
    }
}

#[test]
fn larger_backup_in_a_full_organization_needs_only_the_difference() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 2).start();
    let system = server.system_with_quota(205);
    server.store(&system, &bytes(100));
    server.store(&system, &bytes(100));
    server.put(&system, &bytes(106)).is_over_quota();
    server.store(&system, &bytes(105));
    assert_eq!(server.totals(&system.org), (205, 0));
}

#[test]
fn full_organization_at_the_size_limit_replaces_its_oldest_backups() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_SIZE_PER_SYSTEM", 300).start();
    let system = server.system_with_quota(300);
    for _ in 0..6 {
        server.store(&system, &bytes(100));
        assert!(server.totals(&system.org).0 <= 300);
    }
    assert_eq!(server.ids(&system).len(), 3);
}

#[test]
fn two_concurrent_uploads_replace_two_backups_in_a_full_organization() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 3).start();
    let system = server.system_with_quota(300);
    let ids: Vec<_> = (0..3).map(|_| server.store(&system, &bytes(100))).collect();
    let mut open: Vec<RawClient> =
        (0..2).map(|_| RawClient::upload(&server, &system, &["Content-Length: 100"])).collect();
    assert_eventually("both were admitted", TIMEOUT, || server.receiving() == 2);
    assert_eq!(server.totals(&system.org), (300, 0), "the uploads need only the bytes that they replace");
    let new: Vec<_> = open
        .iter_mut()
        .map(|raw| {
            raw.send(bytes(100));
            raw.answer().id()
        })
        .collect();
    assert_eq!(server.ids(&system), [&new[1][..], &new[0], &ids[2]]);
    assert_eq!(server.totals(&system.org), (300, 0));
}

#[test]
fn pledged_backup_may_be_deleted_during_the_upload() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 2).start();
    let system = server.system_with_quota(200);
    let ids: Vec<_> = (0..2).map(|_| server.store(&system, &bytes(100))).collect();
    let mut raw = RawClient::upload(&server, &system, &["Content-Length: 100"]);
    assert_eventually("it was admitted", TIMEOUT, || server.receiving() == 1);
    server.delete(&system, &ids[0]).status(200);
    server.audit_is_clean();
    raw.send(bytes(100));
    let id = raw.answer().id();
    assert_eq!(server.ids(&system), [&id[..], &ids[1]]);
    assert_eq!(server.totals(&system.org), (200, 0));
}

#[test]
fn failed_upload_releases_its_pledged_backup() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 2).start();
    let system = server.system_with_quota(200);
    let ids: Vec<_> = (0..2).map(|_| server.store(&system, &bytes(100))).collect();
    let before = server.snapshot();
    let raw = RawClient::upload(&server, &system, &["Content-Length: 100"]);
    assert_eventually("it was admitted", TIMEOUT, || server.receiving() == 1);
    raw.disconnect(crate::harness::Disconnect::Rst);
    server.assert_nothing_left(&before);
    assert_eq!(server.ids(&system), [&ids[1][..], &ids[0]]);
    server.store(&system, &bytes(100));
    assert_eq!(server.totals(&system.org), (200, 0));
}
