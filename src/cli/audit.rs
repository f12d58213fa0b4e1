//! `strongroom audit`.

use std::process::ExitCode;

use serde::Serialize;

use super::context::Context;
use super::exit::Failure;
use super::output::table;
use crate::db::audit::{self, Difference};

#[derive(Serialize)]
struct Audit {
    differences: Vec<Difference>,
}

pub fn run(context: &mut Context) -> Result<ExitCode, Failure> {
    let audit = Audit { differences: audit::differences(&mut context.conn)? };
    context.output.print(&audit, |audit| {
        if audit.differences.is_empty() {
            return "the books balance".to_owned();
        }
        let row = |d: &Difference| [d.org_id.clone(), d.subject.clone(), d.problem.clone()];
        table(["ORG", "SUBJECT", "PROBLEM"], audit.differences.iter().map(row))
    })?;
    Ok(ExitCode::from(u8::from(!audit.differences.is_empty())))
}
