//! `strongroom backup fetch`: the file appears only when it is whole and its hash is right.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::super::context::Context;
use super::super::exit::Failure;
use crate::domain::ids::BackupId;
use crate::store::Meter;

#[derive(Serialize)]
struct Fetched {
    id: BackupId,
    file: String,
    size: u64,
    sha256: String,
}

pub fn run(context: &mut Context, id: BackupId, output: &Path) -> Result<(), Failure> {
    let row = super::find(context, id)?;
    if output.exists() {
        return Err(Failure::Refused(format!("{} exists already", output.display())));
    }
    let (store, runtime) = context.store()?;
    let progress = ProgressBar::new(row.size);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}") {
        progress.set_style(style);
    }
    let partial = partial_name(output);
    let receive = async {
        let mut body = store.get(&row.object_key, None).await?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&partial)
            .map_err(|e| cannot_write(&partial, &e))?;
        let mut meter = Meter::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            file.write_all(&chunk).map_err(|e| cannot_write(&partial, &e))?;
            meter.push(&chunk);
            progress.inc(chunk.len() as u64);
        }
        file.sync_all().map_err(|e| cannot_write(&partial, &e))?;
        Ok::<_, Failure>(meter.finish())
    };
    let received = runtime.block_on(receive);
    progress.finish_and_clear();
    let verified = received.and_then(|receipt| {
        if receipt.sha256 != row.sha256 {
            return Err(Failure::Refused(format!(
                "backup {id} is damaged: its SHA-256 is not the stored one"
            )));
        }
        fs::hard_link(&partial, output).map_err(|e| cannot_write(output, &e))
    });
    let _ = fs::remove_file(&partial);
    verified?;
    let sha256 = hex::encode(row.sha256);
    let fetched = Fetched { id, file: output.display().to_string(), size: row.size, sha256 };
    context.output.print(&fetched, |f| format!("{}: {} bytes, SHA-256 {} checked", f.file, f.size, f.sha256))
}

fn partial_name(output: &Path) -> std::path::PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    output.with_file_name(name)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Refused(format!("write {}: {error}", path.display()))
}
