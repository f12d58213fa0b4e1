//! Operations on the totals have the same result in one transaction, of one organization or of several, as in
//! one transaction each.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use strongroom::db::accounting::{
    Abort, AccountingPolicy, Admission, Commit, Delete, DeletedBy, Growth, Operation, OperationOutcome,
    OrgBatch, Store, UploadFailure, run, run_shared,
};
use strongroom::db::organizations;
use strongroom::db::systems::{self, NewSystem};
use strongroom::db::{Conn, DbError, audit};
use strongroom::domain::author::Author;
use strongroom::domain::failure_reason::FailureReason;
use strongroom::domain::filename::Filename;
use strongroom::domain::ids::{BackupId, Extension, OrgId, SystemKey};
use strongroom::domain::media_type::MediaType;
use strongroom::domain::object_key::ObjectKey;
use strongroom::domain::organization::{NewOrg, Quota};
use strongroom::domain::rate_window::RateLimits;
use strongroom::domain::refusal::RefusalReason;
use strongroom::domain::retention::Retention;
use uuid::Uuid;

use crate::harness::{Database, unique};

const SYSTEMS: usize = 2;
const BACKUPS: usize = 12;

/// An operation on backup `n` of a system.
#[derive(Debug, Clone, Copy)]
enum Act {
    Admit(u64),
    Grow(u64),
    Commit(u64),
    Store(u64, bool),
    Abort { release: bool },
    Delete { again: bool },
}

type Step = (usize, usize, Act);

fn step() -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        4 => (1..60u64).prop_map(Act::Admit),
        1 => (1..90u64).prop_map(Act::Grow),
        4 => (1..60u64).prop_map(Act::Commit),
        3 => (1..60u64, prop::bool::weighted(0.2)).prop_map(|(size, again)| Act::Store(size, again)),
        1 => any::<bool>().prop_map(|release| Act::Abort { release }),
        2 => any::<bool>().prop_map(|again| Act::Delete { again }),
    ];
    (0..SYSTEMS, 0..BACKUPS, act)
}

/// An organization with systems of its own. All are equal except for their ids.
struct Org {
    id: OrgId,
    systems: Vec<(Uuid, SystemKey)>,
    backups: Vec<Vec<Uuid>>,
}

impl Org {
    fn new(conn: &mut Conn) -> Self {
        let id = OrgId::parse(&format!("org{}", unique())).expect("an id");
        let new = NewOrg { quota: Quota::Bytes(150), ..NewOrg::new(id.clone(), "of a test") };
        organizations::add(conn, &new, &Author::Operator).expect("add").expect("an id that is not taken");
        let system = |number| {
            let key = SystemKey::parse(&format!("{}-{number}", id.as_str())).expect("a key");
            // The ids have the same order in every organization.
            let uuid = Uuid::now_v7();
            let new = NewSystem {
                id: uuid,
                key: key.clone(),
                org: id.clone(),
                name: "fw".to_owned(),
                secret_sha256: [0; 32],
                backup_period_seconds: None,
                contact_period_seconds: None,
            };
            systems::add(conn, &new, &Author::Operator).expect("add");
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
        let admission = |wanted_bytes| Admission {
            system_id,
            backup,
            object_key: ObjectKey::new(&self.id, key, backup),
            filename: Filename::from_header(b"a.bin").expect("a name"),
            mimetype: MediaType::of_header(None),
            remote_addr: None,
            wanted_bytes,
        };
        match act {
            Act::Admit(wanted_bytes) => Operation::Admit(Box::new(admission(wanted_bytes))),
            Act::Store(size, again) => Operation::Store(Box::new(Store {
                admission: admission(size),
                sha256: [1; 32],
                encrypted: true,
                attempted_before: again,
            })),
            Act::Grow(wanted_bytes) => Operation::Grow(Growth { system_id, backup, wanted_bytes }),
            Act::Commit(size) => {
                Operation::Commit(Commit { system_id, backup, size, sha256: [1; 32], encrypted: true })
            }
            Act::Abort { release } => {
                let failure = UploadFailure { reason: FailureReason::Interrupted, received: Some(1) };
                let failure = release.then_some(failure);
                Operation::Abort(Abort {
                    system_id,
                    backup: uuid,
                    release_rate_slot: release,
                    failure,
                    refused: Some(if release { RefusalReason::Unavailable } else { RefusalReason::Timeout }),
                })
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

    /// Returns the rows of the tables, with numbers for ids.
    fn rows(&self, db: &Database) -> Vec<String> {
        let mut sql = format!(
            "SELECT concat_ws('|', id, state,
                 -- Of an upload that has ended it says nothing any more, and a batch may end what it has let grow.
                 CASE WHEN state = 'receiving' THEN want_bytes END, reserved_bytes, pledged_to, seq, size_bytes, encrypted,
                 encode(sha256, 'hex'), uploaded_at IS NULL, retired_at IS NULL, retired_reason,
                 round(extract(epoch FROM purge_after - retired_at)), purge_started_at, writer, window_entry IS NULL)
             FROM backups WHERE org_id = '{0}'
             UNION ALL SELECT concat_ws('|', id, last_seq, cardinality(recent_admissions), window_epoch, backups_kept, bytes_kept,
                 last_backup_id, last_backup_at IS NULL, whole_backup_id, refused_reason, last_seen_at IS NULL)
             FROM systems WHERE org_id = '{0}'
             UNION ALL SELECT concat_ws('|', stored_bytes, reserved_bytes) FROM org_usage WHERE org_id = '{0}'
             UNION ALL SELECT concat_ws('|', row_number() OVER (ORDER BY id), kind, system_id, backup_id, detail)
             FROM backup_events WHERE org_id = '{0}' AND kind NOT IN ('org_added', 'system_added')",
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

/// Returns the outcome without what depends on the time of day.
fn without_times(outcome: OperationOutcome) -> String {
    match outcome {
        OperationOutcome::Committed(committed) => format!("committed, pruned: {}", committed.pruned),
        OperationOutcome::RateLimited { .. } => "rate limited".to_owned(),
        OperationOutcome::Admitted { .. } => "admitted".to_owned(),
        outcome => format!("{outcome:?}"),
    }
}

/// The outcomes of each organization's batch.
type Outcomes = Result<Vec<Vec<OperationOutcome>>, DbError>;

/// Runs one transaction for each organization.
fn by_organization(conn: &mut Conn, policy: &AccountingPolicy, shares: &[OrgBatch]) -> Outcomes {
    shares.iter().map(|share| run(conn, policy, share)).collect()
}

/// Runs one transaction for all.
fn in_one_transaction(conn: &mut Conn, policy: &AccountingPolicy, shares: &[OrgBatch]) -> Outcomes {
    let outcomes = run_shared(conn, policy, shares)?;
    Ok(outcomes.into_iter().map(|outcomes| outcomes.expect("no other session holds locks")).collect())
}

/// Runs one transaction for each operation.
fn one_by_one(conn: &mut Conn, policy: &AccountingPolicy, shares: &[OrgBatch]) -> Outcomes {
    let single = |share: &OrgBatch, op: &Operation| OrgBatch::new(share.org.clone(), vec![op.clone()]);
    let each = |share: &OrgBatch| share.operations.iter().map(|op| single(share, op)).collect::<Vec<_>>();
    shares.iter().map(|share| Ok(by_organization(conn, policy, &each(share))?.concat())).collect()
}

#[test]
fn batch_has_the_same_result_as_its_operations_one_by_one() {
    has_the_same_result_as_one_by_one(1, by_organization);
}

#[test]
fn transaction_of_several_organizations_has_the_same_result_as_one_by_one() {
    has_the_same_result_as_one_by_one(3, in_one_transaction);
}

fn has_the_same_result_as_one_by_one(
    orgs: usize,
    way: fn(&mut Conn, &AccountingPolicy, &[OrgBatch]) -> Outcomes,
) {
    let db = Database::new();
    let mut conn = db.session().conn;
    let mut runner = TestRunner::new(Config {
        cases: 60 / u32::try_from(orgs).expect("few"),
        failure_persistence: None,
        ..Config::default()
    });
    let input = (
        prop::collection::vec((0..orgs, step()), 1..120),
        prop::collection::vec(1..20usize, 1..8),
        (1..5usize, 20..200u64, prop_oneof![Just(0usize), Just(12)]),
    );
    let same = |(steps, lengths, (slots, bytes, per_hour)): (Vec<_>, Vec<usize>, (usize, u64, usize))| {
        let policy = AccountingPolicy {
            retention: Retention { slots, bytes },
            rate: RateLimits { per_minute: 0, per_hour },
            default_quota: None,
            writer: Uuid::from_u128(1),
        };
        let mut some = || (0..orgs).map(|_| Org::new(&mut conn)).collect::<Vec<_>>();
        let (single, batched) = (some(), some());
        let (mut rest, mut lengths) = (&steps[..], lengths.into_iter().cycle());
        while !rest.is_empty() {
            let length = lengths.next().unwrap_or(1).min(rest.len());
            let (now, later) = rest.split_at(length);
            rest = later;
            let shares = |set: &[Org]| -> Vec<OrgBatch> {
                let share = |(place, org): (usize, &Org)| {
                    let own = now.iter().filter(|(of, _)| *of == place);
                    OrgBatch::new(org.id.clone(), own.map(|(_, step)| org.operation(step)).collect())
                };
                set.iter().enumerate().map(share).collect()
            };
            let expected = one_by_one(&mut conn, &policy, &shares(&single));
            // An operation that fails on its data fails its batch, whose operations are then run one by one.
            let found = way(&mut conn, &policy, &shares(&batched))
                .or_else(|_| one_by_one(&mut conn, &policy, &shares(&batched)));
            prop_assert_eq!(found.is_ok(), expected.is_ok());
            if let (Ok(found), Ok(expected)) = (found, expected) {
                let without_times = |all: Vec<Vec<OperationOutcome>>| {
                    all.into_iter()
                        .map(|of| of.into_iter().map(without_times).collect())
                        .collect::<Vec<Vec<_>>>()
                };
                prop_assert_eq!(without_times(found), without_times(expected));
            }
            for (batched, single) in batched.iter().zip(&single) {
                prop_assert_eq!(batched.rows(&db), single.rows(&db));
            }
        }
        let mut differences = vec![];
        audit::imbalances(&mut db.session().conn, |difference| differences.push(difference)).expect("audit");
        prop_assert!(differences.is_empty(), "{:?}", differences);
        Ok(())
    };
    let same = std::cell::RefCell::new(same);
    runner.run(&input, |input| (same.borrow_mut())(input)).expect("the same");
}

#[test]
fn upload_that_is_given_up_is_not_stored_by_an_earlier_attempt() {
    let db = Database::new();
    let mut conn = db.session().conn;
    let policy = AccountingPolicy {
        retention: Retention { slots: 3, bytes: 1000 },
        rate: RateLimits { per_minute: 0, per_hour: 0 },
        default_quota: None,
        writer: Uuid::from_u128(1),
    };
    let org = Org::new(&mut conn);
    let mut operate = |act, number| {
        let batch = OrgBatch::new(org.id.clone(), vec![org.operation(&(0, number, act))]);
        run(&mut conn, &policy, &batch).map(|mut outcomes| outcomes.swap_remove(0))
    };
    // The first attempt is on its way, and the second finds nothing.
    assert_eq!(operate(Act::Store(10, true), 0).expect("a repetition"), OperationOutcome::NotUnderWay);
    operate(Act::Store(10, false), 0).expect_err("the first attempt comes too late");
    let row = "SELECT concat_ws(' ', state, retired_reason, purge_after > now() + interval '50 minutes') FROM backups";
    assert_eq!(db.all(row), ["retired failed t"]);
    assert_eq!(db.one("SELECT concat_ws(' ', stored_bytes, reserved_bytes) FROM org_usage"), "0 0");
    // What an earlier attempt has stored is found, also if it was deleted since.
    let stored = operate(Act::Store(20, false), 1).expect("a new upload");
    assert!(matches!(stored, OperationOutcome::Committed(_)), "{stored:?}");
    for act in [Act::Store(20, true), Act::Delete { again: false }, Act::Store(20, true)] {
        let outcome = operate(act, 1).expect("an outcome");
        let expected = match act {
            Act::Delete { .. } => matches!(outcome, OperationOutcome::Deleted),
            _ => matches!(outcome, OperationOutcome::Committed(_)),
        };
        assert!(expected, "{act:?}: {outcome:?}");
    }
    assert_eq!(db.one("SELECT count(*) FROM backups WHERE state = 'stored'"), "0");
}
