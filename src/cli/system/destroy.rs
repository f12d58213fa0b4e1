//! `strongroom system destroy`: first marks the system, so that no upload can be added. Then it retires all backups, and erases
//! objects until none is left. Last it drops the system's row. If the command is killed at any point, it can be run again.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::cli::confirm;
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::output::time;
use crate::cli::system_arg::SystemArg;
use crate::db::accounting::{Abort, Delete, DeletedBy, Operation, UploadFailure};
use crate::db::purge;
use crate::db::systems::{self, OpenRow, SystemSummary};
use crate::domain::failure_reason::FailureReason;
use crate::domain::ids::{OrgId, SystemKey};
use crate::domain::object_key::ObjectKey;
use crate::store::BlobStore;

#[derive(Serialize)]
struct Destroyed {
    id: Uuid,
    system_key: String,
    objects_erased: u64,
    /// Whether the system's row is gone. If not, tombstones of failed uploads keep it until `rows_until`; then the service
    /// drops it.
    complete: bool,
    rows_until: Option<DateTime<Utc>>,
}

/// The steps that are done.
#[derive(Default)]
struct Progress {
    marked: bool,
    retired: usize,
    erased: u64,
}

pub fn run(context: &mut Context, system: &SystemArg, yes: bool) -> Result<(), Failure> {
    confirm::require(yes, "destroying a system")?;
    let named = system;
    let system = named.find(context)?;
    if yes && !named.is_key_or_id_of(&system) {
        // A script that is run again must not destroy a system whose name is the key of the one that is gone.
        return Err(Failure::Refused(format!(
            "--yes needs the key or the id of a system, and this is only the name of system {} of organization {}: \
             pass its key; nothing was changed",
            system.system_key, system.org_id
        )));
    }
    let parse = |e: crate::domain::ids::InvalidName| Failure::Refused(e.to_string());
    let org = OrgId::parse(&system.org_id).map_err(parse)?;
    let key = SystemKey::parse(&system.system_key).map_err(parse)?;
    let prefix = ObjectKey::prefix_of(&org, &key);
    let (store, runtime) = context.store_for_deletion(&prefix)?;
    let question = format!(
        "This erases system {} ({:?} of organization {}) and its {} backups for good. Type its key or \"yes\" to go on:",
        system.system_key, system.name, system.org_id, system.backups
    );
    confirm::ask(yes, &question, &[&system.system_key])?;

    let mut progress = Progress::default();
    let destroyed = destroy(context, &system, &prefix, (&store, &runtime), &mut progress)
        .map_err(|failure| failure.map_line(|cause| partial_failure(&system, &progress, &cause)))?;
    context.output.print(&destroyed, |d| {
        let erased = format!("erased {} objects of system {}", d.objects_erased, d.system_key);
        match d.rows_until {
            None => format!("{erased}; it is gone"),
            Some(until) => format!(
                "{erased}; failed uploads keep its row until {}, then the service drops it",
                time(until)
            ),
        }
    })
}

fn destroy(
    context: &mut Context,
    system: &SystemSummary,
    prefix: &str,
    (store, runtime): (&Arc<dyn BlobStore>, &Runtime),
    progress: &mut Progress,
) -> Result<Destroyed, Failure> {
    systems::mark_destroying(&mut context.conn, system)?;
    progress.marked = true;
    fail_point!("destroy.marked");
    retire_everything(context, system, &mut progress.retired)?;
    fail_point!("destroy.retired");

    runtime.block_on(erase(store, prefix, &mut progress.erased))?;
    fail_point!("destroy.erased");
    let claimed = purge::claim_of_system(&mut context.conn, system.id)?;
    let claimed: Vec<_> = claimed.into_iter().map(|claimed| claimed.id).collect();
    purge::drop_rows(&mut context.conn, &claimed)?;
    fail_point!("destroy.dropped");
    let tombstones = purge::tombstones(&mut context.conn, system.id)?;
    purge::drop_destroyed_systems(&mut context.conn)?;
    Ok(Destroyed {
        id: system.id,
        system_key: system.system_key.clone(),
        objects_erased: progress.erased,
        complete: tombstones.count == 0,
        rows_until: tombstones.until,
    })
}

/// Returns the text of an error, with the steps that were done before it, and how to go on.
fn partial_failure(system: &SystemSummary, progress: &Progress, cause: &str) -> String {
    let Progress { marked, retired, erased } = progress;
    let key = &system.system_key;
    let locked_out = if *marked { "it is locked out for good" } else { "it may be locked out" };
    format!(
        "{cause}; system {key} is not destroyed yet: {locked_out}, backups and uploads taken out of the accounting: \
         {retired}, objects erased: {erased}; the rest is still there: `strongroom system destroy {key}` again \
         finishes it"
    )
}

/// Retires every backup and aborts every upload, and counts them. The system is marked, so none is added.
fn retire_everything(
    context: &mut Context,
    system: &SystemSummary,
    retired: &mut usize,
) -> Result<(), Failure> {
    loop {
        let rows = systems::open_rows(&mut context.conn, system.id)?;
        if rows.is_empty() {
            return Ok(());
        }
        let operations: Vec<_> = rows.into_iter().map(|row| operation(system.id, row)).collect();
        // The operations run in steps, so that the organization's uploads can run in between.
        for step in operations.chunks(64) {
            context.run_operations(&system.org_id, step)?;
            *retired += step.len();
        }
    }
}

fn operation(system_id: Uuid, row: OpenRow) -> Operation {
    match row {
        OpenRow::Stored(backup) => Operation::Delete(Delete {
            system_id,
            backup,
            by: DeletedBy::Operator,
            remote_addr: None,
            attempted_before: false,
        }),
        OpenRow::Receiving(backup) => {
            let failure = Some(UploadFailure { reason: FailureReason::Revoked, received: None });
            Operation::Abort(Abort { system_id, backup, release_rate_slot: false, failure, refused: None })
        }
    }
}

/// Deletes all objects under the system's prefix, until there are none, and counts them.
async fn erase(store: &Arc<dyn BlobStore>, prefix: &str, erased: &mut u64) -> Result<(), Failure> {
    let progress = ProgressBar::new_spinner().with_message("objects erased");
    loop {
        let objects: Vec<_> = store.list(prefix).try_collect().await?;
        if objects.is_empty() {
            progress.finish_and_clear();
            return Ok(());
        }
        for object in objects {
            store.delete(&object.key).await?;
            *erased += 1;
            fail_point!("destroy.deleted");
            progress.inc(1);
        }
    }
}
