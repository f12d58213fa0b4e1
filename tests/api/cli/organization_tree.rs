//! `strongroom org add --parent`, `org set-parent` and `org list --tree`.

use std::thread;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};
use serde_json::Value;

use crate::harness::{Server, TIMEOUT, assert_eventually, bytes, run};

fn parents(server: &Server) -> Vec<String> {
    server.db.all("SELECT concat_ws(' ', id, parent_id) FROM organizations ORDER BY id")
}

fn moves(server: &Server) -> Vec<String> {
    server.db.all("SELECT concat_ws(' ', org_id, actor, detail) FROM backup_events WHERE kind = 'org_moved' ORDER BY id")
}

/// Adds organizations `names[0]`, below it `names[1]`, and so on.
fn chain(server: &Server, names: &[&str]) {
    server.cli(["org", "add", names[0]]).exits(0);
    for pair in names.windows(2) {
        server.cli(["org", "add", pair[1], "--parent", pair[0]]).exits(0);
    }
}

#[test]
fn organization_is_added_below_another_one_and_moved() {
    let server = Server::start();
    server.add_org("globex", None);
    server.add_org("acme", None);
    let added = server.cli(["org", "add", "north", "--parent", "acme", "--json"]).exits(0).json();
    assert_eq!((&added["parent_id"], &added["systems"]), (&"acme".into(), &0.into()));
    assert_eq!(parents(&server), ["acme", "globex", "north acme"]);
    server.cli(["org", "set-parent", "north", "globex"]).exits(0).says("globex");
    let moved = server.cli(["org", "set-parent", "north", "none", "--json"]).exits(0).json();
    assert_eq!(moved["parent_id"], Value::Null);
    // It is there already: nothing happens.
    server.cli(["org", "set-parent", "north", "none"]).exits(0);
    assert_eq!(
        moves(&server),
        [
            r#"north operator {"new": "globex", "old": "acme"}"#,
            r#"north operator {"new": null, "old": "globex"}"#
        ]
    );
    assert_eq!(parents(&server), ["acme", "globex", "north"]);
    let history = server.cli(["events", "--kind", "org_moved"]).exits(0);
    history.says("from below acme to below globex");
    history.says("from below globex to the top");
    let details =
        server.db.all("SELECT detail FROM backup_events WHERE kind = 'org_added' AND org_id = 'north'");
    assert_eq!(details, [r#"{"name": "north", "quota": "default", "parent": "acme"}"#]);
}

#[test]
fn unknown_organizations_are_refused_and_the_nearest_is_suggested() {
    let server = Server::start();
    server.add_org("acme", None);
    for arguments in [
        ["org", "add", "north", "--parent", "acmee"].as_slice(),
        &["org", "set-parent", "acme", "acmee"],
        &["org", "set-parent", "acmee", "none"],
    ] {
        let refused = run(server.command([]).args(arguments)).exits(1);
        assert!(refused.stderr.contains("no organization acmee: did you mean acme?"), "{refused:?}");
    }
    for wrong in ["../acme", "a b", ""] {
        server.cli(["org", "set-parent", "acme", wrong]).exits(2);
    }
    assert_eq!(parents(&server), ["acme"]);
    assert_eq!(moves(&server), [""; 0]);
}

#[test]
fn organization_is_not_placed_below_itself() {
    let server = Server::start();
    chain(&server, &["a", "b", "c"]);
    for parent in ["a", "b", "c"] {
        let refused = server.cli(["org", "set-parent", "a", parent]).exits(1);
        assert!(refused.stderr.contains("cannot be below itself"), "{refused:?}");
        assert_eq!((refused.stderr.lines().count(), refused.stdout.as_str()), (1, ""));
    }
    assert_eq!(parents(&server), ["a", "b a", "c b"]);
}

#[test]
fn tree_has_at_most_eight_levels() {
    let server = Server::start();
    chain(&server, &["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"]);
    let refused = server.cli(["org", "add", "a9", "--parent", "a8"]).exits(1);
    assert!(refused.stderr.contains("more than 8 levels"), "{refused:?}");
    chain(&server, &["b1", "b2", "b3"]);
    // What is below a moved organization counts.
    let refused = server.cli(["org", "set-parent", "b1", "a6"]).exits(1);
    assert!(refused.stderr.contains("more than 8 levels"), "{refused:?}");
    server.cli(["org", "set-parent", "b2", "a6"]).exits(0);
    server.cli(["org", "set-parent", "a8", "none"]).exits(0);
    server.cli(["org", "set-parent", "b1", "a7"]).exits(0);
    assert_eq!(server.db.one("SELECT cardinality(org_and_above('b3'))"), "8");
    assert_eq!(server.db.one("SELECT cardinality(org_and_above('b1'))"), "8");
}

#[test]
fn organization_with_others_below_it_is_not_deleted() {
    let server = Server::start();
    chain(&server, &["acme", "north"]);
    let refused = server.cli(["org", "delete", "acme", "--yes"]).exits(1);
    for word in ["1 organization below it", "org list --tree", "nothing was changed"] {
        assert!(refused.stderr.contains(word), "no {word:?}: {refused:?}");
    }
    server.cli(["org", "delete", "north", "--yes"]).exits(0);
    server.cli(["org", "delete", "acme", "--yes"]).exits(0);
    assert_eq!(parents(&server), [""; 0]);
}

#[test]
fn list_shows_parents_and_the_tree() {
    let server = Server::start();
    chain(&server, &["globex", "emea", "berlin"]);
    server.cli(["org", "add", "apac", "--parent", "globex"]).exits(0);
    server.add_org("acme", None);
    let system = server.add_system("berlin", "fw-01");
    server.store(&system, &bytes(10));
    server.add_system("berlin", "fw-02");
    let ids = |tree: &[&str]| {
        let printed = run(server.command(["org", "list"]).args(tree)).exits(0).stdout;
        printed
            .lines()
            .skip(1)
            .map(|line| line.split("  ").take_while(|part| part.is_empty()).count())
            .zip(
                printed
                    .lines()
                    .skip(1)
                    .map(|line| line.split_whitespace().next().unwrap_or_default().to_owned()),
            )
            .collect::<Vec<_>>()
    };
    let expected = |rows: [(usize, &str); 5]| rows.map(|(level, id)| (level, id.to_owned())).to_vec();
    assert_eq!(ids(&[]), expected([(0, "acme"), (0, "apac"), (0, "berlin"), (0, "emea"), (0, "globex")]));
    assert_eq!(
        ids(&["--tree"]),
        expected([(0, "acme"), (0, "globex"), (1, "apac"), (1, "emea"), (2, "berlin")])
    );
    let listed = server.cli(["org", "list", "--json"]).exits(0).json();
    let parents: Vec<_> = listed.as_array().expect("a list").iter().map(|org| &org["parent_id"]).collect();
    assert_eq!(parents, [&Value::Null, &"globex".into(), &"emea".into(), &"globex".into(), &Value::Null]);
    let berlin = &listed[2];
    assert_eq!((&berlin["systems"], &berlin["stored_bytes"]), (&2.into(), &10.into()));
    assert_eq!((&berlin["by_status"]["fresh"], &berlin["by_status"]["never"]), (&1.into(), &1.into()));
    server.cli(["org", "show", "berlin"]).exits(0).says("2 (1 never, 1 fresh)");
}

#[test]
fn two_moves_at_the_same_time_make_no_circle() {
    let server = Server::start();
    server.add_org("a", None);
    server.add_org("b", None);
    for round in 0..6 {
        let place =
            |org: &str, parent: &str| run(&mut server.command(["org", "set-parent", org, parent])).code;
        let codes = thread::scope(|scope| {
            let both = [scope.spawn(|| place("a", "b")), scope.spawn(|| place("b", "a"))];
            let mut codes = both.map(|thread| thread.join().expect("it ends"));
            codes.sort_unstable();
            codes
        });
        assert_eq!(codes, [0, 1], "round {round}: {:?}", parents(&server));
        place("a", "none");
        place("b", "none");
    }
}

#[test]
fn move_waits_for_another_change_of_the_tree() {
    let server = Server::start();
    chain(&server, &["a", "b"]);
    server.add_org("c", None);
    // Another process places c below b, and has not committed yet.
    let mut other = PgConnection::establish(server.db.url()).expect("connect");
    let change = "BEGIN; SELECT FROM service_defaults FOR NO KEY UPDATE; \
                  UPDATE organizations SET parent_id = 'b' WHERE id = 'c'";
    other.batch_execute(change).expect("a change");
    thread::scope(|scope| {
        let moved = scope.spawn(|| server.cli(["org", "set-parent", "a", "c"]));
        assert_eventually("it waits", TIMEOUT, || server.db.waits_for_a_lock());
        other.batch_execute("COMMIT").expect("commit");
        let refused = moved.join().expect("it ends").exits(1);
        assert!(refused.stderr.contains("cannot be below itself"), "{refused:?}");
    });
    assert_eq!(parents(&server), ["a", "b a", "c b"]);
}
