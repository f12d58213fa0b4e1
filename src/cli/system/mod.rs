//! `strongroom system ...`.

mod credential;
mod destroy;
mod list;
mod periods;
mod show;

use clap::Subcommand;

use super::context::Context;
use super::exit::{ExitCode, Failure};
use super::secret::SecretSource;
use super::system_arg::SystemArg;
use crate::db::systems::{self, Changed, SystemChange};
use crate::domain::author::Author;
use crate::domain::ids::{OrgId, SystemKey};
use list::List;
use periods::Periods;

#[derive(Subcommand)]
pub enum System {
    /// Add a system, and print its credential, which is shown only once
    #[command(after_help = "Examples:\n  \
        strongroom system add --org acme --name fw-01\n  \
        strongroom system add --org acme --name 'Main office' --key main-office --json")]
    Add {
        /// Organization of the system
        #[arg(long, value_name = "ORG", value_parser = OrgId::parse)]
        org: OrgId,
        /// Name for people, which commands take, too; it need not be unique
        #[arg(long, allow_hyphen_values = true)]
        name: String,
        /// Key of the system, its user name for Basic authentication [default: a random one]
        #[arg(long, value_parser = SystemKey::parse)]
        key: Option<SystemKey>,
        #[command(flatten)]
        secret: SecretSource,
    },
    /// List the systems, with their status and its reason
    #[command(after_help = "Examples:\n  \
        strongroom system list --status late,refused\n  \
        strongroom system list --org acme --tree")]
    List(List),
    /// Show one system
    Show(SystemArg),
    /// Replace a system's secret, and print the new one, which is shown only once; the old one stops working at once, or after --overlap
    #[command(after_help = "Examples:\n  \
        strongroom system rotate-secret fw-01\n  \
        strongroom system rotate-secret fw-01 --secret-file /root/fw-01.secret")]
    RotateSecret {
        #[command(flatten)]
        system: SystemArg,
        #[command(flatten)]
        secret: SecretSource,
        /// How long the old secret stays valid, such as 24h; 7 days at most [default: it stops working at once]
        #[arg(long, value_name = "DURATION", value_parser = periods::parse_overlap)]
        overlap: Option<u32>,
    },
    /// Set how old the newest backup may become, and after how long without contact the system is silent
    #[command(after_help = "Examples:\n  \
        strongroom system set-period fw-01 --backup 26h\n  \
        strongroom system set-period fw-01 --backup default --contact 15m")]
    SetPeriod {
        #[command(flatten)]
        system: SystemArg,
        #[command(flatten)]
        periods: Periods,
    },
    /// Refuse a system's credential until `system resume`; its backups stay
    Suspend(SystemArg),
    /// Accept a suspended system's credential again
    Resume(SystemArg),
    /// Erase a system and all its backups for good
    Destroy {
        #[command(flatten)]
        system: SystemArg,
        /// Do not ask for confirmation; SYSTEM has to be a key or an id then
        #[arg(long)]
        yes: bool,
    },
}

impl System {
    pub fn run(self, context: &mut Context) -> Result<ExitCode, Failure> {
        match self {
            Self::Add { org, name, key, secret } => credential::add(context, &org, &name, key, secret)?,
            Self::List(list) => list.run(context)?,
            Self::Show(system) => {
                let system = system.find(context)?;
                show::run(context, system)?;
            }
            Self::RotateSecret { system, secret, overlap } => {
                credential::rotate(context, &system, secret, overlap.unwrap_or(0))?;
            }
            Self::SetPeriod { system, periods } => periods.set(context, &system)?,
            Self::Suspend(system) => set_suspended(context, &system, true)?,
            Self::Resume(system) => set_suspended(context, &system, false)?,
            Self::Destroy { system, yes } => destroy::run(context, &system, yes)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn set_suspended(context: &mut Context, system: &SystemArg, suspended: bool) -> Result<(), Failure> {
    let change = SystemChange { suspended: Some(suspended), ..SystemChange::default() };
    apply(context, system, &change)
}

/// Changes the system, and shows it.
fn apply(context: &mut Context, system: &SystemArg, change: &SystemChange) -> Result<(), Failure> {
    let system = system.find(context)?;
    let gone = || {
        Failure::Refused(format!(
            "system {} is gone: it was destroyed or moved a moment ago",
            system.system_key
        ))
    };
    match systems::change(&mut context.conn, system.id, &system.org_id, change, &Author::Operator)? {
        Changed::Done => {}
        Changed::NotFound => return Err(gone()),
        Changed::BeingDestroyed => {
            return Err(Failure::Refused(format!("system {} is being destroyed", system.system_key)));
        }
    }
    let changed = systems::one(&mut context.conn, system.id)?.ok_or_else(gone)?;
    show::run(context, changed)
}
