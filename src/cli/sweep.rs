//! `strongroom sweep`: does by hand what the service does by itself; and with `--orphans` what it never does by itself.

use std::time::Duration;

use chrono::{DateTime, Utc};
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::confirm;
use super::context::{Context, Tools};
use super::exit::{ExitCode, Failure};
use super::output::{table, time};
use super::report::Report;
use crate::db::objects;
use crate::domain::orphans::objection;
use crate::domain::size;
use crate::store::ObjectInfo;
use crate::tasks::orphans::{self, OrphanReport};
use crate::tasks::purge::{self, PurgeReport};
use crate::tasks::sweep::{SweepReport, Sweeper, new_process_id};
use crate::tasks::{Lease, Supervisor};
use crate::telemetry::Metrics;

/// Between two looks whether it is known which uploads are abandoned.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Beyond the time that it takes at least.
const A_LITTLE: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub struct Sweep {
    /// Delete objects that have no row, too
    #[arg(long, requires = "older_than")]
    orphans: bool,
    /// Only those last written longer ago than this: 7d, 12h, 30m
    #[arg(long, value_name = "AGE", requires = "orphans", value_parser = humantime::parse_duration)]
    older_than: Option<Duration>,
    /// Delete them even if it looks as if the database were the one that misses something
    #[arg(long, requires = "orphans")]
    force: bool,
    /// Do not ask before objects are deleted
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

/// What was done.
#[derive(Default, Serialize)]
struct Done {
    /// Uploads of dead processes.
    uploads_taken_back: usize,
    backups_purged: usize,
    tombstones_dropped: usize,
    systems_dropped: usize,
    leftovers_removed: usize,
    requests_expired: usize,
    orphans_deleted: u64,
    orphans_kept: u64,
    /// What could not be done and is tried again by the next pass.
    failed: u64,
}

impl Sweep {
    pub fn run(self, context: &mut Context) -> Result<ExitCode, Failure> {
        let before = self.older_than.map(|age| cutoff(context, age)).transpose()?;
        let tools = context.tools()?;
        // A look that writes nothing: a sweep may be what makes room on a full disk.
        tools.runtime.block_on(tools.store.find_leftovers())?;
        if before.is_some() && !self.force {
            refuse_on_doubt(&tools)?;
        }
        // A script that names an age has said what it wants.
        if let Some(before) = before.filter(|_| confirm::is_possible()) {
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
        let mut report = Report::new(context.output.json, "orphans", ["DELETED", "SIZE", "MODIFIED"], cells);
        let mut done = Done::default();
        let passed = pass(context, &tools, &mut done).and_then(|()| match before {
            None => Ok(()),
            Some(before) => clear(&tools, before, &mut done, &mut report),
        });
        report.finish(&done, &describe(&done))?;
        passed?;
        if done.failed > 0 {
            return Err(Failure::Unreachable(format!("{} of it could not be done", done.failed)));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The time before which an object must have been written. By the database's clock: this machine's may be wrong.
fn cutoff(context: &mut Context, age: Duration) -> Result<DateTime<Utc>, Failure> {
    let too_long = || Failure::Usage("--older-than: that is too long ago".to_owned());
    let age = chrono::Duration::from_std(age).map_err(|_| too_long())?;
    objects::now(&mut context.conn)?.checked_sub_signed(age).ok_or_else(too_long)
}

/// Looks at all objects before any is deleted, because what is deleted does not come back.
fn refuse_on_doubt(tools: &Tools) -> Result<(), Failure> {
    let progress = ProgressBar::new_spinner().with_message("objects looked at");
    let seen = |count| progress.inc(count);
    let evidence = tools.runtime.block_on(orphans::gather_evidence(&tools.db, tools.store.as_ref(), &seen));
    progress.finish_and_clear();
    objection(&evidence?).map_or(Ok(()), |objection| {
        Err(Failure::Refused(format!(
            "nothing was deleted: {objection}. Is it the right database? With --force they are deleted all the same"
        )))
    })
}

/// What `serve` does every BACKUP_SWEEP_INTERVAL, and whenever there is something to purge.
fn pass(context: &Context, tools: &Tools, done: &mut Done) -> Result<(), Failure> {
    let lease = context.config.upkeep.lease;
    let sweeper = Sweeper::by_hand(tools.db.clone(), tools.store.clone(), context.policy(), lease);
    let (undecided, _lease) = tools.runtime.block_on(decide(context, &sweeper, lease))?;
    if undecided > 0 {
        log::warn!("{undecided} uploads may be alive: the database was away meanwhile");
    }
    done.failed += undecided as u64;
    let SweepReport { uploads, leftovers, expired, failed } = tools.runtime.block_on(sweeper.run_once())?;
    (done.uploads_taken_back, done.leftovers_removed, done.requests_expired) = (uploads, leftovers, expired);
    done.failed += failed as u64;
    let PurgeReport { backups, tombstones, systems, failed } =
        tools.runtime.block_on(purge::run_once(&tools.db, tools.store.as_ref()))?;
    (done.backups_purged, done.tombstones_dropped, done.systems_dropped) = (backups, tombstones, systems);
    done.failed += failed as u64;
    Ok(())
}

/// If no service has held a lease for as long as it takes to find out whose uploads are abandoned, takes one, and gives it
/// back when it has been held for so long: it has to be held until they are taken back. Says how many are undecided then.
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
        "no running service can tell which uploads are abandoned: waiting {} s to find out",
        lease.as_secs()
    );
    // Nobody asks this process for its metrics.
    let metrics = Metrics::new().map_err(|e| Failure::Refused(format!("make the metrics: {e}")))?;
    let supervisor = Supervisor::new(Handle::current(), metrics.tasks);
    let held = Lease::start(&supervisor, context.connector.clone(), new_process_id(), lease)
        .map_err(|e| Failure::Refused(format!("start the lease thread: {e}")))?;
    let start = Instant::now();
    while undecided > 0 && start.elapsed() < lease.saturating_add(A_LITTLE) {
        sleep(LOOK_EVERY).await;
        undecided = sweeper.undecided().await?;
    }
    Ok((undecided, Some(held)))
}

fn clear(
    tools: &Tools,
    before: DateTime<Utc>,
    done: &mut Done,
    report: &mut Report<Orphan, 3>,
) -> Result<(), Failure> {
    let mut say = |object: ObjectInfo| {
        let ObjectInfo { key, size, modified } = object;
        report.push(Orphan { object_key: key.to_string(), size, modified });
    };
    let delete = orphans::delete(&tools.db, tools.store.as_ref(), before, &mut say);
    let OrphanReport { deleted, kept, failed } = tools.runtime.block_on(delete)?;
    (done.orphans_deleted, done.orphans_kept) = (deleted, kept);
    done.failed += failed;
    Ok(())
}

fn describe(done: &Done) -> String {
    let rows = [
        ("uploads of dead processes taken back", done.uploads_taken_back as u64),
        ("retired backups purged", done.backups_purged as u64),
        ("tombstones of failed uploads dropped", done.tombstones_dropped as u64),
        ("destroyed systems dropped", done.systems_dropped as u64),
        ("unfinished writes removed", done.leftovers_removed as u64),
        ("requests that nothing answered in time", done.requests_expired as u64),
        ("objects without a row deleted", done.orphans_deleted),
        ("objects without a row kept (too young)", done.orphans_kept),
        ("failed, to be tried again", done.failed),
    ];
    table(["DONE", "COUNT"], rows.map(|(what, count)| [what.to_owned(), count.to_string()]))
}
