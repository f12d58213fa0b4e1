//! In the default order each system is listed exactly once, whatever happens while the pages are read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{ADMIN, VIEW, get, start_with_fleet, texts};
use crate::harness::SetOnDrop;

/// Adds, renames, suspends and destroys systems, and moves backups on, until it is told to stop. Systems whose key begins with
/// `new` come and go.
fn disturb(server: &crate::harness::Server, stop: &AtomicBool) {
    let database = crate::harness::Database::at(server.db.url());
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        database.execute(&format!(
            "INSERT INTO systems (id, system_key, org_id, name, secret_sha256)
                 SELECT gen_random_uuid(), 'new-{round}-' || o.id, o.id, 'Firewall ' || {round}, sha256('x') FROM organizations o;
             UPDATE systems SET name = 'Renamed ' || {round} WHERE id IN (SELECT id FROM systems ORDER BY random() LIMIT 9);
             UPDATE systems SET state = CASE state WHEN 'active' THEN 'suspended' ELSE 'active' END
                 WHERE id IN (SELECT id FROM systems ORDER BY random() LIMIT 9);
             UPDATE systems SET unchanged_at = now() WHERE id IN (SELECT id FROM systems ORDER BY random() LIMIT 9);
             DELETE FROM systems WHERE system_key LIKE 'new-%' AND random() < 0.5"
        ));
    }
}

#[test]
fn each_system_is_listed_exactly_once_while_the_fleet_changes() {
    let (login, server) = start_with_fleet(60);
    let callers = [
        (login.token("nobody", ADMIN), "true", ""),
        (login.token("top", VIEW), "s.org_id IN ('top', 'north', 'south', 'deep')", ""),
        (login.token("nobody", ADMIN), "s.org_id = 'other'", "&org=other"),
    ];
    let lasting = |orgs: &str| {
        server.db.all(&format!(
            "SELECT s.id FROM systems s WHERE {orgs} AND s.system_key NOT LIKE 'new-%' ORDER BY s.id"
        ))
    };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = SetOnDrop(&stop);
        scope.spawn(|| disturb(&server, &stop));
        for (token, orgs, org) in &callers {
            for sort in ["created_at", "-created_at"] {
                let mut seen: BTreeMap<String, usize> = BTreeMap::new();
                let mut cursor = String::new();
                loop {
                    let query = format!("/api/systems?limit=3&sort={sort}{org}{cursor}");
                    let page = get(&server, token, &query).status(200).data();
                    for id in texts(page["systems"].as_array().expect("systems"), "id") {
                        *seen.entry(id).or_default() += 1;
                    }
                    let Some(next) = page["next_cursor"].as_str() else { break };
                    cursor = format!("&cursor={next}");
                }
                let twice: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
                assert!(twice.is_empty(), "{orgs} {sort}: {twice:?}");
                let missing: Vec<_> = lasting(orgs).into_iter().filter(|id| !seen.contains_key(id)).collect();
                assert!(missing.is_empty(), "{orgs} {sort}: {missing:?}");
            }
        }
    });
}
