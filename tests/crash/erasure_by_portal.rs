//! The service is killed while it erases a system for a portal, and the next process finishes the erasure.

use crate::crash_fixture::{CrashFixture, FAILPOINT, SLOTS, assert_cleaned_up, builder};
use crate::harness::{Answer, Login, System, TIMEOUT, assert_eventually, bytes};

/// A system to destroy, its sibling with one backup, and the portal.
struct Destruction {
    fixture: CrashFixture,
    sibling: System,
    kept: (String, Vec<u8>),
    token: String,
    _login: Login,
}

impl Destruction {
    fn new() -> Self {
        let login = Login::new();
        let fixture = CrashFixture::with(builder().login(&login));
        let sibling = fixture.server.add_system(&fixture.system.org, "of the same organization");
        let body = bytes(100);
        let id = fixture.server.store(&sibling, &body);
        let token = login.token(&fixture.system.org, "system:manage");
        Self { fixture, sibling, kept: (id, body), token, _login: login }
    }

    fn destroy(&self) -> Result<Answer, ureq::Error> {
        let CrashFixture { server, system, .. } = &self.fixture;
        server.manage("DELETE", &format!("/api/systems/{}", system.id)).bearer(&self.token).try_send()
    }

    /// Nothing of the system is left, everything of its sibling is, and the history has it once.
    #[track_caller]
    fn assert_complete(&self) {
        let Self { fixture, sibling, kept: (id, body), .. } = self;
        let server = &fixture.server;
        assert_eventually("the system is gone", TIMEOUT * 2, || {
            server.db.number("SELECT count(*) FROM systems") == 1
        });
        assert_eq!(self.destroy().expect("an answer").status, 404);
        assert_cleaned_up(server);
        assert_eq!(server.ids(sibling), [id.as_str()]);
        assert_eq!(&server.fetch(sibling, id).send().status(200).body, body);
        assert_eq!(server.objects().len(), 1);
        assert_eq!(server.totals(&fixture.system.org), (100, 0));
        assert_eq!(server.db.number("SELECT count(*) FROM system_erasures"), 0);
        let (bytes, detail) = (1000 * SLOTS, r#""requested_by": "portal@example.org""#);
        assert_eq!(
            server.db.all(
                "SELECT concat_ws(' ', kind, actor, detail) FROM backup_events \
                 WHERE kind IN ('destroyed', 'erased') ORDER BY id"
            ),
            [
                "destroyed portal@example.org {}".to_owned(),
                format!(
                    r#"erased service {{"bytes": {bytes}, "backups": {SLOTS}, "objects": {SLOTS}, {detail}}}"#
                ),
            ]
        );
        server.store(sibling, b"y");
    }
}

/// The service is killed at the point, and another one is started.
fn killed_at(point: &str) {
    let mut destruction = Destruction::new();
    destruction.fixture.start_with_failpoint(format!("kill {point}"));
    let answer = destruction.destroy();
    destruction.fixture.assert_killed(&answer);
    destruction.fixture.restart();
    destruction.assert_complete();
}

/// The service is killed at the point while another one runs beside it.
fn killed_beside_another_at(point: &str) {
    let mut destruction = Destruction::new();
    let other = destruction.fixture.server.sibling_with(FAILPOINT, "");
    destruction.fixture.start_with_failpoint(format!("kill {point}"));
    // The other process may be faster, and then this one is not killed.
    let _ = destruction.destroy();
    destruction.fixture.server.skip_audit();
    destruction.fixture.server = other;
    destruction.assert_complete();
}

macro_rules! killed_erasures {
    ($($name:ident, $beside:ident: $point:literal;)*) => {
        $(#[test]
        fn $name() {
            killed_at($point);
        }

        #[test]
        fn $beside() {
            killed_beside_another_at($point);
        })*
    };
}

killed_erasures! {
    erasure_killed_before_the_answer_is_finished,
    erasure_killed_before_the_answer_is_finished_by_another: "erase.requested";
    erasure_killed_at_its_start_is_finished,
    erasure_killed_at_its_start_is_finished_by_another: "task.erase";
    erasure_killed_after_counting_is_finished,
    erasure_killed_after_counting_is_finished_by_another: "erase.counted";
    erasure_killed_before_its_commit_is_finished,
    erasure_killed_before_its_commit_is_finished_by_another: "accounting.written";
    erasure_killed_after_its_commit_is_finished,
    erasure_killed_after_its_commit_is_finished_by_another: "accounting.committed";
    erasure_killed_after_retiring_all_is_finished,
    erasure_killed_after_retiring_all_is_finished_by_another: "erase.retired";
    erasure_killed_after_an_object_is_finished,
    erasure_killed_after_an_object_is_finished_by_another: "erase.deleted";
    erasure_killed_after_all_objects_is_finished,
    erasure_killed_after_all_objects_is_finished_by_another: "erase.objects_deleted";
    erasure_killed_after_the_rows_is_finished,
    erasure_killed_after_the_rows_is_finished_by_another: "erase.rows_dropped";
    erasure_killed_before_the_row_of_the_system_is_finished,
    erasure_killed_before_the_row_of_the_system_is_finished_by_another: "erase.waiting";
    erasure_killed_before_it_is_recorded_is_finished,
    erasure_killed_before_it_is_recorded_is_finished_by_another: "erase.recorded";
}

#[test]
fn file_deleted_without_its_folder_is_finished() {
    needs_a_folder!();
    killed_at("local.removed");
}
