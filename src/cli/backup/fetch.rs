//! `strongroom backup fetch`: downloads a backup. The file is kept only if it is complete and its SHA-256 is right.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::domain::ids::BackupId;
use crate::store::BodyMeter;

#[derive(Serialize)]
struct Fetched {
    id: BackupId,
    file: String,
    size: u64,
    sha256: String,
}

pub fn run(context: &mut Context, id: BackupId, output: &Path) -> Result<(), Failure> {
    let row = super::find(context, id)?;
    let (store, runtime) = context.store()?;
    let progress = ProgressBar::new(row.size);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}") {
        progress.set_style(style);
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(output).map_err(|e| cannot_write(output, &e))?;
    let receive = async {
        let mut body = store.get(&row.object_key, row.size, None).await?;
        let mut meter = BodyMeter::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            file.write_all(&chunk).map_err(|e| cannot_write(output, &e))?;
            meter.push(&chunk);
            progress.inc(chunk.len() as u64);
        }
        file.sync_all().map_err(|e| cannot_write(output, &e))?;
        if meter.finish().sha256 == row.sha256 {
            return Ok(());
        }
        Err(Failure::Refused(format!("backup {id} is damaged: its SHA-256 is not the stored one")))
    };
    let received = runtime.block_on(receive);
    progress.finish_and_clear();
    if received.is_err() {
        // This command has created the file, so it may remove it.
        let _ = fs::remove_file(output);
    }
    received?;
    let sha256 = hex::encode(row.sha256);
    let fetched = Fetched { id, file: output.display().to_string(), size: row.size, sha256 };
    context.output.print(&fetched, |f| format!("{}: {} bytes, SHA-256 {} checked", f.file, f.size, f.sha256))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Refused(format!("write {}: {error}", path.display()))
}
