//! A server with stored backups, processes that are killed, and the checks afterwards.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::engine;
use crate::harness::{
    Answer, Builder, Server, System, TIMEOUT, assert_eventually, bytes, on_s3, plain_command, run,
};

pub const FAILPOINT: &str = "STRONGROOM_FAILPOINT";
/// How many backups a system keeps.
pub const SLOTS: usize = 2;

/// A system with as many backups as it may have, so that the next upload prunes.
pub struct CrashFixture {
    pub server: Server,
    pub system: System,
    /// Sorted from old to new.
    pub kept: Vec<(String, Vec<u8>)>,
}

/// Processes whose death is noticed after a second or two.
pub fn builder() -> Builder {
    let builder = Server::builder().no_rate_limit().set("BACKUP_MAX_PER_SYSTEM", SLOTS);
    builder.set("BACKUP_LEASE", 1).set("BACKUP_SWEEP_INTERVAL", 1)
}

impl CrashFixture {
    pub fn new() -> Self {
        Self::with(builder())
    }

    pub fn with(builder: Builder) -> Self {
        let server = builder.start();
        let system = server.system_with_quota(100_000_000);
        let kept = (0..SLOTS).map(|_| bytes(1000)).map(|body| (server.store(&system, &body), body)).collect();
        Self { server, system, kept }
    }

    /// Replaces the process by one that is killed (or stops) at this point.
    pub fn start_with_failpoint(&mut self, point: impl Display) {
        assert!(self.server.stop_gracefully().success());
        self.server = self.server.sibling_with(FAILPOINT, point);
    }

    /// Waits until the process is killed, with or without an answer.
    #[track_caller]
    pub fn assert_killed(&self, answer: &Result<Answer, ureq::Error>) {
        assert_eventually("the process reaches the failpoint", TIMEOUT, || {
            self.server.exit_signal().is_some()
        });
        assert_eq!(self.server.exit_signal(), Some(libc::SIGKILL), "{answer:?}");
    }

    /// Starts the next process, without a point.
    pub fn restart(&mut self) {
        self.server = self.server.sibling_with(FAILPOINT, "");
    }

    /// Runs a command that is killed at this point.
    #[track_caller]
    pub fn assert_command_killed(&self, arguments: &[&str], point: &str) {
        use std::os::unix::process::ExitStatusExt as _;
        let mut command = plain_command();
        command.args(arguments).envs(self.server.settings()).env(FAILPOINT, point);
        let done = command.output().expect("run strongroom");
        assert_eq!(done.status.signal(), Some(libc::SIGKILL), "{done:?}");
    }

    /// Runs a command that is killed at this point while the service is paused: its purger, which runs every few
    /// seconds, might otherwise do the work first, and the command would never reach the point.
    #[track_caller]
    pub fn assert_command_killed_beside_a_paused_service(&self, arguments: &[&str], point: &str) {
        self.server.signal(libc::SIGSTOP);
        assert_eventually("the service is paused", TIMEOUT, || self.server.is_stopped());
        self.assert_command_killed(arguments, point);
        self.server.signal(libc::SIGCONT);
    }

    /// Checks that the service works, and that exactly these backups are stored, from old to new.
    #[track_caller]
    pub fn assert_consistent(&self, expected: &[(String, Vec<u8>)]) {
        assert_aborted(&self.server);
        assert_eventually("failed uploads leave no object to their tombstones", TIMEOUT, || {
            self.server.age_marks();
            self.server.objects() == stored(&self.server)
        });
        assert_cleaned_up(&self.server);
        let ids: Vec<_> = expected.iter().rev().map(|(id, _)| id.clone()).collect();
        assert_eq!(self.server.ids(&self.system), ids);
        for (id, body) in expected {
            assert_eq!(&self.server.fetch(&self.system, id).send().status(200).body, body, "{id}");
        }
        let stored = expected.iter().map(|(_, body)| i64::try_from(body.len()).expect("a size")).sum();
        assert_eq!(self.server.totals(&self.system.org), (stored, 0));
        let new = bytes(500);
        let id = self.server.store(&self.system, &new);
        assert_eq!(self.server.fetch(&self.system, &id).send().status(200).body, new);
    }
}

/// Without a command: no upload of the killed process, no object without a row, no temporary file. When the hour
/// of the tombstones is over, and after a sweep: no object and no row but the stored ones, and the audit finds
/// nothing.
///
/// A process that is killed between retiring a failed upload and deleting its object leaves the object until the
/// tombstone's end.
#[track_caller]
pub fn assert_cleaned_up(server: &Server) {
    assert_aborted(server);
    let tombstones = keys(server, "retired");
    assert_eventually("there are no objects but those of stored rows and tombstones", TIMEOUT, || {
        server.age_marks();
        let mut objects = server.objects();
        objects.retain(|key| !tombstones.contains(key));
        objects == stored(server)
    });
    // The engine in this process cannot list its unfinished uploads, so they cannot be removed.
    if !on_s3() || engine::is_real() {
        assert_eventually("no unfinished write is left", TIMEOUT, || {
            age_empty_files(server);
            server.age_marks();
            server.temporary().is_empty() && server.marks().is_empty()
        });
    }
    server.db.execute("UPDATE backups SET purge_after = now() WHERE retired_reason = 'failed'");
    run(&mut server.command(["sweep"])).exits(0);
    assert_eventually("only stored rows are left", TIMEOUT, || keys(server, "retired").is_empty());
    assert_eq!(server.objects(), stored(server));
    run(&mut server.command(["audit", "--store"])).exits(0);
}

/// No upload of the killed process is open, and pruned or deleted backups are gone. The claim of a killed purger
/// expires after a minute: let that minute be over.
#[track_caller]
fn assert_aborted(server: &Server) {
    assert_eventually("uploads of killed processes are aborted", TIMEOUT, || server.receiving() == 0);
    server.db.execute(
        "UPDATE backups SET purge_started_at = purge_started_at - interval '1 minute' WHERE state = 'retired'",
    );
    assert_eventually("only failed uploads are still retired", TIMEOUT, || {
        server
            .db
            .holds("NOT EXISTS (SELECT FROM backups WHERE state = 'retired' AND retired_reason <> 'failed')")
    });
}

fn stored(server: &Server) -> BTreeSet<String> {
    keys(server, "stored")
}

fn keys(server: &Server, state: &str) -> BTreeSet<String> {
    let rows = server.db.all(&format!("SELECT object_key FROM backups WHERE state = '{state}'"));
    rows.into_iter().collect()
}

/// An empty temporary file may be new, so the sweep keeps it for a minute: let that minute be over.
fn age_empty_files(server: &Server) {
    for name in server.temporary() {
        let Ok(file) = File::options().write(true).open(server.store.path().join(name)) else { continue };
        if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            let _ = file.set_modified(SystemTime::now() - Duration::from_mins(2));
        }
    }
}
