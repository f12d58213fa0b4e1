//! `strongroom audit`: the books against the rows and, with `--store`, the rows against the objects.

use indicatif::ProgressBar;
use serde::Serialize;

use super::context::Context;
use super::exit::{ExitCode, Failure};
use super::output::table;
use super::report::Report;
use crate::db::audit::{self, Imbalance};
use crate::tasks::compare::{Comparison, ComparisonStep, Difference};

#[derive(clap::Args)]
pub struct Audit {
    /// Compare the stored backups with the objects in the store as well; nothing is changed
    #[arg(long)]
    store: bool,
}

#[derive(Serialize)]
struct Books {
    differences: Vec<Imbalance>,
}

/// A difference of either sort.
#[derive(Serialize)]
struct Line {
    /// `books`, `missing`, `size`, `orphan` or `leftover`.
    kind: &'static str,
    org_id: String,
    subject: String,
    problem: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_key: Option<String>,
}

/// What was compared.
#[derive(Default, Serialize)]
struct Compared {
    /// Whether all of it was: not if database or store went away.
    complete: bool,
    backups: u64,
    objects: u64,
}

impl Audit {
    pub fn run(self, context: &mut Context) -> Result<ExitCode, Failure> {
        let differences = audit::imbalances(&mut context.conn)?;
        if self.store {
            return with_store(context, differences);
        }
        let books = Books { differences };
        context.output.print(&books, |books| {
            if books.differences.is_empty() {
                return "the books balance".to_owned();
            }
            let row = |d: &Imbalance| [d.org_id.clone(), d.subject.clone(), d.problem.clone()];
            table(["ORG", "SUBJECT", "PROBLEM"], books.differences.iter().map(row))
        })?;
        Ok(ExitCode::from(u8::from(!books.differences.is_empty())))
    }
}

fn with_store(context: &Context, books: Vec<Imbalance>) -> Result<ExitCode, Failure> {
    let tools = context.tools()?;
    let cells = |line: &Line| [line.org_id.clone(), line.subject.clone(), line.problem.clone()];
    let mut report = Report::new(context.output.json, "differences", ["ORG", "SUBJECT", "PROBLEM"], cells);
    for difference in books {
        report.push(difference.into());
    }
    let progress = ProgressBar::new_spinner().with_message("rows and objects compared");
    let mut compared = Compared::default();
    let comparison = Comparison { db: tools.db, store: tools.store };
    let done = tools.runtime.block_on(comparison.run(&mut |step| match step {
        ComparisonStep::Rows(count) => {
            compared.backups += count;
            progress.inc(count);
        }
        ComparisonStep::Objects(count) => {
            compared.objects += count;
            progress.inc(count);
        }
        ComparisonStep::Difference(difference) => progress.suspend(|| report.push(difference.into())),
    }));
    progress.finish_and_clear();
    compared.complete = done.is_ok();
    let count = report.count();
    report.finish(&compared, &conclusion(&compared, count))?;
    done?;
    Ok(ExitCode::from(u8::from(count > 0)))
}

fn conclusion(compared: &Compared, differences: u64) -> String {
    let Compared { complete, backups, objects } = compared;
    let looked = format!("stored backups: {backups}, objects: {objects}");
    match (complete, differences) {
        (false, _) => format!("not finished ({looked} so far)"),
        (true, 0) => format!("the books balance, and rows and objects agree ({looked})"),
        (true, 1) => format!("1 difference ({looked})"),
        (true, count) => format!("{count} differences ({looked})"),
    }
}

impl From<Imbalance> for Line {
    fn from(Imbalance { org_id, subject, problem }: Imbalance) -> Self {
        Self { kind: "books", org_id, subject, problem, object_key: None }
    }
}

impl From<Difference> for Line {
    fn from(Difference { kind, org_id, subject, problem, object_key }: Difference) -> Self {
        Self { kind: kind.name(), org_id, subject, problem, object_key }
    }
}
