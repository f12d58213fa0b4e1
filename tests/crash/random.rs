//! Processes are killed at random while appliances upload and delete. `STRONGROOM_CRASH_SECONDS` (20) is the
//! duration, `STRONGROOM_CRASH_SEED` repeats the choices of the clients and of the killer (but not the timing of
//! the machine).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::crash_fixture::{assert_cleaned_up, builder};
use crate::harness::{BACKUPS, Disconnect, Random, RawClient, Server, System, seconds, sha256_hex, wait_for};

const CLIENTS: u64 = 5;
/// More than the test uploads: retention never removes a backup.
const MOST_BACKUPS: usize = 200;

/// What a client knows.
#[derive(Default)]
struct ClientRecord {
    /// Hashes by id, of backups whose upload was answered `201`.
    stored: BTreeMap<String, String>,
    /// Hashes of all bodies that were ever sent.
    sent: BTreeSet<String>,
    deleted: BTreeSet<String>,
    /// Ids of backups whose deletion was sent and not answered.
    unknown: BTreeSet<String>,
    unanswered: u32,
}

struct Fleet {
    processes: Vec<Mutex<Arc<Server>>>,
    stopped: AtomicBool,
}

impl Fleet {
    fn random_process(&self, random: &mut Random) -> Arc<Server> {
        let index = random.below(self.processes.len());
        Arc::clone(&self.processes[index].lock().expect("a process"))
    }

    fn kill_random_process(&self, random: &mut Random) {
        let mut process = self.processes[random.below(self.processes.len())].lock().expect("a process");
        process.kill();
        process.skip_audit();
        *process = Arc::new(process.sibling());
    }
}

fn client(fleet: &Fleet, system: &System, mut random: Random) -> ClientRecord {
    let mut record = ClientRecord::default();
    while !fleet.stopped.load(Ordering::Relaxed) {
        let server = fleet.random_process(&mut random);
        match random.below(10) {
            0..6 if record.stored.len() - record.deleted.len() < MOST_BACKUPS => {
                upload(&server, system, &mut random, &mut record);
            }
            ..8 => delete(&server, system, &mut random, &mut record),
            _ => disconnect_in_body(&server, system, &mut random),
        }
    }
    record
}

fn upload(server: &Server, system: &System, random: &mut Random, record: &mut ClientRecord) {
    let most = [100, 5000, 70_000, 1_000_000, 9_000_000][random.below(5)];
    let length = 1 + random.below(most);
    let body = random.bytes(length);
    let sha256 = sha256_hex(&body);
    record.sent.insert(sha256.clone());
    let request = server.upload(system);
    let request = if random.below(2) == 0 { request.body(body) } else { request.chunked(body) };
    match request.try_send() {
        Ok(answer) if answer.status == 201 => drop(record.stored.insert(answer.id(), sha256)),
        // Uploads of killed processes count as open until they are swept.
        Ok(answer) => assert!([429, 503].contains(&answer.status), "{answer}"),
        Err(_) => record.unanswered += 1,
    }
}

fn delete(server: &Server, system: &System, random: &mut Random, record: &mut ClientRecord) {
    let there: Vec<_> = record.stored.keys().filter(|id| !record.deleted.contains(*id)).cloned().collect();
    if there.is_empty() {
        return;
    }
    let id = there[random.below(there.len())].clone();
    match server.request("DELETE", &format!("{BACKUPS}/{id}")).user(system).try_send() {
        Ok(answer) if answer.status == 200 => drop(record.deleted.insert(id)),
        Ok(answer) if answer.status == 404 => {
            assert!(record.unknown.contains(&id), "lost: {answer}");
            record.deleted.insert(id);
        }
        Ok(answer) => assert_eq!(answer.status, 503, "{answer}"),
        Err(_) => drop(record.unknown.insert(id)),
    }
}

/// Sends half of an upload, and disconnects.
fn disconnect_in_body(server: &Server, system: &System, random: &mut Random) {
    let half = random.below(200_000);
    let Ok(mut raw) = RawClient::try_to(server) else { return };
    let length = format!("Content-Length: {}", 2 * half + 1);
    let _ = raw.try_send(crate::harness::head("POST", BACKUPS, system, &[&length]));
    let _ = raw.try_send(random.bytes(half));
    raw.disconnect(if random.below(2) == 0 { Disconnect::Fin } else { Disconnect::Rst });
}

#[test]
fn every_upload_answered_201_survives_any_number_of_kills() {
    let mut random = Random::seeded("STRONGROOM_CRASH_SEED");
    let length = seconds("STRONGROOM_CRASH_SECONDS", 20);
    let builder =
        builder().set("BACKUP_MAX_PER_SYSTEM", 10_000).set("BACKUP_MAX_SIZE_PER_SYSTEM", 1u64 << 50);
    let first = builder.start();
    first.add_org("acme", None);
    let systems: Vec<_> = (0..CLIENTS).map(|n| first.add_system("acme", &format!("fw-{n}"))).collect();
    let second = first.sibling();
    let processes = [first, second].map(|server| Mutex::new(Arc::new(server))).into();
    let fleet = Fleet { processes, stopped: AtomicBool::new(false) };
    let mut kills = 0;
    let record: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = systems
            .iter()
            .map(|system| {
                let (fleet, random) = (&fleet, random.fork());
                scope.spawn(move || client(fleet, system, random))
            })
            .collect();
        let end = Instant::now() + length;
        while Instant::now() < end && !clients.iter().any(std::thread::ScopedJoinHandle::is_finished) {
            wait_for(Duration::from_millis(100 + random.below(600) as u64));
            fleet.kill_random_process(&mut random);
            kills += 1;
        }
        fleet.stopped.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().expect("a client")).collect()
    });
    let server = fleet.random_process(&mut random);
    assert_cleaned_up(&server);
    let (mut stored, mut unanswered) = (0, 0);
    for (system, record) in systems.iter().zip(&record) {
        assert_promised_backups(&server, system, record);
        stored += record.stored.len();
        unanswered += record.unanswered;
    }
    println!("{kills} kills; {stored} uploads answered 201, {unanswered} without an answer");
    assert!(stored > 0 && kills > 0);
}

fn assert_promised_backups(server: &Server, system: &System, record: &ClientRecord) {
    let mut listed: BTreeMap<String, String> = BTreeMap::new();
    for backup in server.list(system) {
        let text = |name: &str| backup[name].as_str().expect("text").to_owned();
        let body = server.fetch(system, &text("id")).send().status(200).body;
        assert_eq!(sha256_hex(&body), text("sha256"), "the bytes match the list");
        assert!(record.sent.contains(&text("sha256")), "no client sent {backup}");
        listed.insert(text("id"), text("sha256"));
    }
    for (id, sha256) in &record.stored {
        if record.deleted.contains(id) {
            assert!(!listed.contains_key(id), "{id} was deleted");
        } else if !record.unknown.contains(id) {
            assert_eq!(listed.get(id), Some(sha256), "{id} was answered 201");
        }
    }
    server.store(system, b"and it goes on");
}
