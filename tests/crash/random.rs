//! Processes are killed at random while appliances upload and delete. `STRONGROOM_CRASH_SECONDS` (20) says for how
//! long, `STRONGROOM_CRASH_SEED` repeats the clients' choices and the killer's (the machine makes its own).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::crash_fixture::{builder, settles};
use crate::harness::{
    BACKUPS, PATIENCE, Random, Server, System, Vanish, Wire, assert_eventually, seconds, sha256_hex,
};

const CLIENTS: u64 = 5;
/// Backups that a client keeps: retention never has a say.
const MOST: usize = 200;

/// What a client knows.
#[derive(Default)]
struct Known {
    /// By id, what was answered `201`, and its hash.
    stored: BTreeMap<String, String>,
    /// Hashes of all that was ever sent.
    sent: BTreeSet<String>,
    deleted: BTreeSet<String>,
    /// A deletion was sent, and no answer came.
    unsure: BTreeSet<String>,
    silent: u32,
}

struct Fleet {
    processes: Vec<Mutex<Arc<Server>>>,
    over: AtomicBool,
}

impl Fleet {
    fn one_of(&self, random: &mut Random) -> Arc<Server> {
        let index = random.below(self.processes.len());
        Arc::clone(&self.processes[index].lock().expect("a process"))
    }

    fn kill_one(&self, random: &mut Random) {
        let mut process = self.processes[random.below(self.processes.len())].lock().expect("a process");
        process.kill();
        process.skip_audit();
        *process = Arc::new(process.sibling());
    }
}

fn client(fleet: &Fleet, system: &System, mut random: Random) -> Known {
    let mut known = Known::default();
    while !fleet.over.load(Ordering::Relaxed) {
        let server = fleet.one_of(&mut random);
        match random.below(10) {
            0..6 if known.stored.len() - known.deleted.len() < MOST => {
                upload(&server, system, &mut random, &mut known);
            }
            ..8 => delete(&server, system, &mut random, &mut known),
            _ => break_off(&server, system, &mut random),
        }
    }
    known
}

fn upload(server: &Server, system: &System, random: &mut Random, known: &mut Known) {
    let most = [100, 5000, 70_000, 1_000_000, 9_000_000][random.below(5)];
    let length = 1 + random.below(most);
    let body = random.bytes(length);
    let sha256 = sha256_hex(&body);
    known.sent.insert(sha256.clone());
    let request = server.upload(system);
    let request = if random.below(2) == 0 { request.body(body) } else { request.chunked(body) };
    match request.try_send() {
        Ok(answer) if answer.status == 201 => drop(known.stored.insert(answer.id(), sha256)),
        // Uploads of the dead count as open until they are swept.
        Ok(answer) => assert!([429, 503].contains(&answer.status), "{answer}"),
        Err(_) => known.silent += 1,
    }
}

fn delete(server: &Server, system: &System, random: &mut Random, known: &mut Known) {
    let there: Vec<_> = known.stored.keys().filter(|id| !known.deleted.contains(*id)).cloned().collect();
    if there.is_empty() {
        return;
    }
    let id = there[random.below(there.len())].clone();
    match server.request("DELETE", &format!("{BACKUPS}/{id}")).user(system).try_send() {
        Ok(answer) if answer.status == 200 => drop(known.deleted.insert(id)),
        Ok(answer) if answer.status == 404 => {
            assert!(known.unsure.contains(&id), "lost: {answer}");
            known.deleted.insert(id);
        }
        Ok(answer) => assert_eq!(answer.status, 503, "{answer}"),
        Err(_) => drop(known.unsure.insert(id)),
    }
}

/// Half an upload, and then the connection is gone.
fn break_off(server: &Server, system: &System, random: &mut Random) {
    let half = random.below(200_000);
    let Ok(mut wire) = Wire::try_to(server) else { return };
    let length = format!("Content-Length: {}", 2 * half + 1);
    let _ = wire.try_send(crate::harness::head("POST", BACKUPS, system, &[&length]));
    let _ = wire.try_send(random.bytes(half));
    wire.vanish(if random.below(2) == 0 { Vanish::Fin } else { Vanish::Rst });
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
    let fleet = Fleet { processes, over: AtomicBool::new(false) };
    let mut kills = 0;
    let known: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = systems
            .iter()
            .map(|system| {
                let (fleet, random) = (&fleet, random.fork());
                scope.spawn(move || client(fleet, system, random))
            })
            .collect();
        let end = Instant::now() + length;
        while Instant::now() < end && !clients.iter().any(std::thread::ScopedJoinHandle::is_finished) {
            let next = Instant::now() + Duration::from_millis(100 + random.below(600) as u64);
            assert_eventually("time goes by", PATIENCE, || Instant::now() >= next);
            fleet.kill_one(&mut random);
            kills += 1;
        }
        fleet.over.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().expect("a client")).collect()
    });
    let server = fleet.one_of(&mut random);
    settles(&server);
    let (mut stored, mut silent) = (0, 0);
    for (system, known) in systems.iter().zip(&known) {
        has_what_was_promised(&server, system, known);
        stored += known.stored.len();
        silent += known.silent;
    }
    println!("{kills} kills; {stored} uploads answered 201, {silent} without an answer");
    assert!(stored > 0 && kills > 0);
}

fn has_what_was_promised(server: &Server, system: &System, known: &Known) {
    let mut listed: BTreeMap<String, String> = BTreeMap::new();
    for backup in server.list(system) {
        let text = |name: &str| backup[name].as_str().expect("text").to_owned();
        let body = server.fetch(system, &text("id")).send().status(200).body;
        assert_eq!(sha256_hex(&body), text("sha256"), "the bytes are those of the list");
        assert!(known.sent.contains(&text("sha256")), "nobody sent {backup}");
        listed.insert(text("id"), text("sha256"));
    }
    for (id, sha256) in &known.stored {
        if known.deleted.contains(id) {
            assert!(!listed.contains_key(id), "{id} was deleted");
        } else if !known.unsure.contains(id) {
            assert_eq!(listed.get(id), Some(sha256), "{id} was answered 201");
        }
    }
    server.store(system, b"and it goes on");
}
