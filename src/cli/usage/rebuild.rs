//! `strongroom usage rebuild`: adds days up again from the history.

use chrono::NaiveDate;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{ExitCode, Failure};
use crate::db::{objects, usage_days};
use crate::domain::usage::{first_whole_day, is_measured, oldest_kept};

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("days").args(["day", "from"]).required(true)))]
pub struct Rebuild {
    /// Day (UTC)
    #[arg(long, value_name = "DATE")]
    day: Option<NaiveDate>,
    /// First day (UTC)
    #[arg(long, value_name = "DATE", requires = "to")]
    from: Option<NaiveDate>,
    /// Last day (UTC)
    #[arg(long, value_name = "DATE", requires = "from")]
    to: Option<NaiveDate>,
}

/// The days that were added up again.
#[derive(Serialize)]
struct Rebuilt {
    from: NaiveDate,
    to: NaiveDate,
    days: usize,
}

impl Rebuild {
    pub fn run(self, context: &mut Context) -> Result<ExitCode, Failure> {
        let Some(from) = self.day.or(self.from) else {
            return Err(Failure::Usage("--day or --from: it is missing".to_owned()));
        };
        let to = self.to.unwrap_or(from);
        if to < from {
            return Err(Failure::Usage(format!("--to: {to} is before {from}")));
        }
        let conn = &mut context.conn;
        let now = objects::now(conn)?;
        let oldest = first_whole_day(oldest_kept(now, context.config.upkeep.events_keep));
        let newest = usage_days::newest_complete(now);
        if from < oldest {
            let line = format!(
                "{from}: its events may be gone: the oldest day that is kept whole is {oldest} (EVENTS_KEEP)"
            );
            return Err(Failure::Refused(line));
        }
        if to > newest {
            return Err(Failure::Refused(format!("{to}: the newest day that is over is {newest}")));
        }
        let all = || from.iter_days().take_while(|day| *day <= to);
        for day in all() {
            if usage_days::has_lost_events(conn, day)? {
                let line = format!(
                    "{day}: its events are no longer kept, and what was counted would be lost: nothing was changed"
                );
                return Err(Failure::Refused(line));
            }
        }
        let mut days = 0;
        for day in all() {
            // A day that nobody has added up yet is also measured, if it has just ended.
            let measure = is_measured(day, objects::now(conn)?);
            if !usage_days::add_up(conn, day, measure)? {
                usage_days::rebuild(conn, day)?;
            }
            days += 1;
        }
        context.output.print(&Rebuilt { from, to, days }, |rebuilt| match rebuilt.days {
            1 => format!("added up {from} again"),
            days => format!("added up {days} days again, {from} to {to}"),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
