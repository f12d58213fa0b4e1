//! `strongroom usage`: what organizations have used in a month, for bills.

mod rebuild;

use clap::Subcommand;
use serde::Serialize;

use super::context::Context;
use super::exit::{ExitCode, Failure};
use super::output::table;
use super::suggest::unknown_organization;
use crate::db::usage_days::{self, UsageSpan, UsageTotals};
use crate::db::{event_list, from_bigint, objects, organizations};
use crate::domain::ids::OrgId;
use crate::domain::size;
use crate::domain::usage::Month;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Usage {
    #[command(subcommand)]
    command: Option<UsageCommand>,
    /// Show only this organization
    #[arg(long, value_name = "ORG", value_parser = OrgId::parse)]
    org: Option<OrgId>,
    /// Show the organization and all below it
    #[arg(long, requires = "org")]
    tree: bool,
    /// Month (UTC) [default: the present one]
    #[arg(long, value_name = "YYYY-MM", value_parser = Month::parse)]
    month: Option<Month>,
}

#[derive(Subcommand)]
enum UsageCommand {
    /// Add days up again from the history, as far as it is kept
    ///
    /// Uploads, refusals, failures, downloads and bytes in are counted again. What was measured at the end of a day stays: the
    /// bytes kept, and the systems.
    #[command(after_help = "Examples:\n  \
        strongroom usage rebuild --day 2026-11-26\n  \
        strongroom usage rebuild --from 2026-11-01 --to 2026-11-26")]
    Rebuild(rebuild::Rebuild),
}

/// What was used in a month.
#[derive(Serialize)]
struct Report {
    month: String,
    /// How many days the month has, and how many of them were added up.
    days: u32,
    complete_days: u64,
    organizations: Vec<UsageTotals>,
    /// All of these organizations together.
    total: UsageTotals,
}

impl Usage {
    pub fn run(self, context: &mut Context) -> Result<ExitCode, Failure> {
        if let Some(UsageCommand::Rebuild(rebuild)) = self.command {
            return rebuild.run(context);
        }
        let report = self.report(context)?;
        context.output.print(&report, describe)?;
        Ok(ExitCode::SUCCESS)
    }

    fn report(&self, context: &mut Context) -> Result<Report, Failure> {
        let conn = &mut context.conn;
        let orgs = match &self.org {
            None => None,
            Some(org) if !event_list::knows_org(conn, org)? => return Err(unknown_organization(conn, org)?),
            Some(org) => {
                let below = if self.tree { organizations::and_below(conn, org)? } else { vec![] };
                // One that was deleted has nothing below it.
                Some(if below.is_empty() { vec![org.to_string()] } else { below })
            }
        };
        let month = match self.month {
            Some(month) => month,
            None => Month::of(objects::now(conn)?),
        };
        let (first, last) = (month.first(), month.last());
        let span = UsageSpan { first, last, orgs: orgs.as_deref() };
        Ok(Report {
            month: month.to_string(),
            days: month.days(),
            complete_days: from_bigint(usage_days::complete_days(conn, first, last)?),
            organizations: usage_days::totals_of_each(conn, span)?,
            total: usage_days::totals_together(conn, span)?,
        })
    }
}

const HEADER: [&str; 9] = [
    "ORG",
    "UPLOADS",
    "REFUSED",
    "FAILED",
    "DOWNLOADS",
    "BYTES IN",
    "KEPT (AVERAGE)",
    "KEPT (MOST)",
    "SYSTEMS",
];

fn describe(report: &Report) -> String {
    let Report { month, days, complete_days, organizations, total } = report;
    let known = format!("{month}: {complete_days} of {days} days are added up");
    if organizations.is_empty() {
        return known;
    }
    let mut rows: Vec<_> = organizations.iter().map(|totals| cells(&totals.org_id, totals)).collect();
    if organizations.len() > 1 {
        rows.push(cells("total", total));
    }
    format!("{}\n{known}", table(HEADER, rows))
}

fn cells(org: &str, totals: &UsageTotals) -> [String; 9] {
    let bytes = |bytes: Option<i64>| bytes.map_or("-".to_owned(), |bytes| size::human(from_bigint(bytes)));
    [
        org.to_owned(),
        totals.uploads.to_string(),
        totals.refusals.to_string(),
        totals.failures.to_string(),
        totals.downloads.to_string(),
        bytes(Some(totals.bytes_in)),
        bytes(totals.bytes_kept_average),
        bytes(totals.bytes_kept_maximum),
        totals.systems_maximum.map_or("-".to_owned(), |systems| systems.to_string()),
    ]
}
