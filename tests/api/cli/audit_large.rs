//! `strongroom audit` with many rows and objects.

use crate::harness::{Server, System, bytes};

/// Makes `count` stored backups of one byte, with their objects, and returns the keys in order.
fn many(server: &Server, system: &System, count: usize) -> Vec<String> {
    server.db.execute(&format!(
        "INSERT INTO backups (id, system_id, org_id, object_key, extension, state, filename, mimetype, admitted_at, want_bytes,
             reserved_bytes, seq, size_bytes, sha256, encrypted, uploaded_at)
         SELECT id, '{system}', '{org}', '{org}/{key}/' || id || '.bin', 'bin', 'stored', 'f', 'a/b', now(), 0, 0, n, 1,
             sha256('x'), false, now()
         FROM (SELECT n, ('01934fab-bc33-7890-a1b2-' || lpad(to_hex(n), 12, '0'))::uuid AS id
             FROM generate_series(1, {count}) AS n) AS new;
         UPDATE org_usage SET stored_bytes = stored_bytes + {count} WHERE org_id = '{org}'",
        system = system.id,
        org = system.org,
        key = system.key,
    ));
    let keys = server.db.all("SELECT object_key FROM backups ORDER BY object_key COLLATE \"C\"");
    for key in &keys {
        server.store.write(key, b"x");
    }
    keys
}

#[test]
fn audit_compares_rows_and_objects_across_pages() {
    needs_a_folder!();
    let server = Server::start();
    server.skip_comparison();
    let system = server.system();
    let keys = many(&server, &system, 2500);
    server.cli(["audit", "--store"]).exits(0).says("stored backups: 2500, objects: 2500");
    // Keys at both ends, and on both sides of the border between two pages of a thousand.
    let lost = [0, 999, 1000, 1001, 1999, 2000, 2499];
    for index in lost {
        server.store.remove(&keys[index]);
    }
    let stray = keys[1500].replace(".bin", ".gpg");
    server.store.write(&stray, b"x");
    server.store.write(&keys[700], b"xx");
    let report = server.cli(["audit", "--store", "--json"]).exits(1).json();
    let mut found: Vec<_> = report["differences"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["kind"].as_str().expect("text"), one["object_key"].as_str().expect("text")))
        .collect();
    found.sort_unstable();
    let mut expected: Vec<_> = lost.iter().map(|index| ("missing", keys[*index].as_str())).collect();
    expected.extend([("orphan", stray.as_str()), ("size", keys[700].as_str())]);
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!((&report["backups"], &report["objects"]), (&2500.into(), &2494.into()));
}

#[test]
fn audit_of_an_empty_store_reports_every_row() {
    needs_a_folder!();
    let server = Server::start();
    server.skip_comparison();
    let system = server.system();
    for key in many(&server, &system, 1200) {
        server.store.remove(&key);
    }
    let report = server.cli(["audit", "--store", "--json"]).exits(1).json();
    assert_eq!(report["differences"].as_array().map(Vec::len), Some(1200));
}

#[test]
fn audit_has_no_statement_timeout() {
    let server = Server::start();
    server.store(&server.system(), &bytes(10));
    // Fails, as a statement over many millions of rows does, unless its timeout is removed.
    server.db.execute(
        "CREATE FUNCTION is_unlimited() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
             IF current_setting('statement_timeout') <> '0' THEN
                 RAISE EXCEPTION 'canceling statement due to statement timeout';
             END IF;
             RETURN true;
         END $$;
         ALTER TABLE organizations RENAME TO real_organizations;
         CREATE VIEW organizations AS SELECT o.* FROM real_organizations AS o WHERE is_unlimited()",
    );
    let audit = server.cli(["audit"]);
    server.db.execute("DROP VIEW organizations; ALTER TABLE real_organizations RENAME TO organizations");
    audit.exits(0).says("the organization totals are right");
}

#[test]
fn index_of_object_keys_has_the_order_of_the_stores_listing() {
    let server = Server::start();
    server.skip_comparison();
    server.skip_audit();
    for name in ["a", "a-b", "a0"] {
        server.cli(["org", "add", name]).exits(0);
        let system = server.cli(["system", "add", "--org", name, "--name", "fw", "--key", name, "--json"]);
        let id = system.exits(0).json()["id"].as_str().expect("an id").to_owned();
        server.db.execute(&format!(
            "INSERT INTO backups (id, system_id, org_id, object_key, extension, state, filename, mimetype, admitted_at,
                 want_bytes, reserved_bytes, seq, size_bytes, sha256, encrypted, uploaded_at)
             VALUES ('{id}', '{id}', '{name}', '{name}/{name}/{id}.bin', 'bin', 'stored', 'f', 'a/b', now(), 0, 0, 1, 1,
                 sha256('x'), false, now())",
        ));
    }
    assert_eq!(
        server.db.all("SELECT org_id FROM backups ORDER BY object_key COLLATE \"C\""),
        ["a-b", "a", "a0"]
    );
    let collation = "SELECT c.collname FROM pg_index AS i JOIN pg_collation AS c ON c.oid = i.indcollation[0]
         WHERE i.indexrelid = 'backups_of_key'::regclass";
    assert_eq!(server.db.one(collation), "C", "otherwise each page would sort the whole table");
}
