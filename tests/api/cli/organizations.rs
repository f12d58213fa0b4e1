//! `strongroom org ...` and `strongroom system ...`.

use crate::harness::{BACKUPS, Server, base64, bytes};

#[test]
fn an_organization_is_added_listed_shown_and_given_a_quota() {
    let server = Server::start();
    server.cli(["org", "add", "acme", "--name", "Acme Ltd."]).exits(0);
    server.cli(["org", "add", "small_1", "--name", "Small", "--quota", "12345", "--json"]).exits(0).json();
    let list = server.cli(["org", "list"]).exits(0);
    for word in ["acme", "Acme Ltd.", "small_1", "Small"] {
        list.says(word);
    }
    let listed = server.cli(["org", "list", "--json"]).exits(0).json().to_string();
    assert!(
        listed.contains("\"acme\"") && listed.contains("\"Acme Ltd.\"") && listed.contains("12345"),
        "{listed}"
    );
    server.cli(["org", "show", "small_1"]).exits(0).says("Small");
    let shown = server.cli(["org", "show", "small_1", "--json"]).exits(0).json();
    assert!(shown.to_string().contains("12345"), "{shown}");
    let quota = || server.db.one("SELECT quota_bytes FROM organizations WHERE id = 'small_1'");
    server.cli(["org", "set-quota", "small_1", "999"]).exits(0);
    assert_eq!(quota(), "999");
    server.cli(["org", "set-quota", "small_1", "none", "--json"]).exits(0).json();
    let none = quota();
    server.cli(["org", "set-quota", "small_1", "default"]).exits(0);
    assert_ne!(quota(), none, "no quota is not the default quota");
    assert_eq!(server.totals("acme"), (0, 0), "the totals exist from the start");
}

#[test]
fn usage_of_an_organization_is_shown() {
    let server = Server::start();
    let system = server.system_with_quota(77_000);
    server.store(&system, &bytes(4321));
    let shown = server.cli(["org", "show", &system.org, "--json"]).exits(0).json().to_string();
    assert!(shown.contains("4321") && shown.contains("77000"), "{shown}");
}

#[test]
fn invalid_changes_of_an_organization_are_refused() {
    let server = Server::start();
    server.add_org("acme", None);
    let twice = server.cli(["org", "add", "acme", "--name", "Another"]).exits(1);
    assert!(twice.stderr.contains("acme"), "{twice:?}");
    server.cli(["org", "show", "nobody"]).exits(1);
    server.cli(["org", "set-quota", "nobody", "5"]).exits(1);
    for wrong in ["-5", "much", "1.5"] {
        let refused = server.cli(["org", "set-quota", "acme", wrong]);
        assert_eq!(refused.code, 2, "{wrong}: {refused:?}");
    }
    let long = "x".repeat(65);
    for id in ["", "with space", "with/slash", "../x", "ümlaut", "a.b", long.as_str()] {
        let refused = server.cli(["org", "add", id, "--name", "X"]);
        assert!([1, 2].contains(&refused.code), "{id}: {refused:?}");
    }
    assert_eq!(server.db.all("SELECT id FROM organizations"), ["acme"]);
    assert_eq!(server.db.one("SELECT name FROM organizations"), "A tenant");
}

#[test]
fn system_is_added_with_a_secret_that_is_shown_once() {
    let server = Server::start();
    server.add_org("acme", None);
    let added = server.cli(["system", "add", "--org", "acme", "--name", "fw-01", "--json"]).exits(0).json();
    let mut names: Vec<&String> = added.as_object().expect("an object").keys().collect();
    names.sort();
    assert_eq!(names, ["id", "org_id", "system_key", "system_secret"]);
    let secret = added["system_secret"].as_str().expect("a secret");
    assert!(secret.len() >= 32, "256 random bits do not fit into {secret}");
    uuid::Uuid::parse_str(added["id"].as_str().expect("an id")).expect("a UUID");
    let key = added["system_key"].as_str().expect("a key");
    for arguments in [["system", "list", "--json"], ["system", "show", key]] {
        let shown = server.cli(arguments).exits(0);
        shown.says(key);
        shown.says("fw-01");
        assert!(!shown.stdout.contains(secret) && !shown.stderr.contains(secret), "{shown:?}");
    }
    let hashed = server.db.one("SELECT encode(secret_sha256, 'hex') FROM systems");
    assert_eq!(hashed, crate::harness::sha256_hex(secret.as_bytes()), "only the hash is kept");
}

#[test]
fn human_output_prints_the_new_credential() {
    let server = Server::start();
    server.add_org("acme", None);
    let added = server.cli(["system", "add", "--org", "acme", "--name", "fw-01"]).exits(0);
    let key = server.db.one("SELECT system_key FROM systems");
    added.says(&key);
    let hash = server.db.one("SELECT encode(secret_sha256, 'hex') FROM systems");
    let words = added.stdout.split(|c: char| c.is_whitespace() || "│|:'\",".contains(c));
    let shown = words.filter(|word| crate::harness::sha256_hex(word.as_bytes()) == hash).count();
    assert!(shown >= 1, "the secret is on stdout as a word of its own: {added:?}");
}

#[test]
fn system_is_added_with_a_given_key_and_secret() {
    let server = Server::start();
    server.add_org("acme", None);
    let secret = "0123456789abcdef0123456789abcdef";
    let added = server
        .cli([
            "system", "add", "--org", "acme", "--name", "fw", "--key", "FW-1", "--secret", secret, "--json",
        ])
        .exits(0)
        .json();
    assert_eq!((&added["system_key"], &added["system_secret"]), (&"FW-1".into(), &secret.into()));
    let credential = format!("Basic {}", base64(format!("FW-1:{secret}").as_bytes()));
    server.get(BACKUPS).header("authorization", credential).send().status(200);
    let short = server.cli(["system", "add", "--org", "acme", "--name", "x", "--secret", &secret[1..]]);
    assert!([1, 2].contains(&short.code), "31 characters are too few: {short:?}");
    assert!(!short.stderr.contains(&secret[1..]), "{short:?}");
    server.cli(["system", "add", "--org", "acme", "--name", "x", "--key", "FW-1"]).exits(1);
    server.cli(["system", "add", "--org", "nobody", "--name", "x"]).exits(1);
    for key in ["with space", "a:b", "a/b", "..", ""] {
        let refused = server.cli(["system", "add", "--org", "acme", "--name", "x", "--key", key]);
        assert!([1, 2].contains(&refused.code), "{key}: {refused:?}");
    }
    assert_eq!(server.db.all("SELECT system_key FROM systems"), ["FW-1"]);
    server.cli(["system", "add", "--org", "acme", "--name", "fw"]).exits(0);
    assert_eq!(
        server.db.number("SELECT count(*) FROM systems WHERE name = 'fw'"),
        2,
        "names need not be unique"
    );
}

#[test]
fn system_is_named_by_its_id_or_its_key() {
    let server = Server::start();
    let system = server.system();
    for name in [&system.id, &system.key, &system.id.to_uppercase()] {
        let shown = server.cli(["system", "show", name, "--json"]).exits(0).json();
        assert!(shown.to_string().contains(&system.id), "{shown}");
        server.cli(["system", "suspend", name]).exits(0);
        assert_eq!(server.db.one("SELECT state FROM systems"), "suspended");
        server.cli(["system", "resume", name, "--json"]).exits(0).json();
        assert_eq!(server.db.one("SELECT state FROM systems"), "active");
        server.cli(["system", "rotate-secret", name]).exits(0);
    }
    for verb in ["show", "suspend", "resume", "rotate-secret"] {
        let refused = server.cli(["system", verb, "nobody"]).exits(1);
        assert!(refused.stderr.contains("nobody"), "{refused:?}");
    }
    server.cli(["system", "destroy", "nobody", "--yes"]).exits(1);
}

#[test]
fn suspending_a_suspended_system_succeeds() {
    let server = Server::start();
    let system = server.system();
    for verb in ["suspend", "suspend", "resume", "resume"] {
        server.cli(["system", verb, &system.key]).exits(0);
    }
}

#[test]
fn systems_are_listed_for_all_organizations_or_for_one() {
    let server = Server::start();
    let system = server.system();
    let other = server.system();
    server.store(&system, &bytes(4321));
    let list = server.cli(["system", "list"]).exits(0);
    for word in [&system.key, &other.key, &system.org, &other.org] {
        list.says(word);
    }
    let listed = server.cli(["system", "list", "--json"]).exits(0).json().to_string();
    assert!(listed.contains(&system.id) && listed.contains(&other.id), "{listed}");
    let of_one = server.cli(["system", "list", "--org", &other.org, "--json"]).exits(0).json().to_string();
    assert!(!of_one.contains(&system.id) && of_one.contains(&other.id), "{of_one}");
}

#[test]
fn shell_completions_are_generated() {
    for shell in ["bash", "zsh", "fish"] {
        let mut command = crate::harness::plain_command();
        crate::harness::run(command.args(["completions", shell])).exits(0).says("strongroom");
    }
}
