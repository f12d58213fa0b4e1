//! Operations on the books come to the same in one transaction as in one transaction each.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use strongroom::db::accounting::{
    Abort, Admission, Commit, Delete, DeletedBy, Growth, Operation, Outcome, Policy, run,
};
use strongroom::db::organizations::{self, Quota};
use strongroom::db::systems::{self, NewSystem};
use strongroom::db::{Conn, audit, connect};
use strongroom::domain::filename::Filename;
use strongroom::domain::ids::{BackupId, Extension, OrgId, SystemKey};
use strongroom::domain::media_type::MediaType;
use strongroom::domain::object_key::ObjectKey;
use strongroom::domain::retention::Retention;
use strongroom::domain::window::RateLimits;
use uuid::Uuid;

use crate::harness::{Database, unique};

const SYSTEMS: usize = 2;
const BACKUPS: usize = 12;

/// What to do to backup `n` of a system.
#[derive(Debug, Clone, Copy)]
enum Act {
    Admit(u64),
    Grow(u64),
    Commit(u64),
    Abort { give_back: bool },
    Delete { again: bool },
}

type Step = (usize, usize, Act);

fn step() -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        4 => (1..60u64).prop_map(Act::Admit),
        1 => (1..90u64).prop_map(Act::Grow),
        4 => (1..60u64).prop_map(Act::Commit),
        1 => any::<bool>().prop_map(|give_back| Act::Abort { give_back }),
        2 => any::<bool>().prop_map(|again| Act::Delete { again }),
    ];
    (0..SYSTEMS, 0..BACKUPS, act)
}

/// An organization with systems of its own. The same for each but for the ids.
struct Org {
    id: OrgId,
    systems: Vec<(Uuid, SystemKey)>,
    backups: Vec<Vec<Uuid>>,
}

impl Org {
    fn new(conn: &mut Conn) -> Self {
        let id = OrgId::parse(&format!("org{}", unique())).expect("an id");
        organizations::add(conn, &id, "of a test", Quota::Bytes(150)).expect("add");
        let system = |number| {
            let key = SystemKey::parse(&format!("{}-{number}", id.as_str())).expect("a key");
            // In the same order in every organization.
            let uuid = Uuid::now_v7();
            let new = NewSystem { id: uuid, key: &key, org: &id, name: "fw", secret_sha256: [0; 32] };
            systems::add(conn, &new).expect("add");
            (uuid, key)
        };
        let systems = (0..SYSTEMS).map(system).collect();
        let backups = (0..SYSTEMS).map(|_| (0..BACKUPS).map(|_| Uuid::now_v7()).collect()).collect();
        Self { id, systems, backups }
    }

    fn operation(&self, &(system, number, act): &Step) -> Operation {
        let (system_id, key) = &self.systems[system];
        let (system_id, uuid) = (*system_id, self.backups[system][number]);
        let backup = BackupId::new(uuid, Extension::of_filename("a.bin"));
        match act {
            Act::Admit(want) => Operation::Admit(Box::new(Admission {
                system_id,
                backup,
                object_key: ObjectKey::new(&self.id, key, backup),
                filename: Filename::from_header(b"a.bin").expect("a name"),
                mimetype: MediaType::of_header(None),
                remote_addr: None,
                want,
            })),
            Act::Grow(want) => Operation::Grow(Growth { system_id, backup, want }),
            Act::Commit(size) => {
                Operation::Commit(Commit { system_id, backup, size, sha256: [1; 32], encrypted: true })
            }
            Act::Abort { give_back } => {
                Operation::Abort(Abort { system_id, backup: uuid, give_back_slot: give_back })
            }
            Act::Delete { again } => Operation::Delete(Delete {
                system_id,
                backup,
                by: DeletedBy::System,
                remote_addr: None,
                attempted_before: again,
            }),
        }
    }

    /// What stands in the tables, with numbers for ids.
    fn rows(&self, db: &Database) -> Vec<String> {
        let mut sql = format!(
            "SELECT concat_ws('|', id, state,
                 -- Of an upload that has ended it says nothing any more, and a batch may end what it has let grow.
                 CASE WHEN state = 'receiving' THEN want_bytes END, reserved_bytes, pledged_to, seq, size_bytes, encrypted,
                 encode(sha256, 'hex'), uploaded_at IS NULL, retired_at IS NULL, retired_reason,
                 round(extract(epoch FROM purge_after - retired_at)), purge_started_at, writer, window_entry IS NULL)
             FROM backups WHERE org_id = '{0}'
             UNION ALL SELECT concat_ws('|', id, last_seq, cardinality(recent_admissions), window_epoch)
             FROM systems WHERE org_id = '{0}'
             UNION ALL SELECT concat_ws('|', stored_bytes, reserved_bytes) FROM org_usage WHERE org_id = '{0}'
             UNION ALL SELECT concat_ws('|', row_number() OVER (ORDER BY id), kind, system_id, backup_id, detail)
             FROM backup_events WHERE org_id = '{0}' AND kind <> 'system_added'",
            self.id.as_str()
        );
        sql = format!("SELECT * FROM ({sql}) AS found (line)");
        let named = |line: String| {
            let ids = self.backups.iter().flatten().chain(self.systems.iter().map(|(id, _)| id));
            ids.enumerate().fold(line, |line, (n, id)| line.replace(&id.to_string(), &format!("#{n}")))
        };
        let mut rows: Vec<_> = db.all(&sql).into_iter().map(named).collect();
        rows.sort();
        rows
    }
}

/// Without what differs by the time of day.
fn essence(outcome: Outcome) -> String {
    match outcome {
        Outcome::Committed(committed) => format!("committed, pruned: {}", committed.pruned),
        Outcome::RateLimited { .. } => "rate limited".to_owned(),
        outcome => format!("{outcome:?}"),
    }
}

#[test]
fn a_batch_comes_to_the_same_as_its_operations_one_by_one() {
    let db = Database::new();
    let mut conn = connect(db.url()).expect("connect");
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let input = (
        prop::collection::vec(step(), 1..120),
        prop::collection::vec(1..20usize, 1..8),
        (1..5usize, 20..200u64, prop_oneof![Just(0usize), Just(12)]),
    );
    let same = |(steps, lengths, (slots, bytes, per_hour)): (Vec<Step>, Vec<usize>, (usize, u64, usize))| {
        let policy = Policy {
            retention: Retention { slots, bytes },
            rate: RateLimits { per_minute: 0, per_hour },
            default_quota: None,
            writer: Uuid::from_u128(1),
        };
        let (single, batched) = (Org::new(&mut conn), Org::new(&mut conn));
        let (mut rest, mut lengths) = (&steps[..], lengths.into_iter().cycle());
        let mut go = |org: &Org, steps: &[Step]| {
            let operations: Vec<_> = steps.iter().map(|step| org.operation(step)).collect();
            run(&mut conn, &policy, &org.id, &operations, &[])
                .map(|outcomes| outcomes.into_iter().map(essence).collect::<Vec<_>>())
                .map_err(|error| error.to_string())
        };
        while !rest.is_empty() {
            let length = lengths.next().unwrap_or(1).min(rest.len());
            let (now, later) = rest.split_at(length);
            rest = later;
            let one_by_one: Result<Vec<_>, _> = now.iter().map(|step| go(&single, &[*step])).collect();
            let together = go(&batched, now);
            // An operation that fails on its data fails its batch, which is then run one by one.
            let together = together.or_else(|_| {
                now.iter()
                    .map(|step| go(&batched, &[*step]))
                    .collect::<Result<Vec<_>, _>>()
                    .map(|all| all.concat())
            });
            prop_assert_eq!(together.is_ok(), one_by_one.is_ok());
            if let (Ok(together), Ok(one_by_one)) = (together, one_by_one) {
                prop_assert_eq!(together, one_by_one.concat());
            }
            prop_assert_eq!(batched.rows(&db), single.rows(&db));
        }
        let differences = audit::imbalances(&mut connect(db.url()).expect("connect")).expect("audit");
        prop_assert!(differences.is_empty(), "{:?}", differences);
        Ok(())
    };
    let same = std::cell::RefCell::new(same);
    runner.run(&input, |input| (same.borrow_mut())(input)).expect("the same");
}
