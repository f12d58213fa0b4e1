//! `strongroom events`: who did what, newest first.

mod words;

use serde::Serialize;

use super::context::Context;
use super::exit::{ExitCode, Failure};
use super::output::time;
use super::streamed_list::StreamedList;
use super::suggest::unknown_organization;
use crate::db::event_list::{self, EventFilter, EventPosition, EventRow};
use crate::db::objects;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::OrgId;
use crate::domain::since::Since;

#[derive(clap::Args)]
pub struct Events {
    /// Show only events of this system, by its key, id or name; a destroyed system is found, too
    #[arg(long)]
    system: Option<String>,
    /// Show only events of this organization
    #[arg(long, value_parser = OrgId::parse)]
    org: Option<OrgId>,
    /// Show only events of this kind, such as uploaded, failed or `credential_refused`
    #[arg(long, value_parser = parse_kind)]
    kind: Option<EventKind>,
    /// Show events from then on: an age such as 24h or 7d, or a date such as 2026-11-26 or 2026-11-26T14:30 (UTC)
    /// [default: 24h]
    #[arg(long, value_name = "AGE|DATE", value_parser = Since::parse)]
    since: Option<Since>,
    /// Show at most N events, the newest ones
    #[arg(long, value_name = "N", value_parser = parse_limit)]
    limit: Option<u64>,
}

/// The events that one query reads.
const PAGE: u64 = 1000;

/// What was listed: the summary in the JSON document.
#[derive(Serialize)]
struct Listed {
    /// The time of the oldest event that may be in the list.
    since: String,
    /// Whether older events within that time were left out because of `--limit`.
    more: bool,
}

impl Events {
    pub fn run(self, context: &mut Context) -> Result<ExitCode, Failure> {
        let filter = self.filter(context)?;
        let header = ["TIME", "KIND", "ORG", "SYSTEM", "BY", "FROM", "WHAT"];
        let mut list = StreamedList::new(context.output.json, "events", header, cells);
        let mut previous: Option<EventPosition> = None;
        let mut left = self.limit.unwrap_or(u64::MAX);
        let more = loop {
            // One row more than is shown tells whether there are more.
            let shown = left.min(PAGE);
            let rows = shown.cast_signed() + 1;
            let page = event_list::page(&mut context.conn, &filter, previous, rows)?;
            let is_last = page.len() as u64 <= shown;
            for row in page.into_iter().take(usize::try_from(shown).unwrap_or(usize::MAX)) {
                left -= 1;
                previous = Some(row.position());
                list.push(row);
            }
            if is_last || left == 0 {
                break !is_last;
            }
        };
        let listed = Listed { since: time(filter.since), more };
        let human = self.conclusion(&listed, list.count());
        list.finish(&listed, &human)?;
        Ok(ExitCode::SUCCESS)
    }

    fn filter(&self, context: &mut Context) -> Result<EventFilter, Failure> {
        let conn = &mut context.conn;
        if let Some(org) = &self.org
            && !event_list::knows_org(conn, org)?
        {
            return Err(unknown_organization(conn, org)?);
        }
        let systems = match &self.system {
            None => None,
            Some(text) => match event_list::systems_ever_named(conn, self.org.as_ref(), text)? {
                found if found.is_empty() => {
                    return Err(Failure::Refused(format!(
                        "no system {text:?}, and none was destroyed: `strongroom system list` shows keys and names"
                    )));
                }
                found => Some(found),
            },
        };
        let since = self.since.unwrap_or(Since::DAY).at(objects::now(conn)?);
        let orgs = self.org.as_ref().map(|org| vec![org.to_string()]);
        Ok(EventFilter { since, systems, orgs, kind: self.kind })
    }

    /// Returns the line below the table: how many events there are, and how to see others.
    fn conclusion(&self, listed: &Listed, count: u64) -> String {
        let within = match self.since {
            None => "within the last 24 hours".to_owned(),
            Some(_) => format!("since {}", listed.since),
        };
        match (count, listed.more) {
            (0, _) if self.since.is_none() => format!("no events {within}: --since 7d shows older ones"),
            (0, _) => format!("no events {within}"),
            (1, false) => format!("1 event {within}"),
            (count, false) => format!("{count} events {within}"),
            (count, true) => format!("the newest {count} events {within}: there are more without --limit"),
        }
    }
}

fn parse_limit(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|&limit| limit > 0)
        .ok_or_else(|| "it has to be a whole number, 1 or more".to_owned())
}

fn parse_kind(text: &str) -> Result<EventKind, String> {
    EventKind::parse(text).ok_or_else(|| {
        let all: Vec<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("it is one of {}", all.join(", "))
    })
}

fn cells(row: &EventRow) -> [String; 7] {
    let system = row.system_name.clone().or_else(|| row.system_id.map(|id| id.to_string()));
    [
        time(row.at),
        row.kind.clone(),
        row.org_id.clone(),
        system.unwrap_or_default(),
        row.actor.clone(),
        row.remote_addr.clone().unwrap_or_default(),
        words::describe(row),
    ]
}
