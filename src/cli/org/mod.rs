//! `strongroom org ...`.

mod change;
mod delete;
mod show;
mod values;

use clap::{ArgGroup, Subcommand};

use self::show::ShownOrg;
use self::values::{parse_backup_period, parse_contact_period, parse_parent, parse_quota};
use super::context::Context;
use super::exit::{ExitCode, Failure};
use super::suggest::unknown_organization;
use crate::db::organizations::{self, OrgSummary};
use crate::domain::ids::OrgId;
use crate::domain::organization::{NewOrg, OrgChange, Parent, Period, Quota};

#[derive(Subcommand)]
pub enum Org {
    /// Add an organization
    #[command(after_help = "Examples:\n  \
        strongroom org add acme --name 'Acme Ltd.'\n  \
        strongroom org add small --quota 5G\n  \
        strongroom org add acme-north --parent acme")]
    Add {
        /// Id of the new organization: up to 64 letters, digits, `_` and `-`
        #[arg(value_name = "ORG", value_parser = OrgId::parse)]
        id: OrgId,
        /// Name for people [default: the id]
        #[arg(long, allow_hyphen_values = true)]
        name: Option<String>,
        /// Organization above it, whose tokens are valid for it, too [default: none]
        #[arg(long, value_name = "ORG", value_parser = OrgId::parse)]
        parent: Option<OrgId>,
        /// Quota of the organization: bytes or a size such as 50G, `none`, or `default` (BACKUP_MAX_SIZE_PER_ORG)
        #[arg(long, value_name = "SIZE", value_parser = parse_quota, default_value = "default")]
        quota: Quota,
    },
    /// List the organizations
    List {
        /// Indent each organization below its parent
        #[arg(long)]
        tree: bool,
    },
    /// Show one organization
    Show {
        /// Id of the organization
        #[arg(value_name = "ORG", value_parser = OrgId::parse)]
        id: OrgId,
    },
    /// Place an organization below another one, or at the top, with all that is below it
    ///
    /// Tokens of the new parent, and of all organizations above it, are valid for the organization and all below it; those of
    /// the old parent no longer are. Quotas stay as they are.
    #[command(after_help = "Examples:\n  \
        strongroom org set-parent acme-north acme\n  \
        strongroom org set-parent acme-north none")]
    SetParent {
        /// Id of the organization
        #[arg(value_name = "ORG", value_parser = OrgId::parse)]
        id: OrgId,
        /// Id of the organization above it, or `none`
        #[arg(value_name = "PARENT", value_parser = parse_parent)]
        parent: Parent,
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
    /// Set the periods that the organization's systems inherit
    #[command(after_help = "Examples:\n  \
        strongroom org set-period acme --backup 8d\n  \
        strongroom org set-period acme --backup default --contact 1h")]
    #[command(group(ArgGroup::new("periods").args(["backup", "contact"]).required(true).multiple(true)))]
    SetPeriod {
        /// Id of the organization
        #[arg(value_name = "ORG", value_parser = OrgId::parse)]
        id: OrgId,
        /// How old the newest backup of a system may become: a time such as 26h or 8d, or `default` (BACKUP_PERIOD)
        #[arg(long, value_name = "TIME", value_parser = parse_backup_period)]
        backup: Option<Period>,
        /// After how long without contact a system is silent: a time such as 1h, or `none`
        #[arg(long, value_name = "TIME", value_parser = parse_contact_period)]
        contact: Option<Period>,
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

impl Org {
    pub fn run(self, context: &mut Context) -> Result<ExitCode, Failure> {
        match self {
            Self::Add { id, name, parent, quota } => {
                let name = name.unwrap_or_else(|| id.to_string());
                require_name(&name)?;
                let parent = parent.map_or(Parent::Top, Parent::Below);
                change::add(context, &NewOrg { parent, quota, ..NewOrg::new(id, name) })?;
            }
            Self::List { tree } => {
                let orgs = organizations::all(&mut context.conn)?;
                let shown: Vec<_> = orgs.iter().map(ShownOrg::from).collect();
                context
                    .output
                    .print(&shown, |_| if tree { show::tree(&orgs) } else { show::table(&orgs) })?;
            }
            Self::Show { id } => find_and_show(context, &id)?,
            Self::SetParent { id, parent } => {
                change::change(context, &id, &OrgChange { parent: Some(parent), ..OrgChange::default() })?;
            }
            Self::SetQuota { id, quota } => {
                change::change(context, &id, &OrgChange { quota: Some(quota), ..OrgChange::default() })?;
            }
            Self::SetPeriod { id, backup: backup_period, contact: contact_period } => {
                let periods = OrgChange { backup_period, contact_period, ..OrgChange::default() };
                change::change(context, &id, &periods)?;
            }
            Self::Rename { id, name } => {
                require_name(&name)?;
                change::change(context, &id, &OrgChange { name: Some(name), ..OrgChange::default() })?;
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
    match organizations::find(&mut context.conn, None, id)? {
        Some(org) => Ok(org),
        None => Err(unknown_organization(&mut context.conn, id)?),
    }
}

fn find_and_show(context: &mut Context, id: &OrgId) -> Result<(), Failure> {
    let org = find(context, id)?;
    context.output.print(&ShownOrg::from(&org), |_| show::describe(&org))
}
