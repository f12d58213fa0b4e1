//! `strongroom backup fetch`: downloads a backup. The file is kept only if it is complete and its SHA-256 is right.

use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::target::Target;
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::say::say;
use crate::db::backups;
use crate::domain::ids::{BackupId, BackupReference};
use crate::store::BodyMeter;

#[derive(Serialize)]
struct Fetched {
    id: BackupId,
    /// The name of the file, or `-` for standard output.
    file: String,
    size: u64,
    sha256: String,
}

pub fn run(context: &mut Context, reference: BackupReference, target: &mut Target) -> Result<(), Failure> {
    let row = super::find(context, reference)?;
    let id = row.id;
    let (store, runtime) = context.store()?;
    let progress = ProgressBar::new(row.size);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}") {
        progress.set_style(style);
    }
    // Recorded before the first byte: whoever has the file has read the backup, even if the command is killed. A restore must
    // not depend on it, but the operator has to know that it left no trace.
    if let Err(error) = backups::note_fetched(&mut context.conn, &row) {
        say(&format!("could not record this download in the history: {error}"));
    }
    let receive = async {
        let mut body = store.get(&row.object_key, row.size, None).await?;
        let mut meter = BodyMeter::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            target.write(&chunk)?;
            meter.push(&chunk);
            progress.inc(chunk.len() as u64);
        }
        target.sync()?;
        if meter.finish().sha256 == row.sha256 {
            return Ok(());
        }
        let written = if target.is_stdout() { "; do not use what was written" } else { "" };
        Err(Failure::Refused(format!("backup {id} is damaged: its SHA-256 is not the stored one{written}")))
    };
    let received = runtime.block_on(receive);
    progress.finish_and_clear();
    received?;
    let sha256 = hex::encode(row.sha256);
    let fetched = Fetched { id, file: target.name(), size: row.size, sha256 };
    if target.is_stdout() {
        // The bytes are on standard output.
        say(&format!("{id}: {} bytes, SHA-256 {} checked", fetched.size, fetched.sha256));
        return Ok(());
    }
    context.output.print(&fetched, |f| format!("{}: {} bytes, SHA-256 {} checked", f.file, f.size, f.sha256))
}
