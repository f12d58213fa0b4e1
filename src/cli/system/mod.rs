//! `strongroom system ...`.

mod destroy;
mod show;

use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use uuid::Uuid;

use super::context::Context;
use super::exit::{ExitCode, Failure};
use super::say::say;
use super::secret::{self, SecretSource};
use super::suggest::{require_organization, unknown_organization};
use super::system_arg::SystemArg;
use crate::db::DbError;
use crate::db::systems::{self, NewSystem};
use crate::domain::ids::{OrgId, SystemKey};
use crate::domain::row_state::SystemState;

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
    /// List the systems
    List {
        /// List only the systems of this organization
        #[arg(long, value_name = "ORG", value_parser = OrgId::parse)]
        org: Option<OrgId>,
    },
    /// Show one system
    Show(SystemArg),
    /// Replace a system's secret, and print the new one, which is shown only once; the old one stops working
    #[command(after_help = "Examples:\n  \
        strongroom system rotate-secret fw-01\n  \
        strongroom system rotate-secret fw-01 --secret-file /root/fw-01.secret")]
    RotateSecret {
        #[command(flatten)]
        system: SystemArg,
        #[command(flatten)]
        secret: SecretSource,
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
                if let Some(org) = &org {
                    require_organization(&mut context.conn, org)?;
                }
                let systems = systems::list(&mut context.conn, org.as_ref())?;
                context.output.print(&systems, |systems| show::list(systems))?;
            }
            Self::Show(system) => {
                let system = system.find(context)?;
                show::run(context, system)?;
            }
            Self::RotateSecret { system, secret } => rotate(context, &system, secret)?,
            Self::Suspend(system) => set_suspended(context, &system, true)?,
            Self::Resume(system) => set_suspended(context, &system, false)?,
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
    require_organization(&mut context.conn, org)?;
    let id = Uuid::from_bytes(uuidv7::create_raw());
    let system = NewSystem { id, key: &key, org, name, secret_sha256: secret::sha256(&secret) };
    match systems::add(&mut context.conn, &system) {
        Ok(true) => {
            print_credential(context, id, key.as_str(), org.as_str(), &secret)?;
            warn_of_the_same_name(context, id, org, name)
        }
        // It was deleted a moment ago.
        Ok(false) => Err(unknown_organization(&mut context.conn, org)?),
        Err(DbError::Exists) => Err(Failure::Refused(format!(
            "system key {key} is taken: pass another one with --key, or omit the option"
        ))),
        Err(error) => Err(error.into()),
    }
}

/// Prints a line if another system of the organization has the name: that is permitted, but commands don't take the name then.
fn warn_of_the_same_name(context: &mut Context, id: Uuid, org: &OrgId, name: &str) -> Result<(), Failure> {
    let systems = systems::list(&mut context.conn, Some(org))?;
    let others: Vec<_> = systems.iter().filter(|other| other.name == name && other.id != id).collect();
    if let Some(first) = others.first() {
        let more = match others.len() {
            1 => String::new(),
            count => format!(", and {} more", count - 1),
        };
        say(&format!(
            "another system of {org} has the name {name:?}, too ({}{more}): commands need the key of the one that is meant",
            first.system_key
        ));
    }
    Ok(())
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

fn rotate(context: &mut Context, system: &SystemArg, secret: SecretSource) -> Result<(), Failure> {
    let system = system.find(context)?;
    let secret = secret.read_or_generate()?;
    systems::rotate_secret(&mut context.conn, &system, secret::sha256(&secret))?;
    print_credential(context, system.id, &system.system_key, &system.org_id, &secret)
}

fn set_suspended(context: &mut Context, system: &SystemArg, suspended: bool) -> Result<(), Failure> {
    let mut system = system.find(context)?;
    if !systems::set_suspended(&mut context.conn, &system, suspended)? {
        return Err(Failure::Refused(format!("system {} is being destroyed", system.system_key)));
    }
    system.state = if suspended { SystemState::Suspended } else { SystemState::Active };
    show::run(context, system)
}
