//! `strongroom backup ...`.

mod fetch;
mod target;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde::Serialize;

use super::confirm;
use super::context::Context;
use super::exit::{ExitCode, Failure};
use super::output::{list, time};
use super::system_arg::SystemArg;
use crate::db::accounting::{Delete, DeletedBy, Operation, OperationOutcome};
use crate::db::backups::{self, BackupRow};
use crate::db::{purge, systems};
use crate::domain::ids::{BackupId, BackupReference};
use crate::domain::size;
use target::Target;

#[derive(Subcommand)]
pub enum Backup {
    /// List the backups of a system, newest first
    List(SystemArg),
    /// Download a backup to a file, and check its SHA-256
    #[command(after_help = "Examples:\n  \
        strongroom backup fetch 01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.tar.gz -o backup.tar.gz.gpg\n  \
        strongroom backup fetch 01934fab-bc33-7890-a1b2-c3d4e5f6a7b8 -o - | gpg --decrypt | tar tz")]
    Fetch {
        /// Id of the backup, as `strongroom backup list` shows it, with or without its extension
        #[arg(value_name = "BACKUP", value_parser = parse_backup)]
        id: BackupReference,
        /// File to write, which must not exist yet, or `-` for standard output
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Delete a backup for good
    Delete {
        /// Id of the backup, as `strongroom backup list` shows it, with or without its extension
        #[arg(value_name = "BACKUP", value_parser = parse_backup)]
        id: BackupReference,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

fn parse_backup(text: &str) -> Result<BackupReference, String> {
    BackupReference::parse(text).map_err(|_| {
        "it has to be the id of a backup, such as 01934fab-bc33-7890-a1b2-c3d4e5f6a7b8.tar.gz: \
         `strongroom backup list SYSTEM` shows the ids"
            .to_owned()
    })
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
    /// Runs the command. `open` connects to the database. As root it may give up the rights of root, so files of the person who
    /// calls are opened before.
    pub fn run(self, open: impl FnOnce() -> Result<Context, Failure>) -> Result<ExitCode, Failure> {
        match self {
            Self::List(system) => {
                let mut context = open()?;
                let system = system.find(&mut context)?;
                let rows = backups::list(&mut context.conn, system.id)?;
                let lines: Vec<Line> = rows.into_iter().map(Line::from).collect();
                context.output.print(&lines, |lines| describe(lines))?;
            }
            Self::Fetch { id, output } => {
                let mut target = Target::open(&output)?;
                let fetched = open().and_then(|mut context| fetch::run(&mut context, id, &mut target));
                target.close(fetched)?;
            }
            Self::Delete { id, yes } => delete(&mut open()?, id, yes)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the stored backup that is meant, of any system.
fn find(context: &mut Context, reference: BackupReference) -> Result<BackupRow, Failure> {
    match backups::find_by_uuid(&mut context.conn, reference.uuid())? {
        Some(row) if reference.matches(row.id) => Ok(row),
        Some(row) => Err(Failure::Refused(format!("no backup {reference}: its id is {}", row.id))),
        None => Err(no_backup(context, reference)?),
    }
}

fn no_backup(context: &mut Context, reference: BackupReference) -> Result<Failure, Failure> {
    let systems = systems::find(&mut context.conn, None, &reference.uuid().to_string())?;
    Ok(Failure::Refused(match systems.first() {
        Some(system) => format!(
            "{reference} is the id of system {key}, and this command takes a BACKUP: `strongroom backup list {key}` \
             shows the ids",
            key = system.system_key
        ),
        None => format!(
            "no backup {reference}: it never existed, or was deleted or pruned; `strongroom backup list SYSTEM` shows \
             those that are stored"
        ),
    }))
}

/// Deletes a backup: retires its row, deletes its object, and drops the row.
fn delete(context: &mut Context, reference: BackupReference, yes: bool) -> Result<(), Failure> {
    confirm::require(yes, "deleting a backup")?;
    let row = find(context, reference)?;
    let id = row.id;
    let system = systems::find(&mut context.conn, None, &row.system_id.to_string())?;
    let gone = || Failure::Refused(format!("no backup {id}: its system was destroyed a moment ago"));
    let system = system.into_iter().next().ok_or_else(gone)?;
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
        return Err(no_backup(context, reference)?);
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

/// Returns a table of backups. The SHA-256 would make it too wide; JSON has it.
fn describe(lines: &[Line]) -> String {
    let row = |line: &Line| {
        let damage = line.damage.as_ref().map(|damage| format!(" ({damage})")).unwrap_or_default();
        [
            time(line.uploaded_at),
            size::human(line.size),
            format!("{}{damage}", line.id),
            line.filename.clone(),
        ]
    };
    list("no backups", ["UPLOADED", "SIZE", "ID", "FILENAME"], lines.iter().map(row))
}
