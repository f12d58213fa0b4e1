//! `strongroom org ...`.

mod delete;

use clap::Subcommand;

use super::context::Context;
use super::exit::{ExitCode, Failure};
use super::output::{facts, list};
use super::suggest::unknown_organization;
use crate::db::DbError;
use crate::db::organizations::{self, OrgSummary, Quota};
use crate::domain::ids::OrgId;
use crate::domain::size;

#[derive(Subcommand)]
pub enum Org {
    /// Add an organization
    #[command(after_help = "Examples:\n  \
        strongroom org add acme --name 'Acme Ltd.'\n  \
        strongroom org add small --quota 5G")]
    Add {
        /// Id of the new organization: up to 64 letters, digits, `_` and `-`
        #[arg(value_name = "ORG", value_parser = OrgId::parse)]
        id: OrgId,
        /// Name for people [default: the id]
        #[arg(long, allow_hyphen_values = true)]
        name: Option<String>,
        /// Quota of the organization: bytes or a size such as 50G, `none`, or `default` (BACKUP_MAX_SIZE_PER_ORG)
        #[arg(long, value_name = "SIZE", value_parser = parse_quota, default_value = "default")]
        quota: Quota,
    },
    /// List the organizations
    List,
    /// Show one organization
    Show {
        /// Id of the organization
        #[arg(value_name = "ORG", value_parser = OrgId::parse)]
        id: OrgId,
    },
    /// Set an organization's quota
    #[command(after_help = "Examples:\n  \
        strongroom org set-quota acme 50G\n  \
        strongroom org set-quota acme none")]
    SetQuota {
        /// Id of the organization
        #[arg(value_name = "ORG", value_parser = OrgId::parse)]
        id: OrgId,
        /// Quota of the organization: bytes or a size such as 50G, `none`, or `default` (BACKUP_MAX_SIZE_PER_ORG)
        #[arg(value_name = "SIZE", value_parser = parse_quota)]
        quota: Quota,
    },
    /// Change the name for people of an organization; its id never changes
    Rename {
        /// Id of the organization
        #[arg(value_name = "ORG", value_parser = OrgId::parse)]
        id: OrgId,
        /// New name for people
        #[arg(long, allow_hyphen_values = true)]
        name: String,
    },
    /// Delete an organization that has no systems
    ///
    /// Its history (`backup_events`) stays. An organization that is added later with the same id starts with no systems, no
    /// backups and the default quota. Tokens that name the id are valid for it again, until they expire.
    Delete {
        /// Id of the organization
        #[arg(value_name = "ORG", value_parser = OrgId::parse)]
        id: OrgId,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

fn parse_quota(text: &str) -> Result<Quota, String> {
    match text {
        "default" => Ok(Quota::Default),
        "none" => Ok(Quota::Unlimited),
        _ => match size::parse(text) {
            Ok(bytes) if (1..=1 << 60).contains(&bytes) => Ok(Quota::Bytes(bytes)),
            Ok(0) => Err("0 bytes would refuse every upload; for no quota write `none`".to_owned()),
            Ok(_) => Err("it is more than any store has; for no quota write `none`".to_owned()),
            Err(error) => Err(format!("{error}; or `none` or `default`")),
        },
    }
}

impl Org {
    pub fn run(self, context: &mut Context) -> Result<ExitCode, Failure> {
        match self {
            Self::Add { id, name, quota } => {
                let name = name.unwrap_or_else(|| id.to_string());
                require_name(&name)?;
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
                    return Err(unknown_organization(&mut context.conn, &id)?);
                }
                show(context, &id)?;
            }
            Self::Rename { id, name } => {
                require_name(&name)?;
                if !organizations::rename(&mut context.conn, &id, &name)? {
                    return Err(unknown_organization(&mut context.conn, &id)?);
                }
                show(context, &id)?;
            }
            Self::Delete { id, yes } => delete::run(context, &id, yes)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn require_name(name: &str) -> Result<(), Failure> {
    if name.trim().is_empty() {
        return Err(Failure::Usage("--name: it is empty".to_owned()));
    }
    Ok(())
}

fn find(context: &mut Context, id: &OrgId) -> Result<OrgSummary, Failure> {
    match organizations::list(&mut context.conn, Some(id))?.into_iter().next() {
        Some(org) => Ok(org),
        None => Err(unknown_organization(&mut context.conn, id)?),
    }
}

fn show(context: &mut Context, id: &OrgId) -> Result<(), Failure> {
    let org = find(context, id)?;
    context.output.print(&org, |org| {
        let used = org.stored_bytes.saturating_add(org.reserved_bytes);
        let percent = |quota: u64| u128::from(used) * 100 / u128::from(quota.max(1));
        let full = org.quota_bytes.map(|quota| format!(", {} % used", percent(quota))).unwrap_or_default();
        facts(&[
            ("id", org.id.clone()),
            ("name", org.name.clone()),
            ("systems", org.systems.to_string()),
            ("stored", size::human(org.stored_bytes)),
            ("reserved", size::human(org.reserved_bytes)),
            ("quota", format!("{}{full}", quota(org))),
        ])
    })
}

fn quota(org: &OrgSummary) -> String {
    let quota = org.quota_bytes.map_or("none".to_owned(), size::human);
    if org.quota_is_default { format!("{quota} (default)") } else { quota }
}

fn describe(orgs: &[OrgSummary]) -> String {
    let row = |org: &OrgSummary| {
        [
            org.id.clone(),
            org.name.clone(),
            org.systems.to_string(),
            size::human(org.stored_bytes),
            size::human(org.reserved_bytes),
            quota(org),
        ]
    };
    list("no organizations", ["ORG", "NAME", "SYSTEMS", "STORED", "RESERVED", "QUOTA"], orgs.iter().map(row))
}
