//! Many concurrent uploads: the quota stays exact to the byte and the totals are right, in one process and in
//! two.

use std::sync::Barrier;

use crate::harness::{Server, System, TIMEOUT, assert_eventually, bytes};

const SIZE: usize = 65_536;

/// Uploads for all systems at the same moment; returns how many were stored. The others must have been over the
/// quota.
fn all_at_once(servers: &[&Server], systems: &[System], chunked: bool) -> usize {
    let start = Barrier::new(systems.len());
    std::thread::scope(|scope| {
        let upload = |number: usize, system: &System| {
            let request = servers[number % servers.len()].upload(system);
            let request = if chunked { request.chunked(bytes(SIZE)) } else { request.body(bytes(SIZE)) };
            start.wait();
            let answer = request.send();
            if answer.status != 201 {
                answer.is_over_quota();
            }
            usize::from(answer.status == 201)
        };
        let clients: Vec<_> = systems
            .iter()
            .enumerate()
            .map(|(number, system)| scope.spawn(move || upload(number, system)))
            .collect();
        clients.into_iter().map(|client| client.join().expect("a client")).sum()
    })
}

fn exactly_ten_of_twenty(servers: &[&Server]) {
    let quota = 10 * SIZE;
    servers[0].add_org("acme", Some(quota as u64));
    let systems: Vec<System> = (0..20).map(|n| servers[0].add_system("acme", &format!("fw-{n}"))).collect();
    assert_eq!(all_at_once(servers, &systems, false), 10);
    assert_eq!(servers[0].totals("acme"), (i64::try_from(quota).expect("a quota"), 0));
    assert_eq!(servers[0].objects().len(), 10);
    assert!(servers[0].temporary().is_empty());
    assert_eq!(servers[0].receiving(), 0);
}

#[test]
fn quota_for_ten_admits_exactly_ten_of_twenty_uploads() {
    exactly_ten_of_twenty(&[&Server::start()]);
}

#[test]
fn quota_for_ten_admits_exactly_ten_of_twenty_uploads_at_two_processes() {
    let one = Server::start();
    let other = one.sibling();
    exactly_ten_of_twenty(&[&one, &other]);
}

#[test]
fn chunked_uploads_together_never_exceed_the_quota() {
    let server = Server::start();
    let quota = 10 * SIZE;
    server.add_org("acme", Some(quota as u64));
    let systems: Vec<System> = (0..20).map(|n| server.add_system("acme", &format!("fw-{n}"))).collect();
    let late = server.add_system("acme", "late");
    let stored = all_at_once(&[&server], &systems, true);
    // Concurrent chunked uploads that are half done may refuse each other.
    assert!(stored <= 10, "{stored} were stored");
    assert_eventually("refused uploads have nothing reserved", TIMEOUT, || server.totals("acme").1 == 0);
    let (stored_bytes, reserved) = server.totals("acme");
    assert_eq!((usize::try_from(stored_bytes), reserved), (Ok(stored * SIZE), 0));
    assert_eq!(server.objects().len(), stored);
    if stored < 10 {
        server.upload(&late).chunked(bytes(SIZE)).send().id();
    }
}

#[test]
fn concurrent_retention_and_deletion_keep_the_totals_correct() {
    let server = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", 2).start();
    let other = server.sibling();
    server.add_org("acme", Some(100_000));
    let systems: Vec<System> = (0..3).map(|n| server.add_system("acme", &format!("fw-{n}"))).collect();
    std::thread::scope(|scope| {
        for system in &systems {
            for server in [&server, &other] {
                scope.spawn(move || {
                    for len in 1..=8 {
                        let answer = server.put(system, &bytes(len * 500));
                        assert!([201, 413, 429].contains(&answer.status), "{answer}");
                        if len % 3 == 0 {
                            for id in server.ids(system) {
                                let status = server.delete(system, &id).status;
                                assert!([200, 404].contains(&status));
                            }
                        }
                    }
                });
            }
        }
    });
    server.audit_is_clean();
    for system in &systems {
        let kept = server.ids(system);
        assert!(kept.len() <= 2);
        for id in kept {
            server.fetch(system, &id).send().status(200);
        }
    }
    assert_eventually("objects are those of the rows", TIMEOUT, || {
        let rows = server.db.all("SELECT object_key FROM backups WHERE state = 'stored' ORDER BY object_key");
        server.objects().into_iter().eq(rows)
    });
}
