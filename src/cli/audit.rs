//! `strongroom audit`: compares the organization totals with the rows and, with `--store`, the rows with the objects.

use indicatif::ProgressBar;
use serde::Serialize;

use super::context::Context;
use super::exit::{ExitCode, Failure};
use super::output::table;
use super::streamed_list::StreamedList;
use crate::db::audit::{self, Imbalance};
use crate::tasks::compare::{Comparison, ComparisonStep, Difference};
use crate::telemetry::print_failure;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    strongroom audit\n  \
    strongroom audit --store --json")]
pub struct Audit {
    /// Also compare the stored backups with the objects in the store; nothing is changed
    #[arg(long)]
    store: bool,
}

#[derive(Serialize)]
struct Differences {
    differences: Vec<Imbalance>,
}

/// A difference between totals and rows, or between rows and objects.
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

/// How much was compared.
#[derive(Default, Serialize)]
struct Compared {
    /// Whether the comparison was finished. `false` if the database or the store became unreachable.
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
        let found = Differences { differences };
        context.output.print(&found, |found| {
            if found.differences.is_empty() {
                return "the organization totals are right".to_owned();
            }
            let row = |d: &Imbalance| [d.org_id.clone(), d.subject.clone(), d.problem.clone()];
            table(["ORG", "SUBJECT", "PROBLEM"], found.differences.iter().map(row))
        })?;
        warn(found.differences.len());
        Ok(ExitCode::from(u8::from(!found.differences.is_empty())))
    }
}

/// Prints the line that is left of an audit in the journal when nobody reads the table: an error, as its unit is failed.
fn warn(differences: usize) {
    if differences > 0 {
        print_failure(&format!(
            "strongroom: the audit has found {differences} difference{}: docs/operations.md explains them (\"Reading strongroom audit\")",
            if differences == 1 { "" } else { "s" }
        ));
    }
}

fn with_store(context: &Context, imbalances: Vec<Imbalance>) -> Result<ExitCode, Failure> {
    let tasks = context.task_context()?;
    let cells = |line: &Line| [line.org_id.clone(), line.subject.clone(), line.problem.clone()];
    let mut list =
        StreamedList::new(context.output.json, "differences", ["ORG", "SUBJECT", "PROBLEM"], cells);
    for imbalance in imbalances {
        list.push(imbalance.into());
    }
    let progress = ProgressBar::new_spinner().with_message("rows and objects compared");
    let mut compared = Compared::default();
    let comparison = Comparison { db: tasks.db, store: tasks.store };
    let done = tasks.runtime.block_on(comparison.run(&mut |step| match step {
        ComparisonStep::Rows(count) => {
            compared.backups += count;
            progress.inc(count);
        }
        ComparisonStep::Objects(count) => {
            compared.objects += count;
            progress.inc(count);
        }
        ComparisonStep::Difference(difference) => progress.suspend(|| list.push(difference.into())),
    }));
    progress.finish_and_clear();
    compared.complete = done.is_ok();
    let count = list.count();
    list.finish(&compared, &conclusion(&compared, count))?;
    done?;
    warn(usize::try_from(count).unwrap_or(usize::MAX));
    Ok(ExitCode::from(u8::from(count > 0)))
}

fn conclusion(compared: &Compared, differences: u64) -> String {
    let Compared { complete, backups, objects } = compared;
    let compared = format!("stored backups: {backups}, objects: {objects}");
    match (complete, differences) {
        (false, _) => format!("not finished ({compared} so far)"),
        (true, 0) => format!("the organization totals are right, and rows and objects agree ({compared})"),
        (true, 1) => format!("1 difference ({compared})"),
        (true, count) => format!("{count} differences ({compared})"),
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
