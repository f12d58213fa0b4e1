//! A download address ends early when its system is suspended, when the system's secret is replaced, or when the
//! signing key is withdrawn.

use std::time::Instant;

use crate::harness::{Login, Server, System, TIMEOUT, assert_eventually, now};
use crate::links::signed::{is_refused, link, local};

struct LinkFixture {
    login: Login,
    server: Server,
    system: System,
    id: String,
}

impl LinkFixture {
    fn new() -> Self {
        let login = Login::new();
        let server = local(&login).start();
        let system = server.system();
        let id = server.store(&system, b"x");
        Self { login, server, system, id }
    }

    fn link(&self) -> String {
        self.link_of(&self.server)
    }

    fn link_of(&self, server: &Server) -> String {
        link(server, &self.login, &self.system, &self.id).0
    }

    fn cli(&self, command: &str) {
        self.server.cli(["system", command, &self.system.id]).exits(0);
    }
}

/// Returns the SQL statement in the operator's guide that contains these words.
fn documented(words: &str) -> &'static str {
    let guide = include_str!("../../../docs/operations.md");
    let statements = guide.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut found = statements.filter(|sql| sql.contains("UPDATE signing_keys") && sql.contains(words));
    found.next().unwrap_or_else(|| panic!("no statement with {words}"))
}

/// Returns the same address at another process.
fn at(url: &str, from: &Server, to: &Server) -> String {
    url.replace(&from.management_url(""), &to.management_url(""))
}

#[test]
fn suspension_revokes_earlier_links_for_good() {
    needs_a_folder!();
    let fixture = LinkFixture::new();
    let url = fixture.link();
    fixture.server.at(&url).send().status(200);
    fixture.cli("suspend");
    is_refused(&fixture.server.at(&url).send());
    // Portals may fetch a suspended system's backups, so they may also use an address.
    fixture.server.at(&fixture.link()).send().status(200);
    fixture.cli("resume");
    is_refused(&fixture.server.at(&url).send());
    fixture.server.at(&fixture.link()).send().status(200);
}

#[test]
fn rotation_revokes_earlier_links() {
    needs_a_folder!();
    let fixture = LinkFixture::new();
    let url = fixture.link();
    fixture.server.at(&url).send().status(200);
    fixture.cli("rotate-secret");
    is_refused(&fixture.server.at(&url).send());
    fixture.server.at(&fixture.link()).send().status(200);
}

#[test]
fn links_outlive_a_replaced_signing_key_and_new_ones_work_at_once_in_every_process() {
    needs_a_folder!();
    let fixture = LinkFixture::new();
    let sibling = fixture.server.sibling();
    let old = fixture.link();
    // Both processes have the old key in memory.
    fixture.server.at(&old).send().status(200);
    sibling.at(&at(&old, &fixture.server, &sibling)).send().status(200);
    fixture.server.db.execute(documented("previous_key = key"));
    let new = fixture.link_of(&sibling);
    for url in [&old, &at(&new, &sibling, &fixture.server)] {
        fixture.server.at(url).send().status(200);
        sibling.at(&at(url, &fixture.server, &sibling)).send().status(200);
    }
}

#[test]
fn previous_signing_key_signs_nothing_that_lives_longer() {
    needs_a_folder!();
    let fixture = LinkFixture::new();
    let url = fixture.link();
    fixture.server.db.execute(documented("previous_key = key"));
    fixture.server.at(&url).send().status(200);
    // As if the replacement were a whole validity ago: a thief of the key could have signed the address just
    // now.
    fixture.server.db.execute("UPDATE signing_keys SET created_at = created_at - interval '331 seconds'");
    is_refused(&fixture.server.at(&url).send());
}

#[test]
fn withdrawn_signing_key_revokes_all_links_at_once_in_every_process() {
    needs_a_folder!();
    let fixture = LinkFixture::new();
    let sibling = fixture.server.sibling();
    let old = fixture.link();
    fixture.server.db.execute(documented("previous_key = key"));
    let new = fixture.link();
    let all = [old, new];
    for url in &all {
        fixture.server.at(url).send().status(200);
        sibling.at(&at(url, &fixture.server, &sibling)).send().status(200);
    }
    fixture.server.db.execute(documented("previous_key = NULL"));
    for url in &all {
        is_refused(&fixture.server.at(url).send());
        is_refused(&sibling.at(&at(url, &fixture.server, &sibling)).send());
    }
    fixture.server.at(&fixture.link()).send().status(200);
}

#[test]
fn flood_of_forged_links_costs_two_key_queries_a_second() {
    needs_a_folder!();
    let fixture = LinkFixture::new();
    let looks = || {
        fixture.server.db.number(
            "SELECT sum(coalesce(seq_scan, 0) + coalesce(idx_scan, 0))::bigint FROM pg_stat_user_tables
             WHERE relname IN ('signing_keys', 'backups')",
        )
    };
    let settled = |mut last: i64| {
        let same = || std::mem::replace(&mut last, looks()) == looks();
        assert_eventually("the counters do not change any more", TIMEOUT, same);
        looks()
    };
    let before = settled(-1);
    let start = Instant::now();
    let made_up = format!(
        "{}?expires={}&signature={}",
        fixture.server.url(&format!("/api/downloads/{}", fixture.id)),
        now() + 100,
        "ab".repeat(64)
    );
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| (0..10).for_each(|_| is_refused(&fixture.server.at(&made_up).send())));
        }
    });
    let seconds = i64::try_from(start.elapsed().as_secs()).expect("a short time") + 1;
    let after = settled(-1);
    assert!(after - before <= 20 + 4 * seconds, "{} reads in {seconds} s", after - before);
}
