//! `strongroom audit`: compares the organization totals with the rows and, with `--store`, the rows with the objects.

use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::exit::{ExitCode, Failure};
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

const HEADER: [&str; 3] = ["ORG", "SUBJECT", "PROBLEM"];

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
        if self.store {
            return with_store(context);
        }
        let cells = |d: &Imbalance| [d.org_id.clone(), d.subject.clone(), d.problem.clone()];
        let mut list = StreamedList::new(context.output.json, "differences", HEADER, cells);
        audit::imbalances(&mut context.conn, |difference| list.push(difference))?;
        let count = list.count();
        let human = match count {
            0 => "the organization totals are right, and the facts about systems".to_owned(),
            1 => "1 difference".to_owned(),
            count => format!("{count} differences"),
        };
        list.finish(&json!({}), &human)?;
        warn(count);
        Ok(ExitCode::from(u8::from(count > 0)))
    }
}

/// Prints the line that is left of an audit in the journal when nobody reads the table: an error, as its unit is failed.
fn warn(differences: u64) {
    if differences > 0 {
        print_failure(&format!(
            "strongroom: the audit has found {differences} difference{}: docs/operations.md explains them (\"Reading strongroom audit\")",
            if differences == 1 { "" } else { "s" }
        ));
    }
}

fn with_store(context: &mut Context) -> Result<ExitCode, Failure> {
    let tasks = context.task_context()?;
    let cells = |line: &Line| [line.org_id.clone(), line.subject.clone(), line.problem.clone()];
    let mut list = StreamedList::new(context.output.json, "differences", HEADER, cells);
    audit::imbalances(&mut context.conn, |difference| list.push(difference.into()))?;
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
    warn(count);
    Ok(ExitCode::from(u8::from(count > 0)))
}

fn conclusion(compared: &Compared, differences: u64) -> String {
    let Compared { complete, backups, objects } = compared;
    let compared = format!("stored backups: {backups}, objects: {objects}");
    match (complete, differences) {
        (false, _) => format!("not finished ({compared} so far)"),
        (true, 0) => format!(
            "the organization totals are right, and the facts about systems, and rows and objects agree ({compared})"
        ),
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
