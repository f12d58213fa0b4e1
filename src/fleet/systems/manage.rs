//! New systems, changes, and new secrets.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use uuid::Uuid;

use super::show::SystemDetails;
use crate::auth::basic::{new_key, new_secret, secret_hash};
use crate::db::systems::{self, Changed, NewSystem, Rotated, SystemChange};
use crate::db::{DbError, Lane, organizations};
use crate::domain::author::Author;
use crate::domain::ids::{OrgId, SystemKey};
use crate::fleet::{Fleet, FleetError, TIMEOUT};

/// A system that is to be added.
#[derive(Debug, Clone)]
pub struct SystemToAdd {
    pub name: String,
    pub org: OrgId,
    /// `None`: a random one.
    pub key: Option<SystemKey>,
    /// Its own periods in seconds; `None`: inherited.
    pub backup_period_seconds: Option<i64>,
    pub contact_period_seconds: Option<i64>,
}

/// A new credential. The secret is nowhere else.
#[derive(Debug)]
pub struct Credential {
    pub id: Uuid,
    pub org_id: String,
    pub key: String,
    pub secret: SecretString,
    /// Until when the secret before is valid, in an overlap.
    pub previous_until: Option<DateTime<Utc>>,
}

impl Fleet {
    /// Adds a system.
    ///
    /// # Errors
    /// [`FleetError::NoOrganization`] if the caller may not see the organization, [`FleetError::KeyTaken`].
    pub async fn add_system(&self, author: Author, new: SystemToAdd) -> Result<Credential, FleetError> {
        let secret = new_secret().map_err(|error| DbError::Failed(error.to_string()))?;
        let key = match new.key {
            Some(key) => key,
            None => new_key().map_err(|error| DbError::Failed(error.to_string()))?,
        };
        let system = NewSystem {
            id: Uuid::from_bytes(uuidv7::create_raw()),
            key,
            org: new.org,
            name: new.name,
            secret_sha256: secret_hash(&secret),
            backup_period_seconds: new.backup_period_seconds,
            contact_period_seconds: new.contact_period_seconds,
        };
        let credential = Credential {
            id: system.id,
            org_id: system.org.to_string(),
            key: system.key.to_string(),
            secret,
            previous_until: None,
        };
        let add = move |conn: &mut _| {
            if !author.sees_any_of(&organizations::and_above(conn, system.org.as_str())?) {
                return Ok(false);
            }
            match systems::add(conn, &system, &author) {
                // The attempt before has added it: its outcome was unknown.
                Err(DbError::Exists) if systems::one(conn, system.id)?.is_some() => Ok(true),
                added => added,
            }
        };
        match self.db.run(Lane::Fleet, TIMEOUT, add).await {
            Ok(true) => Ok(credential),
            Ok(false) => Err(FleetError::NoOrganization),
            Err(DbError::Exists) => Err(FleetError::KeyTaken),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes a system, and returns it.
    ///
    /// # Errors
    /// [`FleetError::NoSystem`] as for [`Fleet::show_system`]; [`FleetError::BeingDestroyed`]; [`FleetError::CannotMove`] if
    /// `org` is another organization than the system's own.
    pub async fn change_system(
        &self,
        author: Author,
        id: &str,
        org: Option<&str>,
        change: SystemChange,
    ) -> Result<SystemDetails, FleetError> {
        let system = self.find_system(id, |path| author.sees_any_of(path)).await?.found.system;
        if org.is_some_and(|org| org != system.org_id) {
            return Err(FleetError::CannotMove);
        }
        let by = author.clone();
        let work = move |conn: &mut _| systems::change(conn, system.id, &system.org_id, &change, &by);
        match self.db.run(Lane::Fleet, TIMEOUT, work).await? {
            Changed::Done => self.find_system(id, |path| author.sees_any_of(path)).await,
            Changed::NotFound => Err(FleetError::NoSystem),
            Changed::BeingDestroyed => Err(FleetError::BeingDestroyed),
        }
    }

    /// Replaces the secret of a system. The one before is valid for `overlap_seconds` more.
    ///
    /// # Errors
    /// [`FleetError::NoSystem`] as for [`Fleet::show_system`]; [`FleetError::BeingDestroyed`].
    pub async fn rotate_secret(
        &self,
        author: Author,
        id: &str,
        overlap_seconds: u32,
    ) -> Result<Credential, FleetError> {
        let system = self.find_system(id, |path| author.sees_any_of(path)).await?.found.system;
        let secret = new_secret().map_err(|error| DbError::Failed(error.to_string()))?;
        let (sha256, org) = (secret_hash(&secret), system.org_id.clone());
        let rotate =
            move |conn: &mut _| systems::rotate(conn, system.id, &org, sha256, overlap_seconds, &author);
        let previous_until = match self.db.run(Lane::Fleet, TIMEOUT, rotate).await? {
            Rotated::Done { previous_until } => previous_until,
            Rotated::NotFound => return Err(FleetError::NoSystem),
            Rotated::BeingDestroyed => return Err(FleetError::BeingDestroyed),
        };
        Ok(Credential {
            id: system.id,
            org_id: system.org_id,
            key: system.system_key,
            secret,
            previous_until,
        })
    }
}
