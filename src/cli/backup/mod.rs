//! `strongroom backup ...`.

mod fetch;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde::Serialize;

use super::confirm;
use super::context::Context;
use super::exit::{ExitCode, Failure};
use super::output::{table, time};
use crate::db::accounting::{Delete, DeletedBy, Operation, OperationOutcome};
use crate::db::backups::{self, BackupRow};
use crate::db::purge;
use crate::domain::ids::BackupId;
use crate::domain::size;

#[derive(Subcommand)]
pub enum Backup {
    /// List the backups of a system, newest first
    List {
        /// Id or key of the system
        system: String,
    },
    /// Download a backup to a file, and check its SHA-256
    Fetch {
        /// Id of the backup, as `strongroom backup list` shows it
        #[arg(value_parser = BackupId::parse)]
        id: BackupId,
        /// File to write; it must not exist yet
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Delete a backup for good
    Delete {
        /// Id of the backup, as `strongroom backup list` shows it
        #[arg(value_parser = BackupId::parse)]
        id: BackupId,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Serialize)]
struct Line {
    id: BackupId,
    filename: String,
    size: u64,
    sha256: String,
    mimetype: String,
    uploaded_at: DateTime<Utc>,
    damage: Option<String>,
}

impl From<BackupRow> for Line {
    fn from(row: BackupRow) -> Self {
        Self {
            id: row.id,
            filename: row.filename,
            size: row.size,
            sha256: hex::encode(row.sha256),
            mimetype: row.mimetype,
            uploaded_at: row.uploaded_at,
            damage: row.damage,
        }
    }
}

#[derive(Serialize)]
struct Deleted {
    id: BackupId,
}

impl Backup {
    pub fn run(self, context: &mut Context) -> Result<ExitCode, Failure> {
        match self {
            Self::List { system } => {
                let system = context.system(&system)?;
                let rows = backups::list(&mut context.conn, system.id)?;
                let lines: Vec<Line> = rows.into_iter().map(Line::from).collect();
                context.output.print(&lines, |lines| describe(lines))?;
            }
            Self::Fetch { id, output } => fetch::run(context, id, &output)?,
            Self::Delete { id, yes } => delete(context, id, yes)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the stored backup with this id, of any system.
fn find(context: &mut Context, id: BackupId) -> Result<BackupRow, Failure> {
    backups::find_any(&mut context.conn, id)?.ok_or_else(|| no_backup(id))
}

fn no_backup(id: BackupId) -> Failure {
    Failure::Refused(format!("no backup {id}: `strongroom backup list SYSTEM` shows a system's"))
}

/// Deletes a backup: retires its row, deletes its object, and drops the row.
fn delete(context: &mut Context, id: BackupId, yes: bool) -> Result<(), Failure> {
    confirm::require(yes, "deleting a backup")?;
    let row = find(context, id)?;
    let system = context.system(&row.system_id.to_string())?;
    let (store, runtime) = context.store_for_deletion(row.object_key.prefix())?;
    let question = format!(
        "This deletes backup {id} ({}, {}, uploaded {}) of system {} for good. Type \"yes\" or the system's key to go on:",
        row.filename,
        size::human(row.size),
        time(row.uploaded_at),
        system.system_key
    );
    confirm::ask(yes, &question, &[&system.system_key])?;
    let delete = Delete {
        system_id: row.system_id,
        backup: id,
        by: DeletedBy::Operator,
        remote_addr: None,
        attempted_before: false,
    };
    let outcomes = context.run_operations(&row.org_id, &[Operation::Delete(delete)])?;
    if outcomes != [OperationOutcome::Deleted] {
        return Err(no_backup(id));
    }
    if purge::claim(&mut context.conn, id.uuid())? {
        fail_point!("delete.claimed");
        if let Err(error) = runtime.block_on(store.delete(&row.object_key)) {
            // Other processes may claim the row at once.
            purge::postpone(&mut context.conn, &[id.uuid()], 0.0)?;
            return Err(Failure::from(error).map_line(|cause| {
                format!(
                    "backup {id} is deleted, but its object is still there: {cause}; the service deletes it as soon as \
                     it can, and so does `strongroom sweep`"
                )
            }));
        }
        fail_point!("delete.deleted");
        purge::drop_rows(&mut context.conn, &[id.uuid()])?;
    }
    context.output.print(&Deleted { id }, |deleted| format!("deleted {}", deleted.id))
}

fn describe(lines: &[Line]) -> String {
    let row = |line: &Line| {
        [
            line.id.to_string(),
            line.filename.clone(),
            size::human(line.size),
            time(line.uploaded_at),
            line.sha256.clone(),
        ]
    };
    table(["ID", "FILENAME", "SIZE", "UPLOADED", "SHA256"], lines.iter().map(row))
}
