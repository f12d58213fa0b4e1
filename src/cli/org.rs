//! `strongroom org ...`.

use clap::Subcommand;

use super::context::Context;
use super::exit::{ExitCode, Failure};
use super::output::table;
use crate::db::DbError;
use crate::db::organizations::{self, OrgSummary, Quota};
use crate::domain::ids::OrgId;
use crate::domain::size;

#[derive(Subcommand)]
pub enum Org {
    /// Add an organization
    Add {
        /// Id of the new organization: up to 64 letters, digits, `_` and `-`
        #[arg(value_parser = OrgId::parse)]
        id: OrgId,
        /// Name for people [default: the id]
        #[arg(long)]
        name: Option<String>,
        /// Quota of the organization: bytes, `none`, or `default` (BACKUP_MAX_SIZE_PER_ORG)
        #[arg(long, value_parser = parse_quota, default_value = "default")]
        quota: Quota,
    },
    /// List the organizations
    List,
    /// Show one organization
    Show {
        /// Id of the organization
        #[arg(value_parser = OrgId::parse)]
        id: OrgId,
    },
    /// Set an organization's quota
    SetQuota {
        /// Id of the organization
        #[arg(value_parser = OrgId::parse)]
        id: OrgId,
        /// Quota of the organization: bytes, `none`, or `default` (BACKUP_MAX_SIZE_PER_ORG)
        #[arg(value_parser = parse_quota)]
        quota: Quota,
    },
}

fn parse_quota(text: &str) -> Result<Quota, String> {
    match text {
        "default" => Ok(Quota::Default),
        "none" => Ok(Quota::Unlimited),
        _ => match text.parse() {
            Ok(bytes) if (1..=1 << 60).contains(&bytes) => Ok(Quota::Bytes(bytes)),
            Ok(0) => Err("0 bytes would refuse every upload; for no quota write `none`".to_owned()),
            _ => Err("bytes as a whole number, `none` or `default`".to_owned()),
        },
    }
}

impl Org {
    pub fn run(self, context: &mut Context) -> Result<ExitCode, Failure> {
        match self {
            Self::Add { id, name, quota } => {
                let name = name.unwrap_or_else(|| id.to_string());
                if name.trim().is_empty() {
                    return Err(Failure::Usage(
                        "--name: it is empty: omit the option, or pass a name".to_owned(),
                    ));
                }
                match organizations::add(&mut context.conn, &id, &name, quota) {
                    Ok(()) => show(context, &id)?,
                    Err(DbError::Exists) => {
                        return Err(Failure::Refused(format!("organization {id} exists already")));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Self::List => {
                let orgs = organizations::list(&mut context.conn, None)?;
                context.output.print(&orgs, |orgs| describe(orgs))?;
            }
            Self::Show { id } => show(context, &id)?,
            Self::SetQuota { id, quota } => {
                if !organizations::set_quota(&mut context.conn, &id, quota)? {
                    return Err(unknown(&id));
                }
                show(context, &id)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn unknown(id: &OrgId) -> Failure {
    Failure::Refused(format!("no organization {id}: `strongroom org list` shows all"))
}

fn show(context: &mut Context, id: &OrgId) -> Result<(), Failure> {
    let found = organizations::list(&mut context.conn, Some(id))?;
    let org = found.into_iter().next().ok_or_else(|| unknown(id))?;
    context.output.print(&org, |org| describe(std::slice::from_ref(org)))
}

fn describe(orgs: &[OrgSummary]) -> String {
    let row = |org: &OrgSummary| {
        let quota = org.quota_bytes.map_or("none".to_owned(), size::human);
        [
            org.id.clone(),
            org.name.clone(),
            org.systems.to_string(),
            size::human(org.stored_bytes),
            size::human(org.reserved_bytes),
            if org.quota_is_default { format!("{quota} (default)") } else { quota },
        ]
    };
    table(["ORG", "NAME", "SYSTEMS", "STORED", "RESERVED", "QUOTA"], orgs.iter().map(row))
}
