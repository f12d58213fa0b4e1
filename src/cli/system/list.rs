//! `strongroom system list`: systems with their status, in the order of organization and name. They are read in pages and printed
//! as they come, so memory does not grow with their number.

use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::output::time;
use crate::cli::streamed_list::StreamedList;
use crate::cli::suggest::require_organization;
use crate::db::organizations;
use crate::db::systems::{self, Sort, SortKey, SystemFilter, SystemSummary};
use crate::domain::caller::VisibleOrgs;
use crate::domain::ids::OrgId;
use crate::domain::size;
use crate::domain::status::SystemStatus;

#[derive(clap::Args)]
pub struct List {
    /// List only the systems of this organization
    #[arg(long, value_name = "ORG", value_parser = OrgId::parse)]
    org: Option<OrgId>,
    /// List the systems of the organizations below it, too
    #[arg(long, requires = "org")]
    tree: bool,
    /// List only systems with one of these statuses
    #[arg(long, value_name = "STATUS,...", value_delimiter = ',', value_parser = parse_status)]
    status: Vec<SystemStatus>,
}

/// The systems that one query reads.
const PAGE: usize = 1000;

const SORT: Sort = Sort { key: SortKey::OrgAndName, descending: false };

const HEADER: [&str; 8] = ["ORG", "NAME", "KEY", "STATUS", "BACKUPS", "BYTES", "LAST BACKUP", "REASON"];

impl List {
    pub fn run(self, context: &mut Context) -> Result<(), Failure> {
        let orgs = match &self.org {
            None => VisibleOrgs::All,
            Some(org) => {
                require_organization(&mut context.conn, org)?;
                VisibleOrgs::Of(if self.tree {
                    organizations::and_below(&mut context.conn, org)?
                } else {
                    vec![org.to_string()]
                })
            }
        };
        let filter = SystemFilter { orgs, statuses: self.status, text: None };
        let mut list = StreamedList::array(context.output.json, HEADER, cells);
        let mut names = SharedNames::default();
        let mut after = None;
        loop {
            let page = systems::page(&mut context.conn, &filter, SORT, after.as_ref(), PAGE)?;
            for system in page.systems {
                if let Some(listed) = names.next(system) {
                    list.push(listed);
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if let Some(listed) = names.last() {
            list.push(listed);
        }
        let human = match (list.count(), names.found) {
            (0, _) => "no systems",
            (_, false) => "",
            (_, true) => "(*) several systems of the organization have this name: commands need the key",
        };
        list.finish_array(human)
    }
}

/// A line of the list.
#[derive(serde::Serialize)]
struct Listed {
    #[serde(flatten)]
    system: SystemSummary,
    /// Whether another system of the organization has the same name.
    #[serde(skip)]
    shares_name: bool,
}

/// Marks the names that several systems of an organization have: they come one after the other.
#[derive(Default)]
struct SharedNames {
    held: Option<Listed>,
    found: bool,
}

impl SharedNames {
    /// Takes the next system, and returns the one before it.
    fn next(&mut self, system: SystemSummary) -> Option<Listed> {
        let mut next = Listed { system, shares_name: false };
        if let Some(held) = &mut self.held
            && (&held.system.org_id, &held.system.name) == (&next.system.org_id, &next.system.name)
        {
            (held.shares_name, next.shares_name, self.found) = (true, true, true);
        }
        self.held.replace(next)
    }

    fn last(&mut self) -> Option<Listed> {
        self.held.take()
    }
}

fn cells(listed: &Listed) -> [String; 8] {
    let Listed { system, shares_name } = listed;
    let mark = if *shares_name { " (*)" } else { "" };
    [
        system.org_id.clone(),
        format!("{}{mark}", system.name),
        system.system_key.clone(),
        system.status.to_string(),
        system.backups.to_string(),
        size::human(system.bytes.unsigned_abs()),
        system.last_backup_at.map_or("never".to_owned(), time),
        // The status says it all.
        if system.status == SystemStatus::Fresh { String::new() } else { system.status_reason.clone() },
    ]
}

fn parse_status(text: &str) -> Result<SystemStatus, String> {
    SystemStatus::parse(text.trim()).ok_or_else(|| {
        let all: Vec<_> = SystemStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("it is one of {}", all.join(", "))
    })
}
