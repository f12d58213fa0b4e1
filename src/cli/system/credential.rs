//! `strongroom system add` and `rotate-secret`: new credentials, which are shown only once.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use uuid::Uuid;

use crate::auth::basic::{new_key, secret_hash};
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::output::time;
use crate::cli::say::say;
use crate::cli::secret::SecretSource;
use crate::cli::suggest::{require_organization, unknown_organization};
use crate::cli::system_arg::SystemArg;
use crate::db::DbError;
use crate::db::systems::{self, NewSystem, Rotated};
use crate::domain::author::Author;
use crate::domain::ids::{OrgId, SystemKey};

/// A new credential, which is shown only once.
#[derive(Serialize)]
struct Credential {
    id: Uuid,
    system_key: String,
    system_secret: String,
    org_id: String,
    /// Until when the secret before is valid, in an overlap.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_until: Option<DateTime<Utc>>,
}

pub fn add(
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
        None => new_key().map_err(|error| Failure::Refused(error.to_string()))?,
    };
    let secret = secret.read_or_generate()?;
    require_organization(&mut context.conn, org)?;
    let id = Uuid::from_bytes(uuidv7::create_raw());
    let system = NewSystem {
        id,
        key: key.clone(),
        org: org.clone(),
        name: name.to_owned(),
        secret_sha256: secret_hash(&secret),
        backup_period_seconds: None,
        contact_period_seconds: None,
    };
    match systems::add(&mut context.conn, &system, &Author::Operator) {
        Ok(true) => {
            print(context, id, key.as_str(), org.as_str(), &secret, None)?;
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
    if let Some((key, count)) = systems::others_with_name(&mut context.conn, org, name, id)? {
        let more = match count {
            1 => String::new(),
            count => format!(", and {} more", count - 1),
        };
        say(&format!(
            "another system of {org} has the name {name:?}, too ({key}{more}): commands need the key of the one that is meant"
        ));
    }
    Ok(())
}

pub fn rotate(
    context: &mut Context,
    system: &SystemArg,
    secret: SecretSource,
    overlap_seconds: u32,
) -> Result<(), Failure> {
    let system = system.find(context)?;
    let secret = secret.read_or_generate()?;
    let sha256 = secret_hash(&secret);
    let (id, org) = (system.id, &system.org_id);
    let rotated = systems::rotate(&mut context.conn, id, org, sha256, overlap_seconds, &Author::Operator)?;
    let key = &system.system_key;
    let until = match rotated {
        Rotated::Done { previous_until } => previous_until,
        Rotated::NotFound => {
            let line = format!("system {key} is gone: it was destroyed or moved a moment ago");
            return Err(Failure::Refused(line));
        }
        Rotated::BeingDestroyed => {
            return Err(Failure::Refused(format!("system {key} is being destroyed")));
        }
    };
    print(context, system.id, &system.system_key, &system.org_id, &secret, until)
}

fn print(
    context: &Context,
    id: Uuid,
    key: &str,
    org: &str,
    secret: &SecretString,
    previous_until: Option<DateTime<Utc>>,
) -> Result<(), Failure> {
    let credential = Credential {
        id,
        system_key: key.to_owned(),
        system_secret: secret.expose_secret().to_owned(),
        org_id: org.to_owned(),
        previous_secret_until: previous_until,
    };
    // This is the only copy of the secret, so it is a failure if the reader closes the pipe early.
    let printed = context.output.print_all(&credential, |c| {
        let overlap = c
            .previous_secret_until
            .map_or_else(String::new, |until| format!("\nThe secret before is valid until {}.", time(until)));
        format!(
            "system id:     {}\nsystem key:    {}\nsystem secret: {}\norganization:  {}\n\
             The secret is shown this once.{overlap}",
            c.id, c.system_key, c.system_secret, c.org_id
        )
    });
    let others = if previous_until.is_some() {
        "only the one before still works for a time"
    } else {
        "no other one works"
    };
    printed.map_err(|failure| {
        failure.map_line(|cause| {
            format!(
                "{cause}: the new secret of system {key} was not shown, and {others}: \
                 `strongroom system rotate-secret {key}` makes another"
            )
        })
    })
}
