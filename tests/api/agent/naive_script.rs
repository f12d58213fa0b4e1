//! A script as many appliances in the field have it: it sends a configuration once, and does not look at the answer.

use std::process::Command;

use crate::harness::{Login, Server, System, TIMEOUT, assert_eventually, bytes};

const SCRIPT: &str = r#"
cd "$WORK"
now=$(sha256sum < config)
[ "$now" != "$(cat sent 2>/dev/null)" ] || exit 0
curl --silent --user "$KEY:$SECRET" -X POST -H "Content-Type: application/octet-stream" \
    -H "X-Filename: config.tar.gz.gpg" --data-binary @config "$BASE/backups" > answer.json
echo "$now" > sent
echo run >> runs
"#;

struct NaiveAppliance<'a> {
    server: &'a Server,
    system: &'a System,
    work: tempfile::TempDir,
}

impl NaiveAppliance<'_> {
    fn change_configuration(&self) {
        std::fs::write(self.work.path().join("config"), bytes(10_000)).expect("a configuration");
    }

    /// Runs the script as its timer does, and returns how many uploads it has sent so far.
    fn run(&self) -> usize {
        let done = Command::new("sh")
            .args(["-c", SCRIPT])
            .env("WORK", self.work.path())
            .env("BASE", self.server.url("/api/systems"))
            .env("KEY", &self.system.key)
            .env("SECRET", &self.system.secret)
            .output()
            .expect("run sh");
        assert!(
            done.status.success(),
            "the script sees no failure: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        std::fs::read_to_string(self.work.path().join("runs")).expect("its runs").lines().count()
    }
}

#[test]
fn refused_configuration_of_an_appliance_that_never_retries_is_shown_everywhere() {
    let login = Login::new();
    let server = Server::builder().set("BACKUP_RATE_LIMIT_PER_MINUTE", 1).login(&login).start();
    let system = server.system();
    let work = tempfile::TempDir::with_prefix("strongroom-naive-").expect("make a folder");
    let appliance = NaiveAppliance { server: &server, system: &system, work };
    let status = || server.db.one("SELECT status FROM support_systems");
    appliance.change_configuration();
    assert_eq!(appliance.run(), 1);
    assert_eq!(status(), "fresh");
    appliance.change_configuration();
    assert_eq!(appliance.run(), 2);
    for _ in 0..3 {
        assert_eq!(appliance.run(), 2, "it never sends that configuration again");
    }
    assert_eq!(
        server.ids(&system).len(),
        1,
        "the newest backup is recent, and is not what the appliance runs on"
    );
    assert_eventually("the status says so", TIMEOUT, || status() == "refused");
    assert!(server.db.holds("(SELECT status_reason LIKE 'rate: %' FROM support_systems)"));
    let shown = server.cli(["system", "show", &system.id, "--json"]).exits(0).json();
    let token = login.token(&system.org, "backup:view");
    let answer = server.manage("GET", &format!("/api/systems/{}", system.id)).bearer(&token).send();
    for found in [shown, answer.status(200).data()] {
        assert_eq!(found["status"], "refused", "{found}");
        assert!(found["status_reason"].as_str().is_some_and(|why| why.starts_with("rate: ")), "{found}");
    }
    for line in
        ["strongroom_systems{status=\"refused\"} 1\n", "strongroom_systems_refused{reason=\"rate\"} 1\n"]
    {
        assert_eventually(line, TIMEOUT, || server.metrics().contains(line));
    }
}
