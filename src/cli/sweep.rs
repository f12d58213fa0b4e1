//! `strongroom sweep`: runs one pass of the clean-up that the service runs periodically. With `--orphans` it also deletes
//! objects without a row, which the service never does.

use std::time::Duration;

use chrono::{DateTime, Utc};
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::confirm;
use super::context::{Context, TaskContext};
use super::exit::{ExitCode, Failure};
use super::output::{table, time};
use super::streamed_list::StreamedList;
use crate::db::objects;
use crate::domain::orphans::objection;
use crate::domain::{duration, size};
use crate::store::ObjectInfo;
use crate::tasks::orphans::{self, OrphanReport};
use crate::tasks::purge::{self, PurgeReport};
use crate::tasks::sweep::{SweepReport, Sweeper};
use crate::tasks::{Lease, Supervisor, new_process_id};
use crate::telemetry::Metrics;

/// The pause between two checks whether uploads are still undecided.
const CHECK_INTERVAL: Duration = Duration::from_millis(300);
/// How much longer than a lease the command waits for the decision.
const DECISION_MARGIN: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    strongroom sweep\n  \
    strongroom sweep --orphans --older-than 7d")]
pub struct Sweep {
    /// Also delete objects without a row in the database (orphans)
    #[arg(long, requires = "older_than")]
    orphans: bool,
    /// Delete only orphans that were last written longer ago than AGE, such as 7d, 12h or 30m
    #[arg(long, value_name = "AGE", requires = "orphans", value_parser = duration::parse)]
    older_than: Option<Duration>,
    /// Delete orphans even if the database seems to be the wrong one: empty, or older than the store
    #[arg(long, requires = "orphans")]
    force: bool,
    /// Do not ask for confirmation before orphans are deleted (without a terminal nothing is asked)
    #[arg(long, requires = "orphans")]
    yes: bool,
}

/// An object that was deleted.
#[derive(Serialize)]
struct Orphan {
    object_key: String,
    size: u64,
    modified: Option<DateTime<Utc>>,
}

/// The results of the pass: the summary in the JSON document.
#[derive(Default, Serialize)]
struct Done {
    /// How many uploads of dead processes were rolled back.
    #[serde(rename = "uploads_taken_back")]
    uploads_rolled_back: usize,
    backups_purged: usize,
    tombstones_dropped: usize,
    systems_dropped: usize,
    leftovers_removed: usize,
    requests_expired: usize,
    orphans_deleted: u64,
    orphans_kept: u64,
    /// How many items failed. The next pass tries them again.
    failed: u64,
}

impl Sweep {
    pub fn run(self, context: &mut Context) -> Result<ExitCode, Failure> {
        let before = self.older_than.map(|age| cutoff(context, age)).transpose()?;
        let tasks = context.task_context()?;
        // This checks the store without writing: the disk may be full, and the sweep frees space.
        tasks.runtime.block_on(tasks.store.find_leftovers())?;
        if before.is_some() && !self.force {
            refuse_wrong_database(&tasks)?;
        }
        // A script has confirmed the deletion by passing an age, so it is not asked.
        if let Some(before) = before.filter(|_| confirm::can_ask()) {
            let question = format!(
                "This deletes every object that has no row and was last written before {}, for good. Type \"yes\" to go on:",
                time(before)
            );
            confirm::ask(self.yes, &question, &[])?;
        }
        let cells = |orphan: &Orphan| {
            let modified = orphan.modified.map(time).unwrap_or_default();
            [orphan.object_key.clone(), size::human(orphan.size), modified]
        };
        let mut list =
            StreamedList::new(context.output.json, "orphans", ["DELETED", "SIZE", "MODIFIED"], cells);
        let mut done = Done::default();
        let swept = sweep_once(context, &tasks, &mut done).and_then(|()| match before {
            None => Ok(()),
            Some(before) => delete_orphans(&tasks, before, &mut done, &mut list),
        });
        list.finish(&done, &describe(&done))?;
        swept?;
        if done.failed > 0 {
            return Err(Failure::Unreachable(format!(
                "{} items failed, see the warnings above; the next pass tries them again",
                done.failed
            )));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the time before which an object must have been written, by the database's clock: this machine's clock may be wrong.
fn cutoff(context: &mut Context, age: Duration) -> Result<DateTime<Utc>, Failure> {
    let too_long = || Failure::Usage("--older-than: it is too long ago".to_owned());
    let age = chrono::Duration::from_std(age).map_err(|_| too_long())?;
    objects::now(&mut context.conn)?.checked_sub_signed(age).ok_or_else(too_long)
}

/// Fails if the database seems to be the wrong one. Checks all objects before any is deleted, because a deletion can't be
/// undone.
fn refuse_wrong_database(tasks: &TaskContext) -> Result<(), Failure> {
    let progress = ProgressBar::new_spinner().with_message("objects checked");
    let seen = |count| progress.inc(count);
    let evidence = tasks.runtime.block_on(orphans::gather_evidence(&tasks.db, tasks.store.as_ref(), &seen));
    progress.finish_and_clear();
    objection(&evidence?).map_or(Ok(()), |objection| {
        Err(Failure::Refused(format!(
            "nothing was deleted: {objection}. Check DATABASE_URL, and docs/operations.md (Objects without a row). \
             --force deletes them for good"
        )))
    })
}

/// Runs one sweep and one purge. `serve` sweeps every BACKUP_SWEEP_INTERVAL, and purges when a retired backup is due.
fn sweep_once(context: &Context, tasks: &TaskContext, done: &mut Done) -> Result<(), Failure> {
    let lease = context.config.upkeep.lease;
    let sweeper = Sweeper::by_hand(tasks.db.clone(), tasks.store.clone(), context.accounting_policy(), lease);
    let (undecided, _lease) = tasks.runtime.block_on(decide(context, &sweeper, lease))?;
    if undecided > 0 {
        log::warn!(
            "{undecided} uploads are left alone: the database was unreachable meanwhile, so it is not known whether their \
             processes are alive. Run `strongroom sweep` again"
        );
    }
    done.failed += undecided as u64;
    let SweepReport { uploads, leftovers, expired, failed, panic: _ } =
        tasks.runtime.block_on(sweeper.run_once())?;
    (done.uploads_rolled_back, done.leftovers_removed, done.requests_expired) = (uploads, leftovers, expired);
    done.failed += failed as u64;
    let PurgeReport { backups, tombstones, systems, failed, panic: _ } =
        tasks.runtime.block_on(purge::run_once(&tasks.db, tasks.store.as_ref()))?;
    (done.backups_purged, done.tombstones_dropped, done.systems_dropped) = (backups, tombstones, systems);
    done.failed += failed as u64;
    Ok(())
}

/// Waits until it is known which uploads are abandoned. That needs a lease that some process has held without a gap for a whole
/// lease. If no service holds one, this function takes one, and the caller keeps it until the uploads are rolled back. Returns
/// how many uploads are still undecided.
async fn decide(
    context: &Context,
    sweeper: &Sweeper,
    lease: Duration,
) -> Result<(usize, Option<Lease>), Failure> {
    let mut undecided = sweeper.undecided().await?;
    if undecided == 0 {
        return Ok((0, None));
    }
    log::info!(
        "no running service has held its lease for long enough: waiting {} s to find out which uploads are abandoned",
        lease.as_secs()
    );
    // The supervisor needs metrics; nobody reads them here.
    let metrics = Metrics::new().map_err(|e| Failure::Refused(format!("make the metrics: {e}")))?;
    let supervisor = Supervisor::new(Handle::current(), metrics.tasks);
    let held = Lease::start(&supervisor, context.connector.clone(), new_process_id(), lease)
        .map_err(|e| Failure::Refused(format!("start the lease thread: {e}")))?;
    let start = Instant::now();
    while undecided > 0 && start.elapsed() < lease.saturating_add(DECISION_MARGIN) {
        sleep(CHECK_INTERVAL).await;
        undecided = sweeper.undecided().await?;
    }
    Ok((undecided, Some(held)))
}

fn delete_orphans(
    tasks: &TaskContext,
    before: DateTime<Utc>,
    done: &mut Done,
    list: &mut StreamedList<Orphan, 3>,
) -> Result<(), Failure> {
    let mut deleted_one = |object: ObjectInfo| {
        let ObjectInfo { key, size, modified } = object;
        list.push(Orphan { object_key: key.to_string(), size, modified });
    };
    let delete = orphans::delete(&tasks.db, tasks.store.as_ref(), before, &mut deleted_one);
    let OrphanReport { deleted, kept, failed } = tasks.runtime.block_on(delete)?;
    (done.orphans_deleted, done.orphans_kept) = (deleted, kept);
    done.failed += failed;
    Ok(())
}

fn describe(done: &Done) -> String {
    let rows = [
        ("uploads of dead processes rolled back", done.uploads_rolled_back as u64),
        ("retired backups purged", done.backups_purged as u64),
        ("tombstones of failed uploads dropped", done.tombstones_dropped as u64),
        ("destroyed systems dropped", done.systems_dropped as u64),
        ("unfinished writes removed", done.leftovers_removed as u64),
        ("requests that nothing answered in time", done.requests_expired as u64),
        ("objects without a row deleted", done.orphans_deleted),
        ("objects without a row kept (too young)", done.orphans_kept),
        ("failed, will be tried again", done.failed),
    ];
    table(["DONE", "COUNT"], rows.map(|(what, count)| [what.to_owned(), count.to_string()]))
}
