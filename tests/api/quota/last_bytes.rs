//! Many uploads at three processes compete for the last bytes of a quota. Meanwhile the test checks in Postgres
//! that the totals equal the rows and never exceed the quota.

use std::sync::Barrier;

use crate::harness::{
    Answer, Disconnect, PROMPT_TIMEOUT, RawClient, Server, System, TIMEOUT, assert_eventually, bytes, chunk,
};

const MIB: usize = 1024 * 1024;

/// Starts three processes on the same database and store.
fn three_processes(slots: usize) -> [Server; 3] {
    let first = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", slots).start();
    let (second, third) = (first.sibling(), first.sibling());
    [first, second, third]
}

fn figure(bytes: usize) -> i64 {
    i64::try_from(bytes).expect("a total")
}

/// Uploads these sizes at the same moment, each for its system; distributed over the servers.
fn upload_at_once(servers: &[Server], uploads: &[(&System, usize)], chunked: bool) -> Vec<Answer> {
    let start = Barrier::new(uploads.len());
    std::thread::scope(|scope| {
        let upload = |number: usize, system: &System, size: usize| {
            let request = servers[number % servers.len()].upload(system);
            let request = if chunked { request.chunked(bytes(size)) } else { request.body(bytes(size)) };
            start.wait();
            request.send()
        };
        let clients: Vec<_> = uploads
            .iter()
            .enumerate()
            .map(|(number, &(system, size))| scope.spawn(move || upload(number, system, size)))
            .collect();
        clients.into_iter().map(|client| client.join().expect("a client")).collect()
    })
}

/// Returns how many were stored; the others must have been over the quota.
fn stored(answers: &[Answer]) -> usize {
    let (stored, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    for answer in refused {
        answer.is_over_quota();
    }
    stored.len()
}

#[test]
fn quota_for_one_admits_exactly_one_of_fifty_uploads_at_three_processes() {
    let servers = three_processes(10);
    let quota = 300_000;
    servers[0].add_org("acme", Some(quota as u64));
    let systems = servers[0].add_systems("acme", 51);
    let (other, systems) = systems.split_last().expect("51");
    let mut looked = 0;
    for round in 0..8 {
        // Less space in each round: each process remembers its refusals of larger sizes.
        servers[0].store(other, b"x");
        let free = quota - 1 - round;
        let uploads: Vec<_> = systems.iter().map(|system| (system, free)).collect();
        let (answers, looks) = servers[0]
            .with_totals_checked("acme", figure(quota), || upload_at_once(&servers, &uploads, false));
        assert_eq!(stored(&answers), 1, "round {round}");
        // The first sample was taken before the uploads.
        looked += looks.len() - 1;
        assert_eq!(servers[0].totals("acme"), (figure(quota), 0), "round {round}");
        assert_eq!(servers[0].receiving(), 0, "round {round}");
        let winner = answers.iter().position(|answer| answer.status == 201).expect("one");
        servers[1].delete(&systems[winner], &answers[winner].id()).status(200);
    }
    assert!(looked >= 8, "{looked} samples");
}

#[test]
fn uploads_are_refused_before_their_bodies_while_another_has_reserved_the_quota() {
    let servers = three_processes(10);
    let size = 100_000;
    servers[0].add_org("acme", Some(size as u64));
    let systems = servers[0].add_systems("acme", 50);
    let length = format!("Content-Length: {size}");
    let ((), looks) = servers[0].with_totals_checked("acme", figure(size), || {
        let mut wires: Vec<_> = systems
            .iter()
            .enumerate()
            .map(|(number, system)| RawClient::upload(&servers[number % 3], system, &[&length]))
            .collect();
        assert_eventually("all but one are answered", PROMPT_TIMEOUT * 10, || {
            wires.iter().filter(|raw| !raw.has_something_to_read()).count() == 1
        });
        assert_eq!(servers[0].totals("acme"), (0, figure(size)));
        let (refused, mut holds): (Vec<_>, Vec<_>) =
            wires.drain(..).partition(RawClient::has_something_to_read);
        for mut raw in refused {
            raw.answer().is_over_quota();
        }
        holds[0].send(bytes(size));
        holds[0].answer().id();
    });
    assert!(looks.iter().any(|look| look.reserved == figure(size)), "some sample shows the reservation");
    assert_eq!(servers[0].totals("acme"), (figure(size), 0));
}

#[test]
fn quota_admits_two_of_two_halves_and_one_byte() {
    let servers = three_processes(10);
    let half = 50_000;
    for round in 0..12 {
        let org = format!("acme-{round}");
        servers[0].add_org(&org, Some(2 * half as u64));
        let systems = servers[0].add_systems(&org, 3);
        // The one byte comes between the halves, before them, and after them.
        let mut sizes = [half, half, 1];
        sizes.rotate_left(round % 3);
        let uploads: Vec<_> = systems.iter().zip(sizes).collect();
        let (answers, _) = servers[0]
            .with_totals_checked(&org, figure(2 * half), || upload_at_once(&servers, &uploads, false));
        assert_eq!(stored(&answers), 2, "round {round}");
        let kept = answers.iter().zip(sizes).filter(|(answer, _)| answer.status == 201).map(|(_, size)| size);
        assert_eq!(servers[0].totals(&org), (figure(kept.sum()), 0), "round {round}");
    }
}

#[test]
fn all_systems_of_a_full_organization_replace_backups_at_once() {
    let (size, slots, count) = (20_000, 2, 12);
    let servers = three_processes(slots);
    let mut quota = size * slots * count;
    servers[0].add_org("acme", Some(quota as u64));
    let systems = servers[0].add_systems("acme", count);
    for system in &systems {
        (0..slots).for_each(|_| drop(servers[0].store(system, &bytes(size))));
    }
    assert_eq!(servers[0].totals("acme"), (figure(quota), 0), "the quota is full to the last byte");
    for round in 0..4 {
        // Each system replaces both its backups at once, at different processes, with slightly smaller ones:
        // then totals that were read too early would show.
        let sizes = (0..count * slots).map(|number| size - round * 10 - number % 7);
        let uploads: Vec<_> = systems.iter().cycle().zip(sizes).collect();
        let before: Vec<_> = systems.iter().map(|system| servers[0].ids(system)).collect();
        let (answers, _) = servers[0]
            .with_totals_checked("acme", figure(quota), || upload_at_once(&servers, &uploads, round == 1));
        assert_eq!(stored(&answers), uploads.len(), "round {round}: an upload was refused");
        quota = uploads.iter().map(|(_, size)| size).sum();
        assert_eq!(servers[0].totals("acme"), (figure(quota), 0), "round {round}");
        // The quota is full again: in the next round only the replaced bytes are free.
        servers[0].cli(["org", "set-quota", "acme", &quota.to_string()]).exits(0);
        for (system, old) in systems.iter().zip(before) {
            let kept = servers[0].ids(system);
            assert_eq!(kept.len(), slots);
            assert!(kept.iter().all(|id| !old.contains(id)), "round {round}: an old backup was kept");
        }
    }
}

#[test]
fn chunked_uploads_racing_for_the_last_bytes_never_exceed_the_quota() {
    let servers = three_processes(10);
    let (quota, size) = (24 * MIB + 3, 9 * MIB);
    servers[0].add_org("acme", Some(quota as u64));
    let systems = servers[0].add_systems("acme", 7);
    let mut half = RawClient::upload(&servers[0], &systems[6], &["Transfer-Encoding: chunked"]);
    half.send(chunk(&bytes(1)));
    assert_eventually("a step is reserved", TIMEOUT, || servers[0].totals("acme") == (0, figure(8 * MIB)));
    half.disconnect(Disconnect::Rst);
    assert_eventually("the reservation is released", TIMEOUT, || servers[0].totals("acme") == (0, 0));
    let uploads: Vec<_> = systems[..6].iter().map(|system| (system, size)).collect();
    let (answers, _) =
        servers[0].with_totals_checked("acme", figure(quota), || upload_at_once(&servers, &uploads, true));
    let count = stored(&answers);
    assert!(count <= 2, "{count} of 9 MiB in 24");
    assert_eventually("nothing is reserved any more", TIMEOUT, || {
        servers[0].totals("acme") == (figure(count * size), 0)
    });
    // Exactly the bytes are free that the totals show.
    let left = quota - count * size;
    servers[1].upload(&systems[6]).chunked(bytes(left + 1)).send().is_over_quota();
    servers[2].upload(&systems[6]).chunked(bytes(left)).send().id();
    assert_eq!(servers[0].totals("acme"), (figure(quota), 0));
}
