//! `strongroom migrate`.

use serde::Serialize;

use super::context::Context;
use super::exit::{ExitCode, Failure};
use crate::db::migrations;

#[derive(Serialize)]
struct Migrated {
    applied: Vec<String>,
}

pub fn run(context: &mut Context) -> Result<ExitCode, Failure> {
    let migrated = Migrated { applied: migrations::migrate(&mut context.conn)? };
    context.output.print(&migrated, |migrated| match migrated.applied.len() {
        0 => "the schema is up to date".to_owned(),
        _ => format!("applied {}", migrated.applied.join(", ")),
    })?;
    Ok(ExitCode::SUCCESS)
}
