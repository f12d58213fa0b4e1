//! `strongroom system destroy`. The system is marked first, so that nothing new can come; then all its backups are retired,
//! its objects are erased until none is left, and its row goes last. Killed at any point, it can be run again.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use indicatif::ProgressBar;
use serde::Serialize;
use uuid::Uuid;

use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::output::time;
use crate::db::accounting::{Abort, Delete, DeletedBy, Operation};
use crate::db::purge;
use crate::db::systems::{self, OpenRow, SystemSummary};
use crate::domain::ids::{OrgId, SystemKey};
use crate::domain::object_key::ObjectKey;
use crate::store::BlobStore;

#[derive(Serialize)]
struct Destroyed {
    id: Uuid,
    system_key: String,
    objects_erased: u64,
    /// False: uploads that failed within the last hour keep the system's row until `rows_until`;
    /// the service drops it then.
    complete: bool,
    rows_until: Option<DateTime<Utc>>,
}

pub fn run(context: &mut Context, name: &str, yes: bool) -> Result<(), Failure> {
    let system = context.system(name)?;
    if !yes {
        confirm(&system)?;
    }
    systems::mark_destroying(&mut context.conn, &system)?;
    fail_point!("destroy.marked");
    retire_everything(context, &system)?;
    fail_point!("destroy.retired");

    let (store, runtime) = context.store()?;
    let objects_erased = runtime.block_on(erase(&store, &system))?;
    fail_point!("destroy.erased");
    let claimed = purge::claim_of_system(&mut context.conn, system.id)?;
    let claimed: Vec<_> = claimed.into_iter().map(|claimed| claimed.id).collect();
    purge::drop_rows(&mut context.conn, &claimed)?;
    fail_point!("destroy.dropped");
    let tombstones = purge::tombstones(&mut context.conn, system.id)?;
    purge::drop_destroyed_systems(&mut context.conn)?;
    let destroyed = Destroyed {
        id: system.id,
        system_key: system.system_key,
        objects_erased,
        complete: tombstones.count == 0,
        rows_until: tombstones.until,
    };
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

fn confirm(system: &SystemSummary) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(());
    }
    eprint!("This erases {} backups for good. Type {} to go on: ", system.backups, system.system_key);
    let read = |e: std::io::Error| Failure::Refused(format!("read the answer: {e}"));
    std::io::stderr().flush().map_err(read)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(read)?;
    if answer.trim() == system.system_key {
        Ok(())
    } else {
        Err(Failure::Refused("nothing was destroyed: that is not the system's key".to_owned()))
    }
}

/// Takes every backup and every upload out of the books. The system is marked: nothing new comes.
fn retire_everything(context: &mut Context, system: &SystemSummary) -> Result<(), Failure> {
    loop {
        let rows = systems::open_rows(&mut context.conn, system.id)?;
        if rows.is_empty() {
            return Ok(());
        }
        let operations: Vec<_> = rows.into_iter().map(|row| operation(system.id, row)).collect();
        // In steps, so that the organization's uploads get their turn in between.
        for step in operations.chunks(64) {
            context.account(&system.org_id, step)?;
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
        OpenRow::Receiving(backup) => Operation::Abort(Abort { system_id, backup, give_back_slot: false }),
    }
}

/// Deletes all objects under the system's prefix, until there are none.
async fn erase(store: &Arc<dyn BlobStore>, system: &SystemSummary) -> Result<u64, Failure> {
    let parse = |e: crate::domain::ids::InvalidName| Failure::Refused(e.to_string());
    let org = OrgId::parse(&system.org_id).map_err(parse)?;
    let key = SystemKey::parse(&system.system_key).map_err(parse)?;
    let prefix = ObjectKey::prefix_of(&org, &key);
    let progress = ProgressBar::new_spinner().with_message("objects erased");
    let mut erased = 0;
    loop {
        let objects: Vec<_> = store.list(&prefix).try_collect().await?;
        if objects.is_empty() {
            progress.finish_and_clear();
            return Ok(erased);
        }
        for object in objects {
            store.delete(&object.key).await?;
            erased += 1;
            fail_point!("destroy.deleted");
            progress.inc(1);
        }
    }
}
