//! `strongroom system set-period`, and the spans of time that commands take.

use std::time::Duration;

use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::system_arg::SystemArg;
use crate::db::systems::{self, SystemChange};
use crate::domain::duration;
use crate::domain::period;

#[derive(clap::Args)]
pub struct Periods {
    /// Within which time a backup, or the report of an unchanged configuration, has to arrive, such as 26h; `default`: the
    /// organization's, or that of the service
    #[arg(long, value_name = "DURATION|default", value_parser = parse, required_unless_present = "contact")]
    backup: Option<Period>,
    /// After which time without contact the system is silent, such as 15m; `default`: the organization's; `none`: never, where
    /// the organization has none
    #[arg(long, value_name = "DURATION|none|default", value_parser = parse_contact)]
    contact: Option<Period>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Period {
    Seconds(i64),
    None,
    Default,
}

impl Period {
    fn seconds(self) -> Option<i64> {
        if let Self::Seconds(seconds) = self { Some(seconds) } else { None }
    }
}

impl Periods {
    pub fn set(self, context: &mut Context, system: &SystemArg) -> Result<(), Failure> {
        if self.contact == Some(Period::None) {
            let found = system.find(context)?;
            if let Some(of_org) = systems::contact_period_of_org(&mut context.conn, &found.org_id)? {
                return Err(Failure::Refused(format!(
                    "organization {} has a contact period of {}, which its systems inherit: give the system a long one instead",
                    found.org_id,
                    duration::exact(Duration::from_secs(of_org.unsigned_abs()))
                )));
            }
        }
        let change = SystemChange {
            backup_period_seconds: self.backup.map(Period::seconds),
            contact_period_seconds: self.contact.map(Period::seconds),
            ..SystemChange::default()
        };
        super::apply(context, system, &change)
    }
}

fn parse(text: &str) -> Result<Period, String> {
    if text == "default" {
        return Ok(Period::Default);
    }
    let seconds = duration::parse(text)?.as_secs();
    period::check(seconds).map(Period::Seconds).map_err(|error| error.to_string())
}

fn parse_contact(text: &str) -> Result<Period, String> {
    if text == "none" { Ok(Period::None) } else { parse(text) }
}

/// Parses the overlap of a rotation, in seconds.
pub fn parse_overlap(text: &str) -> Result<u32, String> {
    let seconds = duration::parse(text)?.as_secs();
    u32::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds <= period::MAX_OVERLAP_SECONDS)
        .ok_or_else(|| "it is at most 7 days".to_owned())
}
