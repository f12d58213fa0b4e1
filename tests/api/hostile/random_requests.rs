//! Random invalid requests: the service keeps running, keeps its memory bounded, and serves other clients.
//!
//! Everything follows from a seed, which is printed: `STRONGROOM_HOSTILE_SEED` repeats the requests,
//! `STRONGROOM_HOSTILE_REQUESTS` sets their number in a round.
//!
//! Everything follows from a seed, which is printed: `STRONGROOM_HOSTILE_SEED` sends the same again,
//! `STRONGROOM_HOSTILE_REQUESTS` sets how many requests a round has.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::harness::{
    BACKUPS, Builder, Certificate, Disconnect, PROMPT_TIMEOUT, Random, RawClient, Server, SetOnDrop, System,
    TIMEOUT, assert_eventually, bytes, chunk, eventually, sha256_hex,
};
use crate::hostile::request_generator;

/// The growth that a repeated round may cause in the allocator, in KiB.
const KEPT: u64 = 16 * 1024;
const CLIENTS: u64 = 6;

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
}

/// Sends a request, all of it or a part, and reads the answers. Returns their statuses.
fn play(server: &Server, random: &mut Random, system: &System) -> Vec<u16> {
    let mut request = request_generator::request(random, system);
    let leaves = random.one_in(4);
    if leaves {
        request.truncate(random.below(request.len()));
    }
    let how = if random.one_in(2) { Disconnect::Fin } else { Disconnect::Rst };
    let mut raw = RawClient::to(server);
    // A client that is refused early may not be able to send everything.
    let (first, rest) = request.split_at(random.below(request.len() + 1));
    let _ = raw.try_send(first).and_then(|()| raw.try_send(rest));
    if leaves {
        raw.disconnect(how);
        return Vec::new();
    }
    raw.end_sending();
    let mut statuses = Vec::new();
    while let Ok(status) = raw.try_status() {
        statuses.push(status);
    }
    statuses
}

/// Runs a round of hostile requests by a few clients at once; each client has a seed of its own, so it can be
/// repeated.
fn round(server: &Server, systems: &[System], seed: u64, requests: u64) -> BTreeSet<u16> {
    let statuses = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (statuses, system) =
                (&statuses, &systems[usize::try_from(client).expect("small") % systems.len()]);
            scope.spawn(move || {
                let mut random = Random::new(seed ^ (client << 32));
                for number in 0..requests / CLIENTS {
                    let before = random.clone();
                    for status in play(server, &mut random, system) {
                        let request = || request_generator::request(&mut before.clone(), system);
                        assert!(
                            status < 500,
                            "{status} for request {number} of client {client}, seed {seed}: {}",
                            request().escape_ascii()
                        );
                        statuses.lock().expect("not poisoned").insert(status);
                    }
                }
            });
        }
    });
    statuses.into_inner().expect("not poisoned")
}

/// Uploads and fetches until `over`; returns how often.
fn good_client(server: &Server, system: &System, over: &AtomicBool) -> u64 {
    let mut times = 0;
    while !over.load(Ordering::Relaxed) || times == 0 {
        let body = bytes(2000);
        let answer = server.put(system, &body);
        let id = answer.id();
        assert_eq!(answer.data()["sha256"], sha256_hex(&body));
        assert_eq!(server.fetch(system, &id).send().status(200).body, body);
        times += 1;
    }
    times
}

/// Checks that every object has the key of a backup of one of these systems.
fn objects_are_where_they_belong(server: &Server, systems: &[System]) {
    for key in server.objects() {
        let parts: Vec<&str> = key.split('/').collect();
        assert_eq!(parts.len(), 3, "an object at {key}");
        let owner = systems.iter().find(|system| system.org == parts[0] && system.key == parts[1]);
        assert!(owner.is_some(), "an object of no system at {key}");
    }
    if !crate::harness::on_s3() {
        let beside = server.store.path().parent().expect("a folder").read_dir().expect("list it");
        assert_eq!(beside.count(), 1, "something was written beside the store");
    }
}

#[test]
fn thousands_of_random_requests_do_not_disturb_other_clients() {
    hostile_requests_do_no_harm(Server::builder(), 3000);
}

#[test]
fn hundreds_of_random_requests_over_tls_do_not_disturb_other_clients() {
    hostile_requests_do_no_harm(Server::builder().tls(&Certificate::new()), 900);
}

fn hostile_requests_do_no_harm(builder: Builder, requests: u64) {
    let seed = from_environment("STRONGROOM_HOSTILE_SEED", u64::from(std::process::id()) ^ 0x5EED);
    let requests = from_environment("STRONGROOM_HOSTILE_REQUESTS", requests);
    println!("STRONGROOM_HOSTILE_SEED={seed} STRONGROOM_HOSTILE_REQUESTS={requests}");
    let server = builder.no_rate_limit().start();
    let systems: Vec<System> = (0..3).map(|_| server.system()).collect();
    let (good, hostile) = systems.split_first().expect("three");
    let over = AtomicBool::new(false);
    let resident = std::thread::scope(|scope| {
        let client = scope.spawn(|| good_client(&server, good, &over));
        let end = SetOnDrop(&over);
        let mut resident = Vec::new();
        for _ in 0..2 {
            let statuses = round(&server, hostile, seed, requests);
            for status in [200, 201, 400, 401, 404] {
                assert!(
                    statuses.contains(&status) || requests < 1000,
                    "never answered {status}: {statuses:?}"
                );
            }
            assert_eventually("no upload is left open", TIMEOUT, || {
                hostile.iter().all(|system| server.totals(&system.org).1 == 0)
            });
            resident.push(server.resident());
        }
        drop(end);
        println!("{} good uploads meanwhile", client.join().expect("the good client"));
        resident
    });
    println!("resident after each round, in KiB: {resident:?}");
    assert!(resident[1] <= resident[0] + KEPT, "memory grows: {resident:?} KiB");
    server.has_not_panicked();
    assert_eventually("all unfinished writes are removed", TIMEOUT, || server.temporary().is_empty());
    objects_are_where_they_belong(&server, &systems);
}

#[test]
fn hundreds_of_slow_clients_do_not_delay_others() {
    slow_clients_delay_no_other(Server::builder());
}

#[test]
fn hundreds_of_slow_clients_over_tls_do_not_delay_others() {
    slow_clients_delay_no_other(Server::builder().tls(&Certificate::new()));
}

fn slow_clients_delay_no_other(builder: Builder) {
    // The slow clients are not ended, however long the test takes.
    let server = builder
        .no_rate_limit()
        .set("BACKUP_MAX_SIZE_PER_ORG", 0)
        .set("BACKUP_BODY_MIN_RATE", 0)
        .set("BACKUP_BODY_IDLE_TIMEOUT", 600)
        .start();
    server.add_org("slow", None);
    let systems = server.add_systems("slow", 40);
    let good = server.system();
    let mut slow: Vec<RawClient> = Vec::new();
    for system in &systems {
        let bodies = ["Content-Length: 100000", "Transfer-Encoding: chunked"];
        slow.extend((0..4).map(|n| RawClient::upload(&server, system, &[bodies[n % 2]])));
    }
    assert_eventually("the slow bodies are under way", TIMEOUT, || server.receiving() == 160);
    slow.extend((0..240).map(|_| {
        let mut raw = RawClient::to(&server);
        raw.send("X");
        raw
    }));
    let before = server.resident();
    for turn in 0..10 {
        for (number, raw) in slow.iter_mut().enumerate() {
            let drop = match number {
                160.. => b"X".to_vec(),
                _ if number % 2 == 0 => b"x".to_vec(),
                _ => chunk(b"x"),
            };
            let sent = raw.try_send(drop);
            // The timeout for a head is shorter.
            if number < 160 {
                sent.unwrap_or_else(|e| panic!("turn {turn}, slow client {number}: {e}"));
            }
        }
        let start = Instant::now();
        let id = server.store(&good, &bytes(50_000));
        server.fetch(&good, &id).send().status(200);
        assert!(start.elapsed() < TIMEOUT, "delayed by {:?}", start.elapsed());
    }
    let after = server.resident();
    assert!(after <= before + KEPT, "{before} KiB before the drops, {after} after");
    for (number, raw) in slow.into_iter().enumerate() {
        raw.disconnect(if number % 2 == 0 { Disconnect::Fin } else { Disconnect::Rst });
    }
    assert_eventually("all uploads are aborted", PROMPT_TIMEOUT * 10, || server.totals("slow") == (0, 0));
    assert!(eventually(TIMEOUT, || server.temporary().is_empty()), "temporary files are left");
    server.has_not_panicked();
    server.get(BACKUPS).user(&good).send().status(200);
}
