//! `strongroom system destroy` is killed: it can be run again, and the service finishes it if it is not.

use crate::crash_fixture::{CrashFixture, assert_cleaned_up};
use crate::harness::{System, TIMEOUT, assert_eventually, bytes};

/// A system to destroy, and its sibling with one backup.
struct Destruction {
    fixture: CrashFixture,
    sibling: System,
    kept: (String, Vec<u8>),
}

impl Destruction {
    fn new() -> Self {
        let fixture = CrashFixture::new();
        let sibling = fixture.server.add_system(&fixture.system.org, "of the same organization");
        let body = bytes(100);
        let id = fixture.server.store(&sibling, &body);
        Self { fixture, sibling, kept: (id, body) }
    }

    fn command(&self) -> [&str; 4] {
        ["system", "destroy", &self.fixture.system.key, "--yes"]
    }

    /// Nothing of the system is left, everything of its sibling is, and the history has it once.
    #[track_caller]
    fn assert_complete(&self) {
        let Self { fixture, sibling, kept: (id, body) } = self;
        let server = &fixture.server;
        assert_eventually("the system is gone", TIMEOUT, || {
            server.db.number("SELECT count(*) FROM systems") == 1
        });
        assert_cleaned_up(server);
        assert_eq!(server.ids(sibling), [id.as_str()]);
        assert_eq!(&server.fetch(sibling, id).send().status(200).body, body);
        assert_eq!(server.objects().len(), 1);
        assert_eq!(server.totals(&fixture.system.org), (100, 0));
        assert_eq!(server.db.number("SELECT count(*) FROM system_erasures"), 0);
        assert_eq!(
            server.db.all(
                "SELECT concat_ws(' ', kind, actor, detail) FROM backup_events \
                 WHERE kind IN ('destroyed', 'erased') ORDER BY id"
            ),
            [
                "destroyed operator {}",
                r#"erased service {"bytes": 2000, "backups": 2, "objects": 2, "requested_by": "operator"}"#,
            ]
        );
        server.store(sibling, b"y");
    }
}

/// The command is killed and run again.
fn repeated_after(point: &str) {
    let destruction = Destruction::new();
    let server = &destruction.fixture.server;
    // The service is paused until the command has ended. Otherwise it might be faster.
    server.signal(libc::SIGSTOP);
    assert_eventually("the service is paused", TIMEOUT, || server.is_stopped());
    destruction.fixture.assert_command_killed(&destruction.command(), &format!("kill {point}"));
    server.audit_is_clean();
    server.cli(destruction.command()).exits(0);
    server.signal(libc::SIGCONT);
    destruction.assert_complete();
}

/// The command is killed, and the service finishes the erasure.
fn finished_by_the_service_after(point: &str) {
    let destruction = Destruction::new();
    let fixture = &destruction.fixture;
    fixture.assert_command_killed_beside_a_paused_service(&destruction.command(), &format!("kill {point}"));
    fixture.server.audit_is_clean();
    assert_eventually("the credential stops working", TIMEOUT, || {
        fixture.server.put(&fixture.system, b"x").status == 401
    });
    destruction.assert_complete();
}

/// Makes two tests for each point.
macro_rules! killed_destructions {
    ($($repeated:ident, $finished:ident: $point:literal;)*) => {
        $(#[test]
        fn $repeated() {
            repeated_after($point);
        }

        #[test]
        fn $finished() {
            finished_by_the_service_after($point);
        })*
    };
}

killed_destructions! {
    destruction_killed_after_marking_can_be_repeated,
    destruction_killed_after_marking_is_finished_by_the_service: "destroy.marked";
    destruction_killed_after_counting_can_be_repeated,
    destruction_killed_after_counting_is_finished_by_the_service: "erase.counted";
    destruction_killed_before_its_commit_can_be_repeated,
    destruction_killed_before_its_commit_is_finished_by_the_service: "accounting.written";
    destruction_killed_after_retiring_all_can_be_repeated,
    destruction_killed_after_retiring_all_is_finished_by_the_service: "erase.retired";
    destruction_killed_after_an_object_can_be_repeated,
    destruction_killed_after_an_object_is_finished_by_the_service: "erase.deleted";
    destruction_killed_after_all_objects_can_be_repeated,
    destruction_killed_after_all_objects_is_finished_by_the_service: "erase.objects_deleted";
    destruction_killed_after_the_rows_can_be_repeated,
    destruction_killed_after_the_rows_is_finished_by_the_service: "erase.rows_dropped";
    destruction_killed_before_the_row_of_the_system_can_be_repeated,
    destruction_killed_before_the_row_of_the_system_is_finished_by_the_service: "erase.waiting";
    destruction_killed_before_it_is_recorded_can_be_repeated,
    destruction_killed_before_it_is_recorded_is_finished_by_the_service: "erase.recorded";
}
