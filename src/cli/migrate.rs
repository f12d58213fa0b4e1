//! `strongroom migrate`.

use serde::Serialize;

use super::context::Context;
use super::exit::{ExitCode, Failure};
use crate::db::{history, migrations, objects};

#[derive(Serialize)]
struct Migrated {
    applied: Vec<String>,
}

pub fn run(context: &mut Context) -> Result<ExitCode, Failure> {
    let migrated = Migrated { applied: migrations::migrate(&mut context.conn)? };
    // Where the service does not own its tables, its months are made here.
    if history::may_change_partitions(&mut context.conn)? {
        let now = objects::now(&mut context.conn)?;
        history::add_months(&mut context.conn, now)?;
    }
    context.output.print(&migrated, |migrated| match migrated.applied.len() {
        0 => "the schema is up to date".to_owned(),
        _ => format!("applied {}", migrated.applied.join(", ")),
    })?;
    Ok(ExitCode::SUCCESS)
}
