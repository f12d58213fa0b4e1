//! `strongroom system destroy`: marks the system, so that no upload can be added, and erases it by the steps of the service's
//! own task (`tasks::erase`). If the command is killed at any point, the service finishes the erasure.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::cli::confirm;
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::output::time;
use crate::cli::system_arg::SystemArg;
use crate::db::Db;
use crate::db::erasures::{self, ErasureRequest};
use crate::db::systems::SystemSummary;
use crate::domain::author::Author;
use crate::domain::ids::{OrgId, SystemKey};
use crate::domain::object_key::ObjectKey;
use crate::store::BlobStore;
use crate::tasks::erase::{Accounting, Eraser, ErasureProgress};

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
    erasure: ErasureProgress,
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
    let destroyed = destroy(context, &system, (store, &runtime), &mut progress)
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
    (store, runtime): (Arc<dyn BlobStore>, &Runtime),
    progress: &mut Progress,
) -> Result<Destroyed, Failure> {
    // The service leaves it alone while this command works on it.
    let request = ErasureRequest {
        system_id: system.id,
        org_id: system.org_id.clone(),
        author: Author::Operator,
        claim: true,
    };
    erasures::begin(&mut context.conn, &request)?;
    progress.marked = true;
    fail_point!("destroy.marked");

    erasures::adopt(&mut context.conn)?;
    if let Some(erasure) = erasures::claim(&mut context.conn, system.id)? {
        let eraser = Eraser {
            db: Db::new(context.connector.clone(), runtime.handle().clone()),
            store,
            accounting: Accounting::Direct(context.accounting_policy()),
        };
        let bar = ProgressBar::new_spinner().with_message("objects erased");
        runtime.block_on(eraser.erase(&erasure, &mut progress.erasure, &|count| bar.set_position(count)))?;
        bar.finish_and_clear();
    }
    let rows_until = erasures::status(&mut context.conn, system.id)?.and_then(|status| status.rows_until);
    erasures::finish(&mut context.conn)?;
    Ok(Destroyed {
        id: system.id,
        system_key: system.system_key.clone(),
        objects_erased: progress.erasure.objects,
        complete: rows_until.is_none(),
        rows_until,
    })
}

/// Returns the text of an error, with the steps that were done before it, and how to go on.
fn partial_failure(system: &SystemSummary, progress: &Progress, cause: &str) -> String {
    let Progress { marked, erasure: ErasureProgress { retired, objects } } = progress;
    let key = &system.system_key;
    let locked_out = if *marked { "it is locked out for good" } else { "it may be locked out" };
    format!(
        "{cause}; system {key} is not destroyed yet: {locked_out}, backups and uploads taken out of the accounting: \
         {retired}, objects erased: {objects}; the rest is still there: `strongroom system destroy {key}` again \
         finishes it"
    )
}
