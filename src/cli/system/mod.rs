//! `strongroom system ...`.

mod destroy;

use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use uuid::Uuid;

use super::context::Context;
use super::exit::{ExitCode, Failure};
use super::output::{table, time};
use super::secret::{self, SecretSource};
use crate::db::systems::{self, NewSystem, SystemSummary};
use crate::db::{DbError, organizations};
use crate::domain::ids::{OrgId, SystemKey};
use crate::domain::size;

#[derive(Subcommand)]
pub enum System {
    /// Add a system, and print its credential, which is shown only once
    Add {
        /// Organization of the system
        #[arg(long, value_parser = OrgId::parse)]
        org: OrgId,
        /// Name for people, which need not be unique
        #[arg(long)]
        name: String,
        /// Key of the system, its user name for Basic authentication [default: a random one]
        #[arg(long, value_parser = SystemKey::parse)]
        key: Option<SystemKey>,
        #[command(flatten)]
        secret: SecretSource,
    },
    /// List the systems
    List {
        /// List only the systems of this organization
        #[arg(long, value_parser = OrgId::parse)]
        org: Option<OrgId>,
    },
    /// Show one system
    Show {
        /// Id or key of the system
        system: String,
    },
    /// Replace a system's secret, and print the new one, which is shown only once; the old one stops working
    RotateSecret {
        /// Id or key of the system
        system: String,
        #[command(flatten)]
        secret: SecretSource,
    },
    /// Refuse a system's credential until `system resume`; its backups stay
    Suspend {
        /// Id or key of the system
        system: String,
    },
    /// Accept a suspended system's credential again
    Resume {
        /// Id or key of the system
        system: String,
    },
    /// Erase a system and all its backups for good
    Destroy {
        /// Id or key of the system
        system: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

/// A new credential, which is shown only once.
#[derive(Serialize)]
struct Credential {
    id: Uuid,
    system_key: String,
    system_secret: String,
    org_id: String,
}

impl System {
    pub fn run(self, context: &mut Context) -> Result<ExitCode, Failure> {
        match self {
            Self::Add { org, name, key, secret } => add(context, &org, &name, key, secret)?,
            Self::List { org } => {
                let systems = systems::list(&mut context.conn, org.as_ref(), None)?;
                context.output.print(&systems, |systems| describe(systems))?;
            }
            Self::Show { system } => show(context, &system)?,
            Self::RotateSecret { system, secret } => rotate(context, &system, secret)?,
            Self::Suspend { system } => set_suspended(context, &system, true)?,
            Self::Resume { system } => set_suspended(context, &system, false)?,
            Self::Destroy { system, yes } => destroy::run(context, &system, yes)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn add(
    context: &mut Context,
    org: &OrgId,
    name: &str,
    key: Option<SystemKey>,
    secret: SecretSource,
) -> Result<(), Failure> {
    if name.trim().is_empty() {
        return Err(Failure::Usage("--name: it is empty".to_owned()));
    }
    let key = match key {
        Some(key) => key,
        None => random_key()?,
    };
    let secret = secret.read_or_generate()?;
    if organizations::list(&mut context.conn, Some(org))?.is_empty() {
        return Err(Failure::Refused(format!("no organization {org}: `strongroom org list` shows all")));
    }
    let id = Uuid::from_bytes(uuidv7::create_raw());
    let system = NewSystem { id, key: &key, org, name, secret_sha256: secret::sha256(&secret) };
    match systems::add(&mut context.conn, &system) {
        Ok(()) => print_credential(context, id, key.as_str(), org.as_str(), &secret),
        Err(DbError::Exists) => Err(Failure::Refused(format!(
            "system key {key} is taken: pass another one with --key, or omit the option"
        ))),
        Err(error) => Err(error.into()),
    }
}

fn random_key() -> Result<SystemKey, Failure> {
    let text = format!("sys-{}", hex::encode(secret::random_bytes(8)?));
    SystemKey::parse(&text).map_err(|e| Failure::Refused(e.to_string()))
}

fn print_credential(
    context: &Context,
    id: Uuid,
    key: &str,
    org: &str,
    secret: &SecretString,
) -> Result<(), Failure> {
    let credential = Credential {
        id,
        system_key: key.to_owned(),
        system_secret: secret.expose_secret().to_owned(),
        org_id: org.to_owned(),
    };
    // This is the only copy of the secret, so it is a failure if the reader closes the pipe early.
    let printed = context.output.print_all(&credential, |c| {
        format!(
            "system id:     {}\nsystem key:    {}\nsystem secret: {}\norganization:  {}\n\
             The secret is shown this once.",
            c.id, c.system_key, c.system_secret, c.org_id
        )
    });
    printed.map_err(|failure| {
        failure.map_line(|cause| {
            format!(
                "{cause}: the new secret of system {key} was not shown, and no other one works: \
                 `strongroom system rotate-secret {key}` makes another"
            )
        })
    })
}

fn rotate(context: &mut Context, system: &str, secret: SecretSource) -> Result<(), Failure> {
    let system = context.system(system)?;
    let secret = secret.read_or_generate()?;
    systems::rotate_secret(&mut context.conn, &system, secret::sha256(&secret))?;
    print_credential(context, system.id, &system.system_key, &system.org_id, &secret)
}

fn set_suspended(context: &mut Context, name: &str, suspended: bool) -> Result<(), Failure> {
    let system = context.system(name)?;
    if !systems::set_suspended(&mut context.conn, &system, suspended)? {
        return Err(Failure::Refused(format!("system {name} is being destroyed")));
    }
    show(context, &system.id.to_string())
}

fn show(context: &mut Context, system: &str) -> Result<(), Failure> {
    let system = context.system(system)?;
    context.output.print(&system, |system| describe(std::slice::from_ref(system)))
}

fn describe(systems: &[SystemSummary]) -> String {
    let row = |system: &SystemSummary| {
        [
            system.id.to_string(),
            system.system_key.clone(),
            system.org_id.clone(),
            system.name.clone(),
            system.state.to_string(),
            system.backups.to_string(),
            size::human(system.bytes),
            system.last_backup_at.map_or("never".to_owned(), time),
        ]
    };
    let header = ["ID", "KEY", "ORG", "NAME", "STATE", "BACKUPS", "BYTES", "LAST BACKUP"];
    table(header, systems.iter().map(row))
}
